"""The folder of decoded pixels, kept under a size by age of last use."""

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from covaudit.training.resident import release

LIMIT_BYTES = 20 * 2**30
_CHUNK = 256  # rows that are in memory at once


def in_order(folder: Path, name: str, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The array `name` of an entry with its rows in this order, memory-mapped; the copy is kept in the entry."""
    stored = np.load(folder / f"{name}.npy", mmap_mode="r")
    if np.array_equal(rows, np.arange(len(rows))):
        return np.asanyarray(stored)
    copied = folder / f"{name}-{hashlib.sha256(rows.tobytes()).hexdigest()[:16]}.npy"
    if not copied.exists():
        part = copied.with_suffix(f".{uuid4().hex[:8]}.part")
        copy = open_memmap(part, "w+", np.uint8, stored.shape)
        for start in range(0, len(rows), _CHUNK):
            copy[start : start + _CHUNK] = stored[rows[start : start + _CHUNK]]
            release(copy)
            release(stored)
        copy.flush()
        part.replace(copied)
    return np.asanyarray(np.load(copied, mmap_mode="r"))


def evict(cache: Path, keep: Path, limit_bytes: int = LIMIT_BYTES) -> list[Path]:
    """Remove the entries that were used longest ago until the rest, with `keep`, fits; returns what was removed.

    A run that has an entry open reads on: its pages stay until it closes them.
    """
    entries = [folder for folder in cache.iterdir() if folder.is_dir() and folder != keep and folder.suffix != ".part"]
    sizes = {folder: _bytes(folder) for folder in [*entries, keep]}
    total, removed = sum(sizes.values()), []
    for folder in sorted(entries, key=_last_used):
        if total <= limit_bytes:
            break
        shutil.rmtree(folder, ignore_errors=True)
        total -= sizes[folder]
        removed.append(folder)
    return removed


def _last_used(folder: Path) -> float:
    with suppress(OSError):
        return folder.stat().st_mtime
    return 0.0


def _bytes(folder: Path) -> int:
    total = 0
    for file in folder.glob("*"):
        with suppress(OSError):
            total += file.stat().st_size
    return total
