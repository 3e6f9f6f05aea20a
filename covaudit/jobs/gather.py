"""The last job of a run with several folds: measure and audit them as one, write the outcome. It holds no device."""

import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from covaudit.audit.evidence import Evidence
from covaudit.audit.report import audit
from covaudit.domain.experiment import Experiment
from covaudit.domain.run import GATHER
from covaudit.jobs import steps
from covaudit.jobs.pooling import Part, pool, summarise
from covaudit.jobs.process import Reporter
from covaudit.jobs.run_files import write_arrays, write_tables
from covaudit.metrics.baselines import score_baselines
from covaudit.metrics.folds import gather_folds
from covaudit.store import artifacts, results, runs
from covaudit.store import folds as jobs_of
from covaudit.store.artifacts import write_whole
from covaudit.store.database import Store
from covaudit.training.network_file import load_network
from covaudit.training.pixels import build_pixels
from covaudit.training.predict import name_answers, predict_logits, probabilities

FIRST = ("experiment.yaml", "network.json", "weights.safetensors")
"""Files of the first fold that stand for the run: a prediction asks the network of the first fold."""


def gather(store: Store, run_id: str, attempt: int) -> None:
    """Read what the folds left, pool it, measure each fold and all together, audit, write."""
    begun = time.monotonic()
    experiment = runs.get(store, run_id).experiment
    task, size = experiment.task, experiment.training.image_size
    reporter = Reporter(store, run_id, attempt, GATHER)

    reporter.stage(f"pooling {experiment.n_folds} folds")
    folders = _folders(store, run_id, experiment)
    parts = [_read(folder) for folder in folders]
    name = partial(name_answers, classes=task.classes, is_multi_label=task.is_multi_label)
    samples, predictions, baselines, heatmaps = pool(parts, task.classes, name)
    pixels = build_pixels(samples, size, store.workspace / "cache" / "pixels", reporter.stage("decoding images"))

    progress = reporter.stage("measuring")
    of_folds = []
    for number, part in enumerate(parts, start=1):
        of_folds.append(steps.measure(experiment, part.predictions)[0])
        progress(number, len(parts))
    pooled, confusions = steps.measure(experiment, predictions)
    pooled += score_baselines(predictions, baselines, task.classes, experiment.seed)
    estimates = gather_folds(of_folds, pooled)

    reporter.stage("auditing")
    predict = partial(_predict, folders, task.is_multi_label)
    findings = audit(Evidence(experiment, samples, predictions, estimates, pixels.regions, predict))

    reporter.stage("writing results")
    folder = artifacts.run_folder(store, run_id, attempt)
    arrays = {"heatmaps.npy": heatmaps, "pixels.npy": pixels.pixels, "regions.npy": pixels.regions}
    files = write_tables(folder, {"samples.parquet": samples, "predictions.parquet": predictions})
    files += write_arrays(folder, arrays)
    for one in FIRST:
        write_whole(folder / one, (folders[0] / one).read_bytes())
    files += [folder / one for one in FIRST]
    reporter.findings(findings)
    summary = summarise(parts)
    summary["seconds"] = round(summary["seconds"] + time.monotonic() - begun, 1)
    results.write_outcome(store, run_id, attempt, results.Outcome(estimates, confusions, findings, summary), files)


def _folders(store: Store, run_id: str, experiment: Experiment) -> list[Path]:
    """Where each fold left its files, in the order of the folds; each by its own last attempt."""
    jobs = [job for job in jobs_of.listing(store, run_id) if job.number != GATHER]
    return [artifacts.fold_folder(store, run_id, job.attempt, job.number, experiment.n_folds) for job in jobs]


def _read(folder: Path) -> Part:
    """Raises `MissingArtifact` when a file of the fold is gone."""
    names = ("samples.parquet", "predictions.parquet", "baselines.parquet", "heatmaps.npy", "summary.json")
    samples, predictions, baselines, heatmaps, summary = (artifacts.need(folder / name) for name in names)
    return Part(
        pd.read_parquet(samples),
        pd.read_parquet(predictions),
        pd.read_parquet(baselines),
        np.load(heatmaps, allow_pickle=False),
        json.loads(summary.read_text(encoding="utf-8")),
    )


def _predict(
    folders: list[Path], is_multi: bool, images: NDArray[np.uint8], folds: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Probabilities (M, K) of images (M, S, S), each by the network of its fold; of the first where none is said."""
    device = torch.device("cpu")
    asked = np.zeros(len(images), np.int64) if folds is None else folds
    found: NDArray[np.float32] | None = None
    for fold in np.unique(asked):
        network, _ = load_network(folders[fold], device)
        rows = np.flatnonzero(asked == fold)
        said = probabilities(predict_logits(network, images, rows, device), is_multi)
        found = np.zeros((len(images), said.shape[1]), np.float32) if found is None else found
        found[rows] = said
    assert found is not None
    return found
