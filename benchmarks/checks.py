"""The checks of a run beside an epoch of its training, in processor time with one thread.

A run of made-up films of two sources, through the steps of a run: trained for two epochs, of which the second counts,
scored, explained and audited. The network has hardly learnt anything by then, which costs the checks the same.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.table import Row, Table
from covaudit.audit.evidence import Evidence
from covaudit.audit.report import audit
from covaudit.domain.experiment import Experiment
from covaudit.domain.presets import PRESETS
from covaudit.jobs import steps
from covaudit.jobs.process import Reporter
from covaudit.sources.readers import phantoms
from covaudit.sources.sampling import choose
from covaudit.training.learner import TrainingData
from covaudit.training.loop import fit
from covaudit.training.pixels import build_pixels
from covaudit.training.predict import predict_logits, probabilities
from covaudit.training.prepare import Recipe
from models.registry import build_network

CPU = torch.device("cpu")


class Setting(NamedTuple):
    network: str
    size: int
    batch: int
    passes: int = 1


_SETTINGS = {
    "Efficient, 128 px": Setting("efficient", 128, 16),
    "ResNet-18, 128 px": Setting("resnet18", 128, 16),
    "ResNet-50, 224 px": Setting("resnet50", 224, 8),
}


class Cost(NamedTuple):
    """Seconds of an epoch and of each check, the images trained in the epoch and predicted by the checks."""

    epoch: float
    checks: dict[str, float]
    trained: int
    predicted: int


def measure(row: str, is_quick: bool) -> Row:
    """Images trained and predicted, seconds of an epoch and of all checks, and their ratio."""
    cost = cost_of(_SETTINGS[row])
    together = sum(cost.checks.values())
    return (
        str(cost.trained), str(cost.predicted), f"{cost.epoch:.1f} s", f"{together:.1f} s",
        f"{together / cost.epoch:.2f}",
    )  # fmt: skip


def cost_of(setting: Setting) -> Cost:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    demo = PRESETS["demo-single"]
    training = demo.training.model_copy(
        update={"image_size": setting.size, "batch_size": setting.batch, "epochs": 2, "passes": setting.passes}
    )
    experiment = demo.model_copy(update={"network": setting.network, "training": training})
    tables = {name: phantoms.read(name) for name in (*experiment.train.sources(), *experiment.test.sources())}
    samples = choose(experiment, tables).table
    with tempfile.TemporaryDirectory() as folder:
        pixels = build_pixels(samples, Recipe(setting.size), Path(folder))
        return _cost(experiment, samples, pixels)


def _cost(experiment: Experiment, samples: Any, pixels: Any) -> Cost:
    task, quiet = experiment.task, cast(Reporter, _Quiet())
    network = build_network(experiment.network, len(task.classes), image_size=experiment.training.image_size)
    train, val = (steps.rows_of(samples, split) for split in ("train", "val"))
    data = TrainingData(pixels.pixels, steps.truth(samples, task).argmax(axis=1), train, val, len(task.classes))
    begun = epoch = 0.0
    for _ in fit(network, data, experiment.training, 0, CPU):
        epoch, begun = time.process_time() - begun, time.process_time()
    described = steps.describe(network, experiment, Recipe(experiment.training.image_size))
    predictions, maps = steps.score(network, described, experiment, samples, pixels, CPU, quiet)
    predictions, heatmaps = steps.explain(described, predictions, maps, pixels)
    n_predicted = 0

    def predict(images: NDArray[np.uint8], folds: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        nonlocal n_predicted
        n_predicted += len(images)
        return probabilities(predict_logits(network, images, np.arange(len(images)), CPU))

    seconds: dict[str, float] = {}
    last = time.process_time()

    def on_check(name: str, taken: float) -> None:
        nonlocal last
        seconds[name], last = time.process_time() - last, time.process_time()

    estimates, _ = steps.measure(experiment, predictions)
    evidence = Evidence(
        experiment, samples, predictions, estimates, pixels.pixels, pixels.regions, predict, heatmaps,
        described.cam_stride,
    )  # fmt: skip
    last = time.process_time()
    audit(evidence, on_check)
    return Cost(epoch, seconds, len(train) * experiment.training.passes, n_predicted)


class _Quiet:
    """A reporter that reports nothing."""

    def stage(self, name: str) -> Callable[[int, int], None]:
        return lambda done, total: None


TABLE = Table(
    title="Checks",
    how="All checks of a run beside one epoch of its training, in processor time with one thread, on made-up films of "
    "which the films are drawn again for one of the checks: images that the epoch trains and that the checks predict, "
    "seconds of each, and their ratio.",
    header=("network", "images trained", "images predicted", "epoch", "checks", "of an epoch"),
    rows=tuple(_SETTINGS),
    measure=measure,
)
