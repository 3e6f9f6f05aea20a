"""The files of a source's folder. Nothing outside the folder is ever reached, through a link or a written path."""

import codecs
import csv
import os
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from covaudit.errors import BadSource, clip

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom")
OUTSIDE = "a link that leads out of the source's folder"
LINKED_FOLDER = "a linked folder, which is not entered"
NOT_TEXT = "a name that is not UTF-8"


_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Listing(NamedTuple):
    """Real paths of the images below a folder, sorted, and counts of the links that were refused."""

    paths: list[Path]
    refused: dict[str, int]


def list_images(folder: Path) -> Listing:
    """Every file whose name says PNG, JPEG, TIFF or DICOM, or has no suffix and starts as DICOM does."""
    root = folder.resolve()
    if not is_text(root):
        return Listing([], {NOT_TEXT: 1})
    refused: Counter[str] = Counter()
    paths = sorted(_walk(root, root, refused))
    return Listing(paths, dict(refused))


def images_by_name(folder: Path) -> tuple[dict[str, Path], dict[str, int]]:
    """Listing of a collection whose table names files without their folder; the first in order wins."""
    listing = list_images(folder)
    return {path.name: path for path in reversed(listing.paths)}, listing.refused


def is_text(name: str | Path) -> bool:
    """Whether a name can be written down: names from other systems may hold bytes that are no UTF-8."""
    try:
        str(name).encode()
    except UnicodeEncodeError:
        return False
    return True


def _walk(folder: Path, root: Path, refused: Counter[str]) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not is_text(entry.name):
                refused[NOT_TEXT] += 1
            elif entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), root, refused)
            elif entry.is_symlink():
                yield from _follow(Path(entry.path), root, refused)
            elif _looks_like_image(entry):
                yield Path(entry.path)


def _looks_like_image(entry: os.DirEntry[str]) -> bool:
    suffix = Path(entry.name).suffix.lower()
    if suffix in SUFFIXES:
        return True
    if (suffix and not suffix[1:].isdigit()) or not entry.is_file() or entry.stat().st_size < 132:
        return False
    try:
        with Path(entry.path).open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _follow(link: Path, root: Path, refused: Counter[str]) -> Iterator[Path]:
    target = link.resolve()
    if not is_text(target):
        refused[NOT_TEXT] += 1
    elif target.is_dir():
        refused[LINKED_FOLDER] += 1
    elif link.suffix.lower() in SUFFIXES and not target.is_relative_to(root):
        refused[OUTSIDE] += 1
    elif link.suffix.lower() in SUFFIXES and target.is_file():
        yield target  # a real path: the reader of the file may then refuse links put in later


def read_csv(path: Path) -> pd.DataFrame:
    """A table of text cells, comma, semicolon or tab separated, UTF-8, UTF-16 or Latin-1. Raises BadSource."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadSource(
            f"The table {clip(path.name)} cannot be read. Check that it is there and may be read."
        ) from error
    try:
        text = content.decode("utf-16" if content[:2] in _UTF_16 else "utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    try:
        return pd.read_csv(StringIO(text), dtype=str, keep_default_na=True, na_values=[""], sep=_separator(text))
    except (ValueError, csv.Error, RecursionError) as error:  # pandas' parser errors are ValueErrors
        raise BadSource(
            f"The table {clip(path.name)} is not a CSV file that can be read. Save it as UTF-8, comma separated, "
            "with one line of column names."
        ) from error


def _separator(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max(",;\t", key=first.count)


def has_columns(path: Path, names: tuple[str, ...], any_case: bool = False) -> bool:
    """Whether the first line of a table, if it is there, holds all the names; reads no more than that line."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        header = file.readline(4096)
    header = header.lower() if any_case else header
    return all(name.encode() in header for name in names)


def check_columns(table: pd.DataFrame, needed: tuple[str, ...], name: str) -> None:
    """Raises BadSource naming the columns that are missing."""
    missing = [column for column in needed if column not in table.columns]
    if missing:
        there = clip(", ".join(map(str, table.columns)), 200)
        raise BadSource(
            f"The table {name} has no column {', '.join(missing)}; it has {there}. "
            "Use the collection's own file, or the csv reader with a column mapping."
        )
