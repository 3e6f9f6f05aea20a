"""A table of measurements: kept as JSON, printed as text, put into the README as Markdown."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
_KEPT = ROOT / "build" / "benchmarks.json"
_README = ROOT / "README.md"

Row = tuple[str, ...]


class Table(NamedTuple):
    """`measure(row, is_quick)` gives the cells after the first, for each of `rows`; `how` says what was done."""

    title: str
    how: str
    header: Row
    rows: tuple[str, ...]
    measure: Callable[[str, bool], Row]


Kept = dict[str, dict[str, list[str]]]
"""Table -> row -> cells."""


def read_kept() -> Kept:
    """What was measured so far."""
    kept: Kept = json.loads(_KEPT.read_text()) if _KEPT.exists() else {}
    return kept


def keep(name: str, row: str, cells: Row) -> None:
    """Remember a row, in place of what it was before."""
    kept = read_kept()
    kept.setdefault(name, {})[row] = list(cells)
    _KEPT.parent.mkdir(exist_ok=True)
    _KEPT.write_text(json.dumps(kept, indent=2))


def markdown(table: Table, measured: Mapping[str, list[str]]) -> str:
    """The table with the rows that were measured, in its order."""
    lines = [f"| {' | '.join(table.header)} |", f"| {' | '.join('---' for _ in table.header)} |"]
    lines += [f"| {' | '.join([row, *measured[row]])} |" for row in table.rows if row in measured]
    return "\n".join([f"**{table.title}.** {table.how}", "", *lines])


def write_readme(blocks: Iterable[str]) -> None:
    """Replace what stands in the README between the two marks."""
    start, end = "<!-- measured -->", "<!-- /measured -->"
    text = _README.read_text()
    before, after = text.split(start)[0], text.split(end)[1]
    _README.write_text(f"{before}{start}\n" + "\n\n".join(blocks) + f"\n{end}{after}")
