"""A printed number, what we compute in its place, and why they differ."""

from typing import NamedTuple

PAPERS = {"1": "Paper 1, CVR-Net", "2": "Paper 2, multi-label heat maps"}


class Cell(NamedTuple):
    """One number of a table. `recomputed` is None where the printed numbers do not allow it; `flag` says what is wrong
    with the printed number, "" for nothing."""

    paper: str
    table: str
    row: str
    column: str
    printed: str
    recomputed: str | None = None
    flag: str = ""


def fixed(value: float, digits: int) -> str:
    """Rounded half up, as tables are: Python's own rounding would make 0.125 the even 0.12."""
    step = 10.0**digits
    # 1e-9: 2.675 is 2.67499... in binary.
    return f"{int(abs(value) * step + 0.5 + 1e-9) / step * (-1 if value < 0 else 1):.{digits}f}"
