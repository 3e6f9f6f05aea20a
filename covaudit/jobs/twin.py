"""The label-shuffled twin of a run: the same network, trained on the same images with their labels shuffled.

Its maps show what is drawn of a network that learnt no disease (Adebayo et al. 2018). Training it costs about as much
as the run, so it is an errand that a person asks for; the methods that a run does not draw go through the cascade too.
"""

import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from covaudit.audit.evidence import patients_of
from covaudit.audit.sanity import Judged, choose_rows, judge
from covaudit.domain.experiment import Experiment
from covaudit.domain.explanation import MapOptions
from covaudit.domain.run import Run, RunState
from covaudit.domain.seeds import derive_seed
from covaudit.errors import BadState, CannotExplain
from covaudit.explain.sanity import DrawMaps, cascade, draw_by, likeness, untrained_builder
from covaudit.jobs.errands import Tell, doing, sanity_of
from covaudit.jobs.steps import rows_of, truth
from covaudit.store import Store, artifacts, results, runs
from covaudit.store.files import SANITY
from covaudit.training.device import resolve_device
from covaudit.training.learner import TrainingData
from covaudit.training.loaders import normalise, to_images
from covaudit.training.loop import fit
from covaudit.training.network_file import NetworkFile, load_network
from covaudit.training.predict import predict_logits

MOST_EPOCHS = 5
_COARSE = MapOptions(steps=16, patches=4)
_SCORED = 512


def check_methods(
    store: Store, run_id: str, methods: Sequence[str], epochs: int | None = None, with_twin: bool = True,
    on_progress: Tell = lambda done, total: None,
) -> dict[str, Any]:  # fmt: skip
    """Cascade and twin of some methods, as the run's `sanity.json` keeps them.

    `epochs` are those of the twin, those of the run but at most `MOST_EPOCHS` if left out. Raises `BadState` for a run
    that is not done, that has several folds (a twin is of one network), or while this is being done; `MissingArtifact`.
    """
    run = runs.get(store, run_id)
    if run.state is not RunState.DONE:
        raise BadState(f"Run {run.id} is {run.state}. Only a run that is done has maps to put to the test.")
    if with_twin and run.experiment.n_folds > 1:
        raise BadState(f"Run {run.id} has {run.experiment.n_folds} folds: a twin is of one network. Use --no-twin.")
    with doing(store, sanity_of(run.id), on_progress) as tell:
        return _check(store, run, methods, epochs, with_twin, tell)


def _check(
    store: Store, run: Run, methods: Sequence[str], epochs: int | None, with_twin: bool, tell: Tell
) -> dict[str, Any]:
    folder, device = results.folder(store, run), resolve_device(store.settings.device)
    network, described = load_network(folder, device)
    samples, pixels, experiment = results.samples(store, run), results.pixels(store, run), run.experiment
    chosen = choose_rows(results.predictions(store, run), derive_seed(experiment.seed, "sanity"))
    if chosen.empty:
        raise BadState(f"Run {run.id} has no heat map to put to the test.")
    images = normalise(to_images(np.array(pixels[chosen["sample_row"].to_numpy()]), device))
    targets = torch.tensor([described.classes.index(name) for name in chosen["heat_target"]], device=device)
    found: dict[str, Any] = {"run_id": run.id, "twin": None, "methods": {}}
    twin = None
    if with_twin:
        begun = time.monotonic()
        n_epochs = epochs or min(experiment.training.epochs, MOST_EPOCHS)
        twin, data = _train(described, experiment, samples, pixels, n_epochs, device, tell)
        accuracy, n = _remembered(twin, data, device)
        found["twin"] = {"epochs": n_epochs, "accuracy_on_shuffled_labels": accuracy, "n": n}
        found["twin"]["seconds"] = round(time.monotonic() - begun, 1)
    for method in methods:
        draw = draw_by(method, described, images, targets, _COARSE)
        found["methods"][method] = _judge(network, twin, described, draw, images, chosen, experiment.seed, device)
    artifacts.write_whole(folder / SANITY, json.dumps(results.finite(found), indent=1).encode())
    return found


def _train(
    described: NetworkFile, experiment: Experiment, samples: pd.DataFrame, pixels: NDArray[np.uint8], epochs: int,
    device: torch.device, tell: Tell,
) -> tuple[nn.Module, TrainingData]:  # fmt: skip
    """From untrained weights, also where the run began with others: it is to know nothing but its labels."""
    task, seed = experiment.task, derive_seed(experiment.seed, "twin")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = untrained_builder(described, device)()
    shuffled = truth(samples, task)
    draws = np.random.default_rng(seed)
    parts = rows_of(samples, "train"), rows_of(samples, "val")
    for rows in parts:
        shuffled[rows] = shuffled[draws.permutation(rows)]
    targets = shuffled if task.is_multi_label else shuffled.argmax(axis=1)
    data = TrainingData(pixels, targets, *parts, len(task.classes))
    training = experiment.training.model_copy(
        update={"epochs": epochs, "keep": "last", "balance_sources": False, "group_dro": False, "stopping": None}
    )
    for _ in fit(network, data, training, seed, device, tell):
        pass
    return network.eval(), data


def _remembered(twin: nn.Module, data: TrainingData, device: torch.device) -> tuple[float, int]:
    """The share of the shuffled training labels that the twin knows, and of how many."""
    rows = data.train[:_SCORED]
    logits = predict_logits(twin, data.pixels, rows, device)
    told = logits.argmax(axis=1) if data.targets.ndim == 1 else (logits > 0).astype(np.int64)
    return float((told == data.targets[rows]).mean()), len(rows)


def _judge(
    network: nn.Module, twin: nn.Module | None, described: NetworkFile, draw: DrawMaps, images: Tensor,
    chosen: pd.DataFrame, seed: int, device: torch.device,
) -> dict[str, Any]:  # fmt: skip
    patients, every = patients_of(chosen), np.arange(len(chosen))
    use = derive_seed(seed, "sanity", "weights")
    try:
        fallen = cascade(network, untrained_builder(described, device), draw, images[:1], len(chosen), use)[0]
        said: dict[str, Any] = {"refused": None, "cascade": _plain(judge(fallen, patients, use)), "twin": None}
        if twin is not None:
            said["twin"] = _plain(judge(likeness(draw(network, every), draw(twin, every)), patients, use))
    except CannotExplain as error:
        return {"refused": str(error), "cascade": None, "twin": None}
    return said


def _plain(judged: Judged) -> dict[str, Any]:
    return judged._asdict() | {"fails": judged.fails, "passes": judged.passes}
