"""The last job of a run with several folds: measure and audit them as one, write the outcome. It holds no device."""

import json
import os
import shutil
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from covaudit.audit.evidence import Evidence
from covaudit.domain.experiment import Experiment
from covaudit.domain.run import GATHER
from covaudit.explain.sanity import Cascade
from covaudit.jobs import steps
from covaudit.jobs.auditing import audit_run
from covaudit.jobs.pooling import Part, pool, summarise
from covaudit.jobs.process import Reporter
from covaudit.jobs.run_files import write_arrays, write_tables
from covaudit.jobs.sanity import forget
from covaudit.metrics.baselines import score_baselines
from covaudit.metrics.folds import gather_folds
from covaudit.store import artifacts, results, runs
from covaudit.store import folds as jobs_of
from covaudit.store.artifacts import write_whole
from covaudit.store.database import Store
from covaudit.store.patience import patiently
from covaudit.training.network_file import load_network
from covaudit.training.predict import name_answers, predict_logits, probabilities

TABLES = ("samples.parquet", "predictions.parquet", "baselines.parquet")
ARRAYS = ("pixels.npy", "regions.npy", "heatmaps.npy")
FIRST = ("experiment.yaml", "network.json", "weights.safetensors")
"""Files of the first fold that stand for the run: its heat maps are drawn by them."""


def gather(store: Store, run_id: str, attempt: int) -> None:
    """Read what the folds left, pool it, measure each fold and all together, audit, write."""
    begun = time.monotonic()
    experiment = runs.get(store, run_id).experiment
    task = experiment.task
    reporter = Reporter(store, run_id, attempt, GATHER)

    reporter.stage(f"pooling {experiment.n_folds} folds")
    folders = _folders(store, run_id, attempt, experiment.n_folds)
    parts = [_read(folder) for folder in folders]
    name = partial(name_answers, classes=task.classes, is_multi_label=task.is_multi_label)
    samples, predictions, baselines, pixels, regions, heatmaps = pool(parts, task.classes, name)

    progress = reporter.stage("measuring")
    of_folds = []
    for number, part in enumerate(parts, start=1):
        of_folds.append(steps.measure(experiment, part.predictions)[0])
        progress(number, len(parts))
    pooled, confusions = steps.measure(experiment, predictions)
    pooled += score_baselines(predictions, baselines, task.classes, experiment.seed)
    estimates = gather_folds(of_folds, pooled)

    reporter.stage("auditing")
    network_of = cache(lambda fold: load_network(folders[fold], torch.device("cpu"))[0])  # the checks ask often
    predict = partial(_predict, network_of, task.is_multi_label)
    cell = float(json.loads((folders[0] / "network.json").read_text())["cam_stride"])
    cascade = _forget(folders[0], experiment, predictions, pixels)
    evidence = Evidence(experiment, samples, predictions, estimates, pixels, regions, predict, heatmaps, cell, cascade)
    findings, cost = audit_run(evidence, runs.epochs(store, run_id), reporter)

    reporter.stage("writing results")
    folder = artifacts.run_folder(store, run_id, attempt)
    files = write_tables(folder, dict(zip(TABLES[:2], (samples, predictions), strict=True)))
    files += write_arrays(folder, dict(zip(ARRAYS, (pixels, regions, heatmaps), strict=True)))
    for file in FIRST:
        write_whole(folder / file, (folders[0] / file).read_bytes())
    files += [folder / file for file in FIRST]
    for one in folders:
        files += [one / file for file in (*FIRST, *TABLES, *ARRAYS, "summary.json")]
        files += sorted(one.glob("class_maps-*.npy"))
    reporter.findings(findings)
    summary = summarise(parts) | cost
    summary["seconds"] = round(summary["seconds"] + time.monotonic() - begun, 1)
    outcome = results.Outcome(estimates, confusions, findings, summary)
    patiently(partial(results.write_outcome, store, run_id, attempt, outcome, files))


def _folders(store: Store, run_id: str, attempt: int, n_folds: int) -> list[Path]:
    """The files of each fold, in the order of the folds; those of earlier attempts are brought into this one."""
    found = []
    for job in jobs_of.listing(store, run_id):
        if job.number == GATHER:
            continue
        left, here = (artifacts.fold_folder(store, run_id, one, job.number, n_folds) for one in (job.attempt, attempt))
        if job.attempt != attempt:
            shutil.rmtree(here, ignore_errors=True)
            shutil.copytree(left, here, copy_function=_link)
        found.append(here)
    return found


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copy2(source, target)


def _read(folder: Path) -> Part:
    """Raises `MissingArtifact` when a file of the fold is gone."""
    samples, predictions, baselines = (pd.read_parquet(artifacts.need(folder / name)) for name in TABLES)
    pixels, regions, heatmaps = (
        np.load(artifacts.need(folder / name), mmap_mode="r", allow_pickle=False) for name in ARRAYS
    )
    summary = json.loads(artifacts.need(folder / "summary.json").read_text(encoding="utf-8"))
    return Part(samples, predictions, baselines, pixels, regions, heatmaps, summary)


def _forget(
    folder: Path, experiment: Experiment, predictions: pd.DataFrame, pixels: NDArray[np.uint8]
) -> Cascade | None:
    """Of the first fold's network, on images that it was tested on."""
    device = torch.device("cpu")
    network, described = load_network(folder, device)
    own = predictions[(predictions["fold"] == 0).fillna(False).astype(bool)]
    return forget(network, described, experiment, own, pixels, device)


def _predict(
    network_of: Callable[[int], nn.Module],
    is_multi: bool,
    images: NDArray[np.uint8],
    folds: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """Probabilities (M, K) of images (M, S, S), each by the network of its fold; of the first where none is said."""
    device = torch.device("cpu")
    asked = np.zeros(len(images), np.int64) if folds is None else folds
    found: NDArray[np.float32] | None = None
    for fold in np.unique(asked):
        rows = np.flatnonzero(asked == fold)
        said = probabilities(predict_logits(network_of(int(fold)), images, rows, device), is_multi)
        found = np.zeros((len(images), said.shape[1]), np.float32) if found is None else found
        found[rows] = said
    assert found is not None
    return found
