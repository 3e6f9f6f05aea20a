"""What every reader gives back, and the few things all of them need."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

COLUMNS = ("image_id", "path", "label", "patient", "view", "sex", "age", "mask_path")
_LATERAL = ("L", "LL", "LAT", "LATERAL", "RL")


class ReaderResult(NamedTuple):
    """One row an image, columns `COLUMNS` (missing: None, age NaN); `dropped` counts what was left out, by reason."""

    table: pd.DataFrame
    dropped: dict[str, int]


class Reader(NamedTuple):
    """How one collection is read, and whether a folder looks like it."""

    read: Callable[[Path, Mapping[str, str]], ReaderResult]
    matches: Callable[[Path], bool]


class Rows:
    """Gathers the rows of a table and the counts of what was dropped."""

    def __init__(self, dropped: Mapping[str, int] | None = None) -> None:
        self.dropped: Counter[str] = Counter(dropped or {})
        self._rows: list[dict[str, Any]] = []

    def add(self, image_id: str, path: Path, label: str, patient: str, **known: Any) -> None:
        """One image; `known` may hold view, sex, age and mask_path."""
        self._rows.append({"image_id": image_id, "path": str(path), "label": label, "patient": patient, **known})

    def drop(self, reason: str, n: int = 1) -> None:
        if n:
            self.dropped[reason] += n

    def result(self) -> ReaderResult:
        table = pd.DataFrame(self._rows, columns=list(COLUMNS))
        table["age"] = pd.to_numeric(table["age"], errors="coerce").astype("float64")
        for name in ("view", "sex", "mask_path"):
            table[name] = table[name].astype(object).where(table[name].notna(), None)
        return ReaderResult(table, dict(sorted(self.dropped.items())))


def view_of(text: object) -> str | None:
    """'ap', 'AP Supine', 'PA erect' as 'AP', 'AP Supine', 'PA erect'; None where nothing is said."""
    words = clean(text).split()
    return " ".join([words[0].upper(), *words[1:]]) if words else None


def is_lateral(view: str | None) -> bool:
    return view is not None and view.split()[0] in _LATERAL


def sex_of(text: object) -> str | None:
    """'M' or 'F'; None for anything else."""
    letter = clean(text)[:1].upper()
    return letter if letter in ("M", "F") else None


def age_of(text: object) -> float | None:
    """Years; None for what no person's age is (ChestX-ray14 once said 414) and for words such as '50+'."""
    try:
        years = float(clean(text).removesuffix("Y"))
    except ValueError:
        return None
    return years if 0 <= years <= 120 else None


def clean(text: object) -> str:
    """The text of a table's cell without blanks around it; '' for an empty one."""
    return "" if text is None or text != text else str(text).strip()


def whole(number: object) -> str:
    """A cell's text, where '193.0' stands for patient 193."""
    return clean(number).removesuffix(".0")


def said_of(counts: Iterable[str], limit: int = 8) -> str:
    """A few names in a sentence: 'a, b, c and 4 more'."""
    names = list(counts)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
