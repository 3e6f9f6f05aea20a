"""From two mixtures and the indexes of their sources to the images of a run."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.domain.experiment import Experiment
from covaudit.domain.labels import is_a
from covaudit.domain.mixture import Component, Mixture
from covaudit.domain.seeds import derive_seed
from covaudit.domain.task import Task
from covaudit.errors import BadExperiment, UnknownName, clip
from covaudit.sources.caps import cap, match_test, take_patients
from covaudit.sources.groups import group_images
from covaudit.sources.splits import assign_splits

_ORDER = {"train": 0, "val": 1, "internal": 2, "external": 3}

Tables = Mapping[str, pd.DataFrame]


class Samples(NamedTuple):
    """The index's columns, `class_name` and `split`; `dropped` counts the images left out, by reason."""

    table: pd.DataFrame
    dropped: dict[str, int]


def choose(experiment: Experiment, tables: Tables, fold: int = 0) -> Samples:
    """The images of one fold of a run, the same for the same experiment and indexes.

    `tables` maps each source of the mixtures to its index; where these have a column `family`, images of one family
    (near duplicates, also across sources) are kept together as those of one patient are. `fold` counts from 0 to
    `experiment.n_folds` - 1. Raises BadExperiment where a source has no image of a label, a class has none to train on,
    or nothing is left to test on; UnknownName for a source without an index.
    """
    if not 0 <= fold < experiment.n_folds:
        raise ValueError(f"fold {fold} of {experiment.n_folds}")
    check_labels(experiment.train, tables)
    check_labels(experiment.test, tables)
    dropped: Counter[str] = Counter()
    train = _draw(experiment.train, experiment.task, tables, experiment.seed, dropped)
    train = cap(train, experiment.sampling, experiment.seed, dropped)
    _check_classes(train, experiment.task)
    held_out = experiment.held_out(fold)
    train["split"] = assign_splits(train, experiment.split, experiment.seed, fold, held_out)
    if held_out is not None:
        train = _without_known_rows(train, dropped)
    _check_classes(train[train["split"] == "train"], experiment.task, fold if experiment.n_folds > 1 else None)
    if experiment.test:
        external = _draw(experiment.test, experiment.task, tables, experiment.seed, dropped, known=train)
        if experiment.sampling.match == "test":
            external = match_test(external, train, experiment.seed, dropped)
        external["split"] = "external"
        train = pd.concat([train, external], ignore_index=True)
    order = train["split"].map(_ORDER)
    table = train.assign(_order=order).sort_values(["_order", "source", "image_id"], kind="stable", ignore_index=True)
    return Samples(table.drop(columns="_order"), dict(sorted(dropped.items())))


def count_cells(
    mixture: Mixture, task: Task, tables: Tables, seed: int = 0, *, capped: bool = True
) -> dict[tuple[str, str], int]:
    """Images by (source, class) that a mixture draws, after the caps or, with `capped` False, as if there were none.

    A cell that a component asks for and that has no image counts 0; a source without an index counts 0 everywhere.
    """
    components = [component for component in mixture.components() if component.source in tables]
    asked = mixture if capped else Mixture(tuple(c.model_copy(update={"limit": None}) for c in components))
    known = Mixture(tuple(c for c in asked.components() if c.source in tables))
    drawn = _draw(known, task, tables, seed, Counter())
    cells = {
        (component.source, str(task.class_of(name))): 0
        for component in mixture.components()
        for name in task.labels
        if is_a(component.label, name) or is_a(name, component.label)
    }
    cells.update(
        {(str(source), str(name)): int(n) for (source, name), n in drawn.value_counts(["source", "class_name"]).items()}
    )
    return cells


def check_labels(mixture: Mixture, tables: Tables) -> None:
    """Raises UnknownName for a source without an index, BadExperiment for a label that a source does not have."""
    for component in mixture.components():
        if component.source not in tables:
            raise UnknownName("source", component.source, tables, "Add it with 'sources add', or choose another.")
        table = tables[component.source]
        if not _has_label(table, component.label).any():
            counts = table["label"].value_counts()
            there = ", ".join(f"{clip(label, 40)} ({n})" for label, n in counts.items()) or "no image at all"
            raise BadExperiment(
                f"Source '{clip(component.source)}' has no image of label '{clip(component.label)}'. "
                f"It has {there}. Choose one of these labels, or another source."
            )


def _has_label(table: pd.DataFrame, label: str) -> pd.Series:
    return table["label"].isin([name for name in table["label"].unique() if is_a(str(name), label)])


def _draw(
    mixture: Mixture,
    task: Task,
    tables: Tables,
    seed: int,
    dropped: Counter[str],
    known: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """All images of a mixture, each once, with `class_name`; none of the images and patients of `known`."""
    components = list(mixture.components())
    parts = [_candidates(component, task, tables[component.source], dropped) for component in components]
    if known is not None:
        parts = _without_known(parts, known, dropped)
    use = "train" if known is None else "test"
    parts = [
        _cap(part, component, derive_seed(seed, use, component.source, component.label), dropped)
        for part, component in zip(parts, components, strict=True)
    ]
    if not parts:
        return pd.DataFrame(columns=["source", "image_id", "patient", "sha256", "class_name"])
    together = pd.concat(parts, ignore_index=True)
    once = together.drop_duplicates(["source", "image_id"], ignore_index=True)
    _count(dropped, "drawn by two components, used once", len(together) - len(once))
    return once


def _candidates(component: Component, task: Task, table: pd.DataFrame, dropped: Counter[str]) -> pd.DataFrame:
    """The images of a component that the task can map, before any cap."""
    found = table[_has_label(table, component.label)].sort_values("image_id", kind="stable")
    class_of = {label: task.class_of(str(label)) for label in found["label"].unique()}
    found = found.assign(class_name=found["label"].map(class_of))
    is_mapped = found["class_name"].notna()
    for label, n in found.loc[~is_mapped, "label"].value_counts().items():
        _count(dropped, f"label {clip(label, 40)} of {component.source} is in no class of {task.name}", n)
    return found[is_mapped]


def _cap(table: pd.DataFrame, component: Component, seed: int, dropped: Counter[str]) -> pd.DataFrame:
    if component.limit is None or len(table) <= component.limit:
        return table
    kept = take_patients(table, component.limit, seed)
    reason = f"over the limit of {component.limit} for {component.label} of {component.source}"
    _count(dropped, reason, len(table) - len(kept))
    return kept


def _without_known(parts: list[pd.DataFrame], known: pd.DataFrame, dropped: Counter[str]) -> list[pd.DataFrame]:
    """The parts without images that are in `known`, and without images of a patient who is.

    Before the caps, so that a test of 100 images from a source of the train mixture finds 100 others.
    """
    test = pd.concat(parts, keys=range(len(parts)))
    kept = test[~_is_known(test, known, dropped)]
    return [kept[kept.index.get_level_values(0) == number] for number in range(len(parts))]


def _without_known_rows(table: pd.DataFrame, dropped: Counter[str]) -> pd.DataFrame:
    """A table without the external rows whose image or patient is in one of its other splits."""
    is_external = (table["split"] == "external").to_numpy()
    is_lost = np.zeros(len(table), bool)
    is_lost[is_external] = _is_known(table[is_external], table[~is_external], dropped)
    return table[~is_lost].reset_index(drop=True)


def _is_known(test: pd.DataFrame, known: pd.DataFrame, dropped: Counter[str]) -> NDArray[np.bool_]:
    """Whether each row of `test` (N,) is an image, or of a patient, of `known`, counted. Raises when all are."""
    if test.empty:
        raise BadExperiment("No class of the task takes any label of the external test. Draw other labels.")
    groups = group_images(pd.concat([known, test], ignore_index=True))
    is_known = np.isin(groups[len(known) :], groups[: len(known)])
    lost = test[is_known].drop_duplicates(["source", "image_id"])
    is_same_image = lost["sha256"].isin(known["sha256"])
    _count(dropped, "external test: the image is in the train mixture", is_same_image.sum())
    _count(dropped, "external test: the patient is in the train mixture", (~is_same_image).sum())
    if is_known.all():
        raise BadExperiment(
            f"No image is left to test on: all {len(lost)} of the test mixture, or their patients, are in the train "
            "mixture too. Test on another source, or limit the train mixture."
        )
    return np.asarray(is_known)


def _check_classes(train: pd.DataFrame, task: Task, fold: int | None = None) -> None:
    counts = dict.fromkeys(task.classes, 0)
    for label, n in train["label"].value_counts().items():
        for name, bit in zip(task.classes, task.vector_of(str(label)) or (), strict=True):
            counts[name] += int(n) * bit
    empty = [name for name, n in counts.items() if not n]
    if empty and fold is not None:
        raise BadExperiment(
            f"Fold {fold + 1} has no image of class {', '.join(empty)} to train on: it has too few patients, or comes "
            "from the source that is held out. Use fewer folds or another split, or draw the class from more sources."
        )
    if empty:
        came = ", ".join(f"{name} ({n})" for name, n in counts.items())
        raise BadExperiment(
            f"The train mixture has no image of class {', '.join(empty)}; it has {came}. "
            "Add a component that draws it, or choose another task."
        )


def _count(dropped: Counter[str], reason: str, n: int) -> None:
    if n:
        dropped[reason] += int(n)
