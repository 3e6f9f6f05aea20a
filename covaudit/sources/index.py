"""The index of a source: one tidy table, one row an image. Content is hashed once and remembered."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pandas as pd

from covaudit.domain.source import Source
from covaudit.errors import BadImage, BadSource, UnknownName, clip
from covaudit.sources import phantom
from covaudit.sources.images import measure_image, read_file
from covaudit.sources.readers import READERS, phantoms
from covaudit.sources.refusals import REASONS
from covaudit.sources.roots import check_inside

COLUMNS = (
    "source",
    "image_id",
    "path",
    "sha256",
    "label",
    "patient",
    "view",
    "sex",
    "age",
    "mask_path",
    "width",
    "height",
)
_STAMP = ["path", "bytes", "mtime_ns"]
_FACTS = ["sha256", "width", "height", "refused"]


class SourceIndex(NamedTuple):
    """All images of a source that can be used, columns `COLUMNS`, and counts of what was left out, in plain words."""

    table: pd.DataFrame
    dropped: dict[str, int]


def read_index(source: Source, cache: Path | None = None, roots: Iterable[Path] = ()) -> SourceIndex:
    """Read a source's folder; files whose path, size and time of change are as before are not opened again.

    `cache` is a folder that holds one Parquet file per source. `roots` are the folders that sources may live in; empty
    means anywhere. Raises BadSource, and UnknownName for the reader.
    """
    if source.path is None and source.name not in phantom.STYLES:
        raise UnknownName("made-up source", source.name, phantom.STYLES)
    if source.path is None:
        return SourceIndex(phantoms.read(source.name)[list(COLUMNS)], {})
    if source.reader not in READERS:
        raise UnknownName("reader", source.reader, READERS)
    folder = Path(source.path)
    if not folder.exists():
        raise BadSource(
            f"The folder of source '{clip(source.name)}' is not there any more. Put it back, or remove the source."
        )
    check_inside(folder, roots)
    try:
        found = READERS[source.reader].read(folder, source.columns)
    except OSError as error:
        cause = f"Source '{clip(source.name)}' cannot be read: {error.strerror}."
        raise BadSource(f"{cause} Check its permissions and its files.") from error
    dropped = Counter(found.dropped)
    table = found.table.drop_duplicates("image_id")
    dropped["listed twice"] += len(found.table) - len(table)
    table = table.merge(_facts(table["path"], cache and cache / _cache_name(source)), on="path", how="left")
    dropped.update(f"refused: {_first_words(reason)}" for reason in table["refused"][table["refused"] != ""])
    table = table[table["refused"] == ""].assign(source=source.name).astype({"width": "int64", "height": "int64"})
    table = table.sort_values("image_id", kind="stable", ignore_index=True)[list(COLUMNS)]
    return SourceIndex(table, {reason: n for reason, n in sorted(dropped.items()) if n})


def _facts(paths: pd.Series, cache: Path | None) -> pd.DataFrame:
    """Path, sha256, width, height and reason of refusal ('' where there is none) of each different file."""
    now = pd.DataFrame([_stamp(path) for path in dict.fromkeys(paths)], columns=_STAMP).astype(
        {name: _dtype(name) for name in _STAMP}
    )
    known = now.merge(_remembered(cache), on=_STAMP, how="left")
    is_new = known["refused"].isna()
    with ThreadPoolExecutor(min(8, 2 * (os.cpu_count() or 1))) as pool:  # hashing leaves the interpreter's lock
        measured = list(pool.map(_measure, known.loc[is_new, "path"]))
    new = pd.DataFrame(measured, columns=_FACTS, index=known.index[is_new])
    known = pd.concat([known[~is_new], known.loc[is_new, _STAMP].join(new)]) if len(new) else known
    if cache is not None and len(new):
        _write_whole(known[known["refused"] == ""], cache)  # a refused file may be readable tomorrow
    return known[["path", *_FACTS]]


def _stamp(path: str) -> tuple[str, int, int]:
    try:
        status = Path(path).stat()
    except OSError:
        return path, -1, -1  # gone between listing and now: refused when opened
    return path, status.st_size, status.st_mtime_ns


def _measure(path: str) -> tuple[str, int, int, str]:
    try:
        content = read_file(Path(path), follow_links=False)
        measured = measure_image(content)
    except BadImage as error:
        return "", 0, 0, error.reason
    return hashlib.sha256(content).hexdigest(), measured.width, measured.height, ""


def _remembered(cache: Path | None) -> pd.DataFrame:
    empty = pd.DataFrame({name: pd.Series(dtype=_dtype(name)) for name in (*_STAMP, *_FACTS)})
    if cache is None:
        return empty
    try:
        table = pd.read_parquet(cache)
    except (OSError, ValueError, KeyError):  # none yet, or a damaged one: everything is read again
        return empty
    return table if set(table.columns) == set(empty.columns) else empty


def _dtype(name: str) -> Any:
    return "int64" if name in ("bytes", "mtime_ns", "width", "height") else "str"


def _write_whole(table: pd.DataFrame, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    building = place.with_name(f"{place.name}.{uuid4().hex[:8]}.part")
    try:
        with building.open("wb") as file:
            table.to_parquet(file, index=False)
            file.flush()
            os.fsync(file.fileno())
        building.replace(place)
    finally:
        building.unlink(missing_ok=True)


def _cache_name(source: Source) -> str:
    """From the name and folder, hashed, for a name may hold anything."""
    return hashlib.sha256(f"{source.name}\n{source.path}".encode()).hexdigest()[:24] + ".parquet"


def _first_words(reason: str) -> str:
    return REASONS[reason].split(".")[0]
