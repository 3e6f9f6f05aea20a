"""The index of a source: one tidy table, one row an image. A file is opened once and what was found is remembered."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from covaudit.domain.source import Source
from covaudit.errors import BadSource, UnknownName, clip
from covaudit.sources import phantom, scan
from covaudit.sources.readers import READERS, phantoms
from covaudit.sources.readers.base import ReaderResult
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
    "bytes",
    "format",
    "bit_depth",
    "channels",
    "brightness",
    "contrast",
    "sharpness",
    "border",
    "phash",
)
REFUSED_COLUMNS = ("source", "image_id", "path", "label", "reason")

Progress = Callable[[int, int], None]


class SourceIndex(NamedTuple):
    """All images of a source that can be used, columns `COLUMNS`, and counts of what was left out, in plain words.

    `refused` holds the rows whose file could not be read, with `reason`, one of `REASONS`. `n_pending` files were not
    looked at, for the caller wanted no more work than that; they are in neither table. Of phantoms, which are all in
    the table, it counts those whose facts are unknown: brightness to border are NaN, `phash` is empty.
    """

    table: pd.DataFrame
    dropped: dict[str, int]
    refused: pd.DataFrame
    n_pending: int


def read_index(
    source: Source,
    cache: Path | None = None,
    roots: Iterable[Path] = (),
    most: int | None = None,
    with_drawn: bool = False,
    on_progress: Progress = lambda done, total: None,
) -> SourceIndex:
    """Read a source's folder; files whose path, size and time of change are as before are not opened again.

    `cache` is a folder that holds one Parquet file per source. `roots` are the folders that sources may live in; empty
    means anywhere. Where more than `most` files are to be opened, none is. `with_drawn` draws the phantoms too, for
    their facts. `on_progress` hears of files opened; what it raises ends the work, and what was found is remembered.
    Raises BadSource, and UnknownName for the reader.
    """
    found = _read(source, roots)
    table = found.table.drop_duplicates("image_id")
    dropped = Counter(found.dropped)
    dropped["listed twice"] += len(found.table) - len(table)
    is_drawn = source.path is None
    limit = 0 if is_drawn and not with_drawn else most
    facts, n_pending = scan.look_at(table["path"], cache and cache / scan.cache_name(source), limit, on_progress)
    known = table.drop(columns=[name for name in facts.columns if name in table and name != "path"])
    table = known.merge(facts, on="path", how="left" if is_drawn else "inner")
    if is_drawn:
        table = _with_known_facts(table, found.table)
    table = table.assign(source=source.name)
    table = table if is_drawn else table.sort_values("image_id", kind="stable", ignore_index=True)
    usable, refused = (table[has].reset_index(drop=True) for has in (table["refused"] == "", table["refused"] != ""))
    dropped.update(f"refused: {_first_words(reason)}" for reason in refused["refused"])
    return SourceIndex(
        usable[list(COLUMNS)],
        {reason: n for reason, n in sorted(dropped.items()) if n},
        refused.rename(columns={"refused": "reason"})[list(REFUSED_COLUMNS)],
        n_pending,
    )


def _read(source: Source, roots: Iterable[Path]) -> ReaderResult:
    if source.path is None and source.name not in phantom.STYLES:
        raise UnknownName("made-up source", source.name, phantom.STYLES)
    if source.path is None:
        return ReaderResult(phantoms.read(source.name), {})
    if source.reader not in READERS:
        raise UnknownName("reader", source.reader, READERS)
    folder = Path(source.path)
    if not folder.exists():
        raise BadSource(
            f"The folder of source '{clip(source.name)}' is not there any more. Put it back, or remove the source."
        )
    check_inside(folder, roots)
    try:
        return READERS[source.reader].read(folder, source.columns)
    except OSError as error:
        cause = f"Source '{clip(source.name)}' cannot be read: {error.strerror}."
        raise BadSource(f"{cause} Check its permissions and its files.") from error


def _with_known_facts(table: pd.DataFrame, drawn: pd.DataFrame) -> pd.DataFrame:
    """Phantoms have hash and size without being drawn."""
    table = table.assign(sha256=drawn["sha256"].to_numpy(), width=phantoms.SIZE, height=phantoms.SIZE)
    table = table.assign(bytes=0, bit_depth=8, channels=1, format=phantoms.FORMAT, refused="")
    return table.assign(phash=table["phash"].fillna(""))


def _first_words(reason: str) -> str:
    return REASONS[reason].split(".")[0]
