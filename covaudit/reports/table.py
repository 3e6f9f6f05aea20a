"""A table as a report shows it."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from covaudit.figures.text import TOO_FEW
from covaudit.reports.tables import NOTE

IMAGES = "Images"


class Row(NamedTuple):
    """Cells in the order of the header; `is_few` says that they rest on too few images to judge by."""

    cells: tuple[str, ...]
    is_few: bool = False


class Table(NamedTuple):
    """`caption` says what the rows are; an empty table has no row."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[Row, ...]


def of_frame(caption: str, frame: pd.DataFrame) -> Table:
    """A frame of text; rows whose column Images is below 30 are marked, and say so in place of a column of notes."""
    shown = frame.drop(columns=NOTE, errors="ignore")
    rows = [
        Row(tuple(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row.values()), _is_few(row))
        for row in shown.to_dict("records")
    ]
    return Table(caption, tuple(map(str, shown.columns)), tuple(rows))


def of_rows(caption: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Rows of anything that can be written."""
    return Table(caption, tuple(header), tuple(Row(tuple(map(str, row))) for row in rows))


def _is_few(row: dict[str, object]) -> bool:
    n = row.get(IMAGES)
    return isinstance(n, int) and n < TOO_FEW
