"""The one door for images: files of a source, uploads, DICOM. What comes through is 8-bit grey; the rest is refused.

The format is decided by the content, never by the name. Sizes are checked in the header, before a pixel is decoded.
"""

import os
import stat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from covaudit.sources.dicom import measure_dicom, open_dicom
from covaudit.sources.raster import measure_raster, open_raster
from covaudit.sources.refusals import MAX_BYTES, REASONS, refuse

__all__ = ["REASONS", "Measured", "Opened", "measure_image", "open_image", "read_file", "sniff"]

_SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".dcm": "DICOM",
    ".dicom": "DICOM",
}
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_OTHERS = (
    (b"GIF8", "GIF image"),
    (b"BM", "BMP image"),
    (b"RIFF", "WebP image or other RIFF file"),
    (b"%PDF", "PDF document"),
    (b"PK\x03\x04", "ZIP archive or Office document"),
    (b"\x1f\x8b", "gzip archive"),
    (b"MZ", "Windows program"),
    (b"8BPS", "Photoshop image"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000 image"),
    (b"%!PS", "PostScript document"),
)
_BARE_DICOM = (b"\x02\0\0\0", b"\x08\0\x05\0", b"\x08\0\x08\0", b"\x08\0\x16\0")  # the usual first elements
_EXTREME_ASPECT = 4.0
_SMALL_SIDE = 64


class Opened(NamedTuple):
    """Grey levels and how they came about. `notes` are short phrases, such as "the first of several frames"."""

    pixels: NDArray[np.uint8]  # (H, W), upright
    format: str  # PNG, JPEG, TIFF or DICOM
    width: int
    height: int
    notes: tuple[str, ...]


class Measured(NamedTuple):
    """What the header says; width and height are those of the upright image."""

    format: str
    width: int
    height: int


def open_image(data: bytes | Path) -> Opened:
    """Decode a file or the bytes of one. Raises BadImage with one of `REASONS`, and nothing else."""
    content = read_file(data) if isinstance(data, Path) else data
    format = sniff(content)
    pixels, notes = open_dicom(content) if format == "DICOM" else open_raster(content, format)
    if isinstance(data, Path):
        notes += _name_notes(data, format)
    height, width = pixels.shape
    return Opened(pixels, format, width, height, (*notes, *_look_notes(pixels)))


def measure_image(data: bytes) -> Measured:
    """Format and size from the header, with no pixel decoded, so they may still prove damaged. Raises BadImage."""
    format = sniff(data)
    return Measured(format, *(measure_dicom(data) if format == "DICOM" else measure_raster(data, format)))


def read_file(path: Path, follow_links: bool = True) -> bytes:
    """The bytes of a plain file of at most MAX_BYTES. Raises BadImage.

    With `follow_links` False a file that is a symbolic link is refused: an index holds real paths, so a link there was
    put in later.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    flags |= 0 if follow_links else getattr(os, "O_NOFOLLOW", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise refuse("not_a_file")
            if status.st_size > MAX_BYTES:
                raise refuse("too_many_bytes")
            return file.read()
    except FileNotFoundError as error:
        raise refuse("missing") from error
    except PermissionError as error:
        raise refuse("no_permission") from error
    except (OSError, ValueError) as error:  # a folder, a link where none may be, a name with NUL
        raise refuse("not_a_file") from error


def sniff(data: bytes) -> str:
    """PNG, JPEG, TIFF or DICOM, by the first bytes. Raises BadImage in plain words for anything else."""
    if not data:
        raise refuse("empty")
    if len(data) > MAX_BYTES:
        raise refuse("too_many_bytes")
    if data[128:132] == b"DICM" and not data.startswith((b"\x89PNG", b"\xff\xd8\xff")):
        return "DICOM"  # first, for the 128 bytes before may look like a TIFF or a program
    for magic, format in _MAGIC:
        if data.startswith(magic):
            return format
    raise _refuse_other(data)


def _refuse_other(data: bytes) -> Exception:
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"version https://git-lfs"):
        return refuse("lfs_pointer")
    if head.startswith((b"<!doctype html", b"<html", b"<?xml", b"<svg")):
        return refuse("web_page")
    for magic, name in _OTHERS:
        if data.startswith(magic):
            return refuse("other_format", f"This is a {name}.")
    if data.startswith(_BARE_DICOM):
        return refuse("dicom_bare")
    return refuse("text" if _is_text(data[:4096]) else "not_an_image")


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # not merely a character cut at the end
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)


def _name_notes(path: Path, format: str) -> list[str]:
    said = _SUFFIXES.get(path.suffix.lower())
    return [f"the name says {said}, the content is {format}"] if said not in (None, format) else []


def _look_notes(pixels: NDArray[np.uint8]) -> list[str]:
    height, width = pixels.shape
    notes = []
    if min(width, height) < _SMALL_SIDE:
        notes.append(f"very small: {width} x {height} pixels")
    if max(width, height) > _EXTREME_ASPECT * min(width, height):
        notes.append(f"an unusual shape: {width} x {height} pixels")
    if pixels.min() == pixels.max():
        notes.append("every pixel has the same value")
    return notes
