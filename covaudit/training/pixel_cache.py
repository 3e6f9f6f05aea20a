"""The folder of decoded pixels, kept under a size by age of last use."""

import shutil
from contextlib import suppress
from pathlib import Path

LIMIT_BYTES = 20 * 2**30


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
