"""A mixture as a grid of source x class and back: what the person did not touch comes back as it was written."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from covaudit.domain.labels import is_a
from covaudit.domain.mixture import Component, Mixture
from covaudit.domain.task import Task

SOURCE = "Source"
HAS = "Has"

Cells = Mapping[tuple[str, str], int]


class Grid(NamedTuple):
    """`frame` has the columns Source, Has and one for each class; `parts` are the components behind each filled cell;
    `spanning` are components whose label covers several classes of the task, which no cell can show."""

    frame: pd.DataFrame
    parts: dict[tuple[str, str], tuple[Component, ...]]
    spanning: tuple[Component, ...]


def build_grid(mixture: Mixture, task: Task, sources: Sequence[str], available: Cells) -> Grid:
    """One row for each source known or named by the mixture; a cell without a limit shows what is there."""
    parts: dict[tuple[str, str], tuple[Component, ...]] = {}
    spanning: tuple[Component, ...] = ()
    for component in mixture.components():
        name = task.class_of(component.label)
        if name is not None:
            parts[component.source, name] = (*parts.get((component.source, name), ()), component)
        elif any(is_a(one, component.label) for one in task.labels):
            spanning = (*spanning, component)
    rows = list(dict.fromkeys((*sources, *mixture.sources())))
    frame = pd.DataFrame([_row(source, task, source in sources, available, parts) for source in rows])
    return Grid(frame.astype(dict.fromkeys(task.label_sets, "Int64")), parts, spanning)


def _row(
    source: str, task: Task, is_known: bool, available: Cells, parts: Mapping[tuple[str, str], tuple[Component, ...]]
) -> dict[str, Any]:
    has = " · ".join(f"{name} {available[source, name]:,}" for name in task.label_sets if available.get((source, name)))
    row: dict[str, Any] = {SOURCE: source, HAS: has or ("no image of these classes" if is_known else "not added here")}
    return row | {
        name: cell_number(parts.get((source, name), ()), available.get((source, name), 0)) for name in task.label_sets
    }


def cell_number(parts: Sequence[Component], available: int) -> int | None:
    """The number that a cell shows for its components: the sum of the limits, all that is there without a limit."""
    if not parts:
        return None
    limits = [part.limit for part in parts]
    return available if None in limits else sum(limit for limit in limits if limit is not None)


def read_grid(edited: pd.DataFrame, grid: Grid, task: Task, available: Cells) -> Mixture:
    """The mixture that an edited frame asks for. Blank and 0 draw nothing; an untouched cell keeps its components."""
    found: list[Component] = []
    for row in edited.to_dict("records"):
        for name in task.label_sets:
            found += _read_cell(str(row[SOURCE]), name, task.label_of(name), row[name], grid, available)
    order = {component: place for place, parts in enumerate(grid.parts.values()) for component in parts}
    found.sort(key=lambda component: order.get(component, len(order)))
    return Mixture((*found, *grid.spanning))


def _read_cell(source: str, name: str, label: str, value: Any, grid: Grid, available: Cells) -> list[Component]:
    number = 0 if value is None or pd.isna(value) else int(value)
    parts = grid.parts.get((source, name), ())
    if parts and number == cell_number(parts, available.get((source, name), 0)):
        return list(parts)
    if number <= 0:
        return []
    drawn = parts[0].label if len(parts) == 1 else label
    return [Component(source=source, label=drawn, limit=number)]


def shortages(edited: pd.DataFrame, task: Task, available: Cells) -> list[str]:
    """Cells that ask for more than there is, as sentences in plain text."""
    found = []
    for row in edited.to_dict("records"):
        for name in task.label_sets:
            has, asked = available.get((str(row[SOURCE]), name), 0), row[name]
            if has and not pd.isna(asked) and int(asked) > has:
                found.append(f"{row[SOURCE]} has {has:,} {name}, not {int(asked):,}; all are drawn.")
    return found
