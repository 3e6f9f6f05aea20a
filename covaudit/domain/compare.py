"""Runs side by side: what was asked differently, and what came out."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from covaudit.domain.estimate import Estimate, Place
from covaudit.domain.experiment import Experiment
from covaudit.domain.mixture import Mixture

_NAMES_ONLY = ("name", "notes", "repeat_of")


class Difference(NamedTuple):
    """A key of the experiments whose values are not all the same; None where an experiment has no such key."""

    key: str
    values: tuple[str | None, ...]


class Row(NamedTuple):
    """The same metric of the same images in several runs; None where a run has no such estimate."""

    split: str
    metric: str
    source: str | None
    class_name: str | None
    group: str | None
    baseline: str | None
    fold: int | None
    estimates: tuple[Estimate | None, ...]


def differences(experiments: Sequence[Experiment]) -> list[Difference]:
    """Where the experiments differ, as flat keys such as training.lr or `train[phantom-a, CVP]`.

    Names and notes are left out, and so is the order of a mixture's components: they change no result.
    """
    flat = [dict(flat_keys(experiment)) for experiment in experiments]
    keys = dict.fromkeys(key for one in flat for key in one)
    rows = [Difference(key, tuple(one.get(key) for one in flat)) for key in keys]
    return [row for row in rows if len(set(row.values)) > 1]


def flat_keys(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """What is asked as keys and values in words, such as training.lr or `train[phantom-a, CVP]`."""
    plain = experiment.model_dump(mode="json", exclude={"train", "test", *_NAMES_ONLY})
    yield "task.name", experiment.task.name
    task = plain.pop("task")
    yield "task.classes", ", ".join(task["classes"])
    if task["vectors"]:
        yield "task.vectors", "; ".join(f"{label} {bits}" for label, bits in task["vectors"].items())
    yield from _components("train", experiment.train)
    yield from _components("test", experiment.test)
    yield from _leaves("", plain)


def _components(name: str, mixture: Mixture) -> Iterator[tuple[str, str]]:
    for component in mixture.components():
        drawn = "all" if component.limit is None else f"at most {component.limit}"
        yield f"{name}[{component.source}, {component.label}]", drawn


def _leaves(prefix: str, plain: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in plain.items():
        if isinstance(value, dict):
            yield from _leaves(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", str(value)


def side_by_side(runs: Sequence[Sequence[Estimate]], overall: bool = True) -> list[Row]:
    """The estimates of several runs, one row a metric and group, in the order of their first appearance.

    `overall` keeps only the networks' own of all images and classes together.
    """
    tables = [{item.place: item for item in estimates} for estimates in runs]
    places = dict.fromkeys(place for table in tables for place in table)
    return [
        Row(*place, tuple(table.get(place) for table in tables))
        for place in places
        if not overall or place == Place(place.split, place.metric)
    ]
