"""Files that are whole or not there: temporary file, fsync, rename, fsync of the folder."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from covaudit.faults import reach


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is either there with all its bytes or not there."""
    with writing_whole(path) as file:
        file.write(data)


@contextmanager
def writing_whole(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name when the block ends well, and leaves nothing when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_name(f".{path.name}.{uuid4().hex[:12]}.part")
    try:
        with building.open("xb") as file:
            yield file
            file.flush()
            reach(f"{path.parent.name}.before_fsync")
            os.fsync(file.fileno())
        building.replace(path)
        reach(f"{path.parent.name}.after_rename")
    except BaseException:
        building.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    if os.name == "nt":  # Windows cannot open a folder to sync it
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
