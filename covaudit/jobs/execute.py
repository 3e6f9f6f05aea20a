"""ONE RUN FROM TOP TO BOTTOM: start reading here.

`python -m covaudit.jobs.execute RUN FOLD ATTEMPT` is the process that a worker starts. It takes what was asked from the
store, does the steps of `execute` in order, and writes the outcome last and whole; until then pages see progress only.
Of a run with several folds each process trains one, and `gather`, which comes last, measures them together.
"""

import sys
import time
from functools import partial
from typing import Any

import numpy as np

from covaudit.audit.evidence import Evidence
from covaudit.domain.run import GATHER
from covaudit.jobs import steps
from covaudit.jobs.auditing import audit_run
from covaudit.jobs.gather import gather
from covaudit.jobs.process import Reporter, carry_out
from covaudit.jobs.provenance import initial_weights, provenance
from covaudit.jobs.run_files import write_files, write_summary, write_tables
from covaudit.jobs.sanity import forget
from covaudit.metrics.baselines import answer_baselines, score_baselines
from covaudit.store import artifacts, results, runs
from covaudit.store.database import Store
from covaudit.store.patience import patiently
from covaudit.training.device import resolve_device
from covaudit.training.predict import predict_logits, probabilities


def execute(store: Store, run_id: str, fold: int, attempt: int, device_name: str) -> None:
    """Choose images, read their pixels, train, predict, explain, measure, audit, write."""
    begun = time.monotonic()
    experiment = runs.get(store, run_id).experiment
    classes, is_multi = experiment.task.classes, experiment.task.is_multi_label
    reporter = Reporter(store, run_id, attempt, fold)
    device = resolve_device(device_name)
    reporter.log(f"{experiment.name}: {experiment.network} on {device}, seed {experiment.seed}")

    samples, dropped = steps.choose_samples(store, experiment, fold, reporter)
    pixels, recipe = steps.read_pixels(store, experiment, samples, reporter)
    samples, unreadable = steps.without_unreadable(samples, pixels, experiment)
    dropped |= unreadable
    pixels = steps.find_lungs_and_markers(samples, pixels, device, reporter)

    network, n_resumed = steps.train(store, run_id, attempt, fold, experiment, samples, pixels, device, reporter)
    described = steps.describe(network, experiment, recipe)
    predictions, maps = steps.score(network, described, experiment, samples, pixels, device, reporter)
    predictions, heatmaps = steps.explain(described, predictions, maps, pixels)

    reporter.stage("writing files")
    folder = artifacts.fold_folder(store, run_id, attempt, fold, experiment.n_folds)
    kept = pixels if experiment.n_folds == 1 else steps.only_scored(pixels, predictions)
    files = write_files(folder, experiment, samples, predictions, heatmaps, maps, kept, network, described)
    reporter.left_out(dropped)
    summary = provenance(experiment, samples, dropped, network, described, device)
    summary |= {"weights": initial_weights(experiment, store.settings.weights), "epochs_resumed": n_resumed}
    answered = answer_baselines(samples, pixels.pixels, predictions, classes)
    if experiment.n_folds > 1:
        write_tables(folder, {"baselines.parquet": answered})
        write_summary(folder, summary | _took(begun, reporter))
        patiently(partial(results.write_fold, store, run_id, attempt, fold))
        return

    reporter.stage("measuring")
    estimates, confusions = steps.measure(experiment, predictions)
    estimates += score_baselines(predictions, answered, classes, experiment.seed)

    reporter.stage("auditing")
    evidence = Evidence(
        experiment, samples, predictions, estimates, pixels.pixels, pixels.regions,
        predict=lambda images, folds=None: probabilities(
            predict_logits(network, images, np.arange(len(images)), device), is_multi
        ),
        heatmaps=heatmaps, cell=described.cam_stride,
        cascade=forget(network, described, experiment, predictions, pixels.pixels, device),
    )  # fmt: skip
    findings, cost = audit_run(evidence, runs.epochs(store, run_id), reporter)

    reporter.stage("writing results")
    reporter.findings(findings)
    summary |= cost | _took(begun, reporter)
    outcome = results.Outcome(estimates, confusions, findings, summary)
    patiently(partial(results.write_outcome, store, run_id, attempt, outcome, files))


def _took(begun: float, reporter: Reporter) -> dict[str, Any]:
    return {"seconds": round(time.monotonic() - begun, 1), "stages": reporter.stages()}


def work(store: Store, run_id: str, fold: int, attempt: int, device_name: str) -> None:
    """One job of a run: a fold of it, or the pooling of them all."""
    if fold == GATHER:
        gather(store, run_id, attempt)
    else:
        execute(store, run_id, fold, attempt, device_name)


if __name__ == "__main__":
    sys.exit(carry_out(work, sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
