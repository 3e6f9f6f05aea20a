"""ONE RUN FROM TOP TO BOTTOM: start reading here.

`python -m covaudit.jobs.execute RUN ATTEMPT` is the process that a worker starts. It takes what was asked from the
store, does the steps of `execute` in order, and writes the outcome last and whole; until then pages see progress only.
"""

import sys
import time
import traceback

import numpy as np

from covaudit.audit.evidence import Evidence
from covaudit.audit.report import audit
from covaudit.errors import CovauditError
from covaudit.jobs import steps
from covaudit.jobs.process import Reporter, end_with_parent
from covaudit.jobs.provenance import initial_weights, provenance
from covaudit.jobs.run_files import write_files
from covaudit.metrics.baselines import answer_baselines, score_baselines
from covaudit.metrics.confusion import confusion
from covaudit.metrics.scores import evaluate
from covaudit.settings import Settings
from covaudit.store import artifacts, results, runs
from covaudit.store.database import Store
from covaudit.training.device import resolve_device
from covaudit.training.predict import predict_logits, probabilities


def execute(store: Store, run_id: str, attempt: int, device_name: str) -> None:
    """Choose images, read their pixels, train, predict, explain, measure, audit, write."""
    begun = time.monotonic()
    experiment = runs.get(store, run_id).experiment
    classes, is_multi = experiment.task.classes, experiment.task.is_multi_label
    reporter = Reporter(store, run_id, attempt)
    device = resolve_device(device_name)
    reporter.log(f"{experiment.name}: {experiment.network} on {device}, seed {experiment.seed}")

    samples, dropped = steps.choose_samples(store, experiment, reporter)
    pixels, recipe = steps.read_pixels(store, experiment, samples, reporter)
    samples, unreadable = steps.without_unreadable(samples, pixels, experiment)
    dropped |= unreadable

    network = steps.train(store, run_id, attempt, experiment, samples, pixels, device, reporter)
    described = steps.describe(network, experiment, recipe)
    predictions = steps.score(network, experiment, samples, pixels, device, reporter)
    predictions, heatmaps = steps.explain(network, described, predictions, pixels, device, reporter)

    reporter.stage("measuring")
    estimates = evaluate(predictions, classes, experiment.seed)
    answered = answer_baselines(samples, pixels.pixels, predictions, classes)
    estimates += score_baselines(predictions, answered, classes, experiment.seed)
    splits = [split for split in ("val", *steps.EXPLAINED) if (predictions["split"] == split).any()]
    confusions = [confusion(predictions, split, classes) for split in splits]

    reporter.stage("auditing")
    evidence = Evidence(
        experiment, samples, predictions, estimates, pixels.regions,
        predict=lambda images: probabilities(
            predict_logits(network, images, np.arange(len(images)), device), is_multi
        ),
    )  # fmt: skip
    findings = audit(evidence)

    reporter.stage("writing results")
    folder = artifacts.run_folder(store, run_id, attempt)
    files = write_files(folder, experiment, samples, predictions, heatmaps, pixels, network, described)
    reporter.left_out(dropped)
    reporter.findings(findings)
    seconds = round(time.monotonic() - begun, 1)
    summary = provenance(experiment, samples, dropped, network, described, device)
    summary |= {"weights": initial_weights(experiment, store.settings.weights), "seconds": seconds}
    results.write_outcome(store, run_id, attempt, results.Outcome(estimates, confusions, findings, summary), files)


def main(run_id: str, attempt: int) -> int:
    """Exit code 0 when the outcome is written; otherwise 1, with one plain sentence in `reason.txt`."""
    end_with_parent()
    settings = Settings.from_env()
    store = Store.open(settings)
    reason = artifacts.run_folder(store, run_id, attempt) / "reason.txt"
    try:
        execute(store, run_id, attempt, settings.device)
    except Exception as error:
        traceback.print_exc()
        reason.write_text(_reason(error))
        return 1
    return 0


def _reason(error: Exception) -> str:
    if isinstance(error, CovauditError):
        return str(error)
    if isinstance(error, MemoryError):
        return "Memory ran out. Use a smaller image size or batch size, or fewer images."
    return f"Unexpected {type(error).__name__}. The log has the details; the run can be retried."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
