"""The one door for images: files of a source, uploads, DICOM. What comes through is 8-bit grey; the rest is refused.

The format is decided by the content, never by the name. Sizes are checked in the header, before a pixel is decoded.
What anyone may send, or what a web server shows, is opened by `open_upload` and `open_thumbnail`: in another process.
"""

import hashlib
import os
import stat
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from covaudit.errors import BadImage
from covaudit.sources.decoders import Decoders
from covaudit.sources.dicom import open_dicom
from covaudit.sources.raster import open_raster
from covaudit.sources.refusals import MAX_BYTES, REASONS, refuse

__all__ = [
    "REASONS",
    "Opened",
    "open_image",
    "open_thumbnail",
    "open_upload",
    "read_file",
    "sniff",
    "warm_up",
]

N_DECODERS = 2

SUFFIXES: Mapping[str, str] = {
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
    depth: int  # bits of each stored value
    channels: int  # as stored: 1 grey or palette, 3 colour, 4 with alpha or CMYK


def open_image(data: bytes | Path) -> Opened:
    """Decode a file or the bytes of one. Raises BadImage with one of `REASONS`, and nothing else."""
    content = read_file(data) if isinstance(data, Path) else data
    format = sniff(content)
    decoded = open_dicom(content) if format == "DICOM" else open_raster(content, format)
    notes = [*decoded.notes, *(_name_notes(data.name, format) if isinstance(data, Path) else [])]
    height, width = decoded.pixels.shape
    notes += _look_notes(decoded.pixels)
    return Opened(decoded.pixels, format, width, height, tuple(notes), decoded.depth, decoded.channels)


def open_upload(data: bytes, name: str = "") -> Opened:
    """The same as `open_image`, decoded in a process of its own with 2 GiB and 5 s. Raises BadImage.

    Content that broke a decoder down is not given to another one.
    """
    sniff(data)  # most of what is no image needs no process to say so
    content = hashlib.sha256(data).digest()
    if content in _broke_a_decoder:
        raise refuse("crashed")
    try:
        found, pixels = _decoders().ask({"do": "open"}, data)
    except BadImage as error:
        if error.reason == "crashed":
            _broke_a_decoder.add(content)
        raise
    grey = np.frombuffer(pixels, np.uint8).reshape(found["height"], found["width"])
    notes = (*found["notes"], *_name_notes(name, found["format"]))
    return Opened(grey, found["format"], *grey.shape[::-1], notes, found["depth"], found["channels"])


def open_thumbnail(path: Path, side: int) -> NDArray[np.uint8]:
    """Grey levels (h, w) of a file, neither above `side`, decoded in a process of its own. Raises BadImage."""
    found, pixels = _decoders().ask({"do": "thumbnail", "path": str(path), "side": side})
    return np.frombuffer(pixels, np.uint8).reshape(found["height"], found["width"])


def warm_up() -> None:
    """Start a decoder process, which takes half a second, before the first image comes."""
    _decoders().warm_up()


@cache
def _decoders() -> Decoders:
    return Decoders(N_DECODERS)


_broke_a_decoder: set[bytes] = set()


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


def _name_notes(name: str, format: str) -> list[str]:
    said = SUFFIXES.get(PurePath(name).suffix.lower())
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
