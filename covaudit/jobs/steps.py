"""The steps of a run, each from the outcome of the one before; `execute` says in which order."""

import time
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from covaudit.domain.estimate import Confusion, Estimate
from covaudit.domain.experiment import Experiment
from covaudit.domain.seeds import derive_seed
from covaudit.domain.task import Task
from covaudit.errors import JobFailed
from covaudit.explain.heatmaps import ClassMaps, choose_maps, describe_network, explain_classes
from covaudit.explain.known_regions import find_regions
from covaudit.explain.lungs import finder, lungs_of
from covaudit.explain.regions import Shares, measure_shares
from covaudit.faults import reach
from covaudit.jobs.checkpoints import Own, require_space
from covaudit.jobs.process import TRAINING, Reporter
from covaudit.metrics.confusion import confusion
from covaudit.metrics.scores import evaluate
from covaudit.metrics.thresholds import locked_estimates
from covaudit.sources.duplicates import families
from covaudit.sources.index import read_index
from covaudit.sources.leakage import check_leakage, find_leakage
from covaudit.sources.sampling import choose
from covaudit.store import runs
from covaudit.store import sources as source_table
from covaudit.store.database import Store
from covaudit.store.patience import patiently
from covaudit.training.copies import add_copies
from covaudit.training.intensity import feed
from covaudit.training.learner import TrainingData
from covaudit.training.loop import fit
from covaudit.training.network_file import NetworkFile
from covaudit.training.pixels import PixelSet, build_pixels, reference_recipe
from covaudit.training.predict import name_answers, predict_logits, probabilities
from covaudit.training.prepare import Recipe
from models.registry import build_network
from models.specs import GREY

EXPLAINED = ("internal", "external")


class Chosen(NamedTuple):
    """The samples of a run and what was left out, by reason."""

    samples: pd.DataFrame
    dropped: dict[str, int]


def choose_samples(store: Store, experiment: Experiment, fold: int, reporter: Reporter) -> Chosen:
    """Index every source of both mixtures, then draw and split."""
    progress = reporter.stage("reading sources")
    names = tuple(dict.fromkeys((*experiment.train.sources(), *experiment.test.sources())))
    tables: dict[str, pd.DataFrame] = {}
    dropped: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        source = source_table.get(store, name)
        index = read_index(source, store.index_cache, store.settings.roots, on_progress=progress)
        tables[name] = index.table
        dropped |= {f"{name}: {reason}": n for reason, n in index.dropped.items()}
        progress(number, len(names))
    tables = families(tables, store.index_cache, reporter.stage("looking for duplicates"))
    chosen = choose(experiment, tables, fold)
    check_leakage(experiment, find_leakage(chosen.table))
    table = add_copies(chosen.table, experiment.training.copies, experiment.seed)
    return Chosen(table, dropped | chosen.dropped)


def read_pixels(
    store: Store, experiment: Experiment, samples: pd.DataFrame, reporter: Reporter
) -> tuple[PixelSet, Recipe]:
    """Every sample opened and prepared as the protocol says, and the recipe that did it."""
    training, cache = experiment.training, store.workspace / "cache" / "pixels"
    reach("decode")
    on_progress = reporter.stage("decoding images")
    recipe = reference_recipe(samples, Recipe(training.image_size, training.preparation), cache, lungs_of)
    return build_pixels(samples, recipe, cache, on_progress, lungs_of), recipe


def describe(network: nn.Module, experiment: Experiment, recipe: Recipe) -> NetworkFile:
    """What is needed to prepare an image, predict and explain with the trained network later."""
    task, method = experiment.task, experiment.explanation.method
    found = describe_network(network, experiment.network, task.classes, recipe.size, method, task.is_multi_label)
    pixels = {"preparation": recipe.preparation, "levels": recipe.levels, "intensity": experiment.training.intensity}
    return found.model_copy(update=pixels)


def only_scored(pixels: PixelSet, predictions: pd.DataFrame) -> PixelSet:
    """The rows of the images that the network scored, in the order of `predictions`: what a fold of several keeps."""
    rows = predictions["sample_row"].to_numpy()
    return PixelSet(pixels.pixels[rows], pixels.regions[rows], {})


def without_unreadable(samples: pd.DataFrame, pixels: PixelSet, experiment: Experiment) -> Chosen:
    """Samples that could not be opened leave their split; a class that loses all its images of a split ends the run."""
    samples = samples.assign(note="")
    rows = list(pixels.unreadable)
    samples.loc[samples.index[rows], "note"] = [pixels.unreadable[row] for row in rows]
    samples.loc[samples.index[rows], "split"] = "dropped"
    for split in ("train", "val", "internal"):
        shown = truth(samples[samples["split"] == split], experiment.task).max(axis=0, initial=0)
        missing = [name for name, is_shown in zip(experiment.task.classes, shown, strict=True) if not is_shown]
        if missing and rows:
            raise JobFailed(
                f"No readable image of class {', '.join(missing)} is left for the {split} split: {len(rows)} images "
                f"could not be opened, the first because: {pixels.unreadable[rows[0]]} Check the source's files."
            )
    return Chosen(samples, {"could not be opened": len(rows)} if rows else {})


def find_lungs_and_markers(
    samples: pd.DataFrame, pixels: PixelSet, device: torch.device, reporter: Reporter
) -> PixelSet:
    """The regions of the test images, where their source does not say, found by a segmentation and a detector."""
    rows = np.concatenate([rows_of(samples, split) for split in EXPLAINED])
    begun = time.monotonic()
    found = find_regions(pixels.pixels, pixels.regions, rows, device, reporter.stage("finding lungs"))
    if found.asked:
        reporter.log(
            f"lungs found in {found.lungs} and markers in {found.markers} of {found.asked} test images, by {finder()} "
            f"({time.monotonic() - begun:.1f} s)"
        )
    return pixels._replace(regions=found.regions)


class Trained(NamedTuple):
    """A network, and how many of its epochs an earlier attempt had done."""

    network: nn.Module
    epochs_resumed: int


def train(
    store: Store, run_id: str, attempt: int, fold: int, experiment: Experiment, samples: pd.DataFrame,
    pixels: PixelSet, device: torch.device, reporter: Reporter,
) -> Trained:  # fmt: skip
    """A network trained on the train split, with the weights that the protocol keeps.

    It goes on from the last whole checkpoint of an earlier attempt, and leaves one after each epoch of its own.
    """
    torch.manual_seed(derive_seed(experiment.seed, "network"))
    torch.use_deterministic_algorithms(True, warn_only=True)
    task = experiment.task
    network = build_network(
        experiment.network, len(task.classes), image_size=experiment.training.image_size,
        pretrained=experiment.training.pretrained, weights=store.settings.weights,
        levels=GREY if experiment.training.intensity == "standard" else None,
    ).to(device)  # fmt: skip
    feed(network, experiment.training.intensity)
    targets = truth(samples, task) if task.is_multi_label else truth(samples, task).argmax(axis=1)
    label_sets, sources = (pd.factorize(samples[name])[0].astype(np.int64) for name in ("class_name", "source"))
    parts = (rows_of(samples, "train"), rows_of(samples, "val"))
    data = TrainingData(pixels.pixels, targets, *parts, len(task.classes), label_sets, sources)
    require_space(store.workspace, network)
    on_step, own = reporter.stage(TRAINING), Own(store, run_id, attempt, fold, experiment.n_folds)
    for record in fit(
        network, data, experiment.training, experiment.seed, device, on_step,
        resume=own.last_of_earlier(), on_checkpoint=own.save, on_note=reporter.log,
    ):  # fmt: skip
        patiently(partial(runs.add_epoch, store, run_id, attempt, record, fold))
        whose = "" if own.n_saved else "earlier attempt: "
        reporter.log(
            f"{whose}epoch {record.epoch}/{experiment.training.epochs}: train loss {record.train_loss:.3f}, "
            f"val loss {record.val_loss:.3f}, val balanced accuracy {record.val_balanced_accuracy:.3f}"
        )
    return Trained(network, experiment.training.epochs - own.n_saved)


def truth(samples: pd.DataFrame, task: Task) -> NDArray[np.int64]:
    """A 0 or 1 for each class of each sample, (N, K)."""
    vectors = {label: task.vector_of(str(label)) for label in samples["label"].unique()}
    rows = [vectors[label] for label in samples["label"]]
    return np.array(rows, dtype=np.int64).reshape(len(rows), len(task.classes))


def rows_of(samples: pd.DataFrame, split: str) -> NDArray[np.int64]:
    """Row numbers of a split, which are also the rows of the pixel array."""
    return np.flatnonzero(samples["split"].to_numpy() == split)


def score(
    network: nn.Module, described: NetworkFile, experiment: Experiment, samples: pd.DataFrame, pixels: PixelSet,
    device: torch.device, reporter: Reporter,
) -> tuple[pd.DataFrame, ClassMaps]:  # fmt: skip
    """One row for each image of val, internal and external: probabilities `p_<class>` and the class predicted; and the
    maps of all classes of the internal and external ones, from the same pass.

    In a multi-label task also the truth `t_<class>`, 0 or 1, and the predicted classes are all above one half.
    """
    task = experiment.task
    held, tested = rows_of(samples, "val"), np.concatenate([rows_of(samples, split) for split in EXPLAINED])
    logits = predict_logits(network, pixels.pixels, held, device, on_progress=reporter.stage("scoring"))
    maps = explain_classes(network, described, pixels.pixels, tested, device, reporter.stage("explaining"))
    rows = np.concatenate([held, tested])
    found = probabilities(np.concatenate([logits, maps.logits]), task.is_multi_label)
    kept = ["source", "image_id", "patient", "label", "class_name", "split", "sex", "age", "view", "base_image"]
    table = samples.iloc[rows][[name for name in kept if name in samples]].reset_index(drop=True)
    table["predicted"] = name_answers(found, task.classes, task.is_multi_label)
    table[[f"p_{name}" for name in task.classes]] = found
    if task.is_multi_label:
        table[[f"t_{name}" for name in task.classes]] = truth(table, task).astype(np.int8)
    table["sample_row"] = rows
    return table, maps


def explain(
    described: NetworkFile, predictions: pd.DataFrame, maps: ClassMaps, pixels: PixelSet
) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
    """A heat map (s, s) for every internal and external test image, of the likeliest class, and where its heat lies."""
    places = np.flatnonzero(predictions["split"].isin(EXPLAINED))
    rows = predictions["sample_row"].to_numpy()[places]
    targets = predictions[[f"p_{name}" for name in described.classes]].to_numpy()[places].argmax(axis=1)
    heatmaps = choose_maps(maps, described, targets)
    table = predictions.assign(heatmap_row=-1, heat_target=predictions["predicted"])
    table.loc[places, "heat_target"] = np.asarray(described.classes)[targets]
    table.loc[places, "heatmap_row"] = np.arange(len(places))
    shares = [
        measure_shares(heat, bits, described.cam_stride)
        for heat, bits in zip(heatmaps, pixels.regions[rows], strict=True)
    ]
    table[list(Shares._fields)] = np.nan
    table.loc[places, list(Shares._fields)] = np.array(shares)
    return table, heatmaps


def measure(experiment: Experiment, predictions: pd.DataFrame) -> tuple[list[Estimate], list[Confusion]]:
    """Every number of a table of predictions, and the confusion matrices of its splits."""
    reach("evaluate")
    classes = experiment.task.classes
    splits = [split for split in ("val", *EXPLAINED) if (predictions["split"] == split).any()]
    found = [confusion(predictions, split, classes) for split in splits]
    estimates = evaluate(predictions, classes, experiment.seed)
    return estimates + locked_estimates(predictions, classes, experiment.seed), found
