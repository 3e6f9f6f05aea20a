"""Looking at the files of an index: each is decoded once, on all cores, in processes that may die; then remembered."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from covaudit.domain.source import Source
from covaudit.errors import BadImage
from covaudit.files import writing_whole
from covaudit.sources.decoders import Decoders
from covaudit.sources.facts import Facts
from covaudit.sources.readers import phantoms

_STAMP = ("path", "bytes", "mtime_ns")
_FLOATS = ("brightness", "contrast", "sharpness", "border")
_NUMBERS = ("bytes", "mtime_ns", "width", "height", "bit_depth", "channels")
_COLUMNS = (*_STAMP, *Facts._fields, "refused")
_RECIPE = "1"
"""Change it when a fact is computed otherwise: everything is then looked at anew."""

# What is wrong with the file's content stays wrong until it changes; all else may be better tomorrow.
_PASSING = ("missing", "not_a_file", "no_permission", "too_slow", "out_of_memory", "busy")
_BLOCK = 1_000  # files between two savings of what was found
_FEW = 64  # up to so many, the decoder processes are kept warm for the next time


def look_at(
    paths: Iterable[str], place: Path | None, most: int | None, on_progress: Callable[[int, int], None]
) -> tuple[pd.DataFrame, int]:
    """Path, bytes, facts and reason of refusal ('' where there is none) of each different file; and how many pend.

    `place` is the file that remembers. If more than `most` files are not known, they are left out and counted.
    """
    now = _typed(pd.DataFrame([_stamp(path) for path in dict.fromkeys(paths)], columns=list(_STAMP)))
    known = now.merge(_remembered(place), on=list(_STAMP), how="left")
    is_new = known["refused"].isna()
    known, new = _typed(known[~is_new]), known.loc[is_new, list(_STAMP)]
    n_new = len(new)
    if most is not None and n_new > most:
        return known.drop(columns="mtime_ns"), n_new
    with _lookers(n_new) as look_each:
        for start in range(0, n_new, _BLOCK):
            block = new.iloc[start : start + _BLOCK]
            rows: list[tuple[Any, ...]] = []
            try:
                for stamp, facts in zip(block.itertuples(index=False), look_each(block["path"]), strict=True):
                    rows.append((*stamp, *facts))
                    on_progress(start + len(rows), n_new)
            finally:
                known = pd.concat([known, _typed(pd.DataFrame(rows, columns=list(_COLUMNS)))], ignore_index=True)
                _remember(known, place)
    return known.drop(columns="mtime_ns"), 0


@contextmanager
def _lookers(n: int) -> Iterator[Callable[[Iterable[str]], Iterable[tuple[Any, ...]]]]:
    """What looks at many paths, in their order, on all cores; the decoder processes end with a large scan."""
    threads = ThreadPoolExecutor(max(1, min(n_cores(), n)))
    try:
        yield lambda paths: threads.map(_look, paths)
    finally:
        threads.shutdown(cancel_futures=True)
        if n > _FEW:
            scanners().close()


@cache
def scanners() -> Decoders:
    """A decoder process for each core."""
    return Decoders(n_cores())


def n_cores() -> int:
    """Of the machine, that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _look(path: str) -> tuple[Any, ...]:
    try:
        what = "draw" if path.startswith(phantoms.SCHEME) else "look"
        found = scanners().ask({"do": what, "path": path}).found
    except BadImage as error:
        return ("", 0, 0, "", 0, 0, *[float("nan")] * len(_FLOATS), "", error.reason)
    return (*(found[name] for name in Facts._fields), "")


def _stamp(path: str) -> tuple[str, int, int]:
    if path.startswith(phantoms.SCHEME):
        return path, 0, int(phantoms.drawing_version(), 16) >> 1  # fits a signed number of 64 bits
    try:
        status = Path(path).stat()
    except OSError:
        return path, -1, -1  # gone between listing and now: refused when opened
    return path, status.st_size, status.st_mtime_ns


def _remembered(place: Path | None) -> pd.DataFrame:
    empty = _typed(pd.DataFrame(columns=list(_COLUMNS)))
    if place is None:
        return empty
    try:
        table = pd.read_parquet(place)
    except (OSError, ValueError, KeyError):  # none yet, or a damaged one: everything is read again
        return empty
    return table if set(table.columns) == set(_COLUMNS) else empty


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype({name: _dtype(name) for name in table.columns})


def _dtype(name: str) -> str:
    return "float64" if name in _FLOATS else "int64" if name in _NUMBERS else "str"


def _remember(table: pd.DataFrame, place: Path | None) -> None:
    if place is None:
        return
    with writing_whole(place) as building:
        table[~table["refused"].isin(_PASSING)].to_parquet(building, index=False)


def cache_name(source: Source) -> str:
    """From the name and folder, hashed, for a name may hold anything."""
    return hashlib.sha256(f"{_RECIPE}\n{source.name}\n{source.path}".encode()).hexdigest()[:24] + ".parquet"
