"""Which labels are drawn from which sources, and how far that ties the class to the source."""

from collections.abc import Iterator, Mapping
from math import nan, sqrt
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, RootModel


class Component(BaseModel):
    """One draw: the images of `source` whose label is `label` or lies below it, at most `limit` of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(min_length=1, max_length=80)
    label: str = Field(min_length=1, max_length=80)
    limit: int | None = Field(default=None, ge=1)


class Mixture(RootModel[tuple[Component, ...]]):
    """Components in order; written in YAML as a list."""

    model_config = ConfigDict(frozen=True)
    root: tuple[Component, ...] = ()

    def components(self) -> Iterator[Component]:
        return iter(self.root)

    def sources(self) -> tuple[str, ...]:
        """The names of the sources, each once, in order of appearance."""
        return tuple(dict.fromkeys(component.source for component in self.root))

    def __bool__(self) -> bool:
        return bool(self.root)


class Confounding(NamedTuple):
    """How far the class can be told from the source alone.

    `cramers_v` is in [0, 1], NaN where there is a single source or a single class; `single_source` maps each class that
    comes from one source only to that source.
    """

    cramers_v: float
    single_source: dict[str, str]
    n: int


def confounding(counts: Mapping[tuple[str, str], int]) -> Confounding:
    """Confounding of a table of counts keyed by (source, class). Both papers' CXR set-ups have V = 1 or near it."""
    filled = {cell: n for cell, n in counts.items() if n > 0}
    sources = sorted({source for source, _ in filled})
    classes = sorted({name for _, name in filled})
    by_class = {name: [source for source in sources if (source, name) in filled] for name in classes}
    single = {name: found[0] for name, found in by_class.items() if len(found) == 1} if len(classes) > 1 else {}
    return Confounding(_cramers_v(filled, sources, classes), single, sum(filled.values()))


def _cramers_v(counts: Mapping[tuple[str, str], int], sources: list[str], classes: list[str]) -> float:
    degrees = min(len(sources), len(classes)) - 1
    if degrees < 1:
        return nan
    total = sum(counts.values())
    rows = {source: sum(counts.get((source, name), 0) for name in classes) for source in sources}
    columns = {name: sum(counts.get((source, name), 0) for source in sources) for name in classes}
    chi2 = sum(
        (counts.get((source, name), 0) - rows[source] * columns[name] / total) ** 2
        / (rows[source] * columns[name] / total)
        for source in sources
        for name in classes
    )
    return min(1.0, sqrt(chi2 / (total * degrees)))
