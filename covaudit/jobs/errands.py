"""Errands: long work for a page, done by a command in a process of its own; a page starts, watches and cancels it.

An errand that was cut off leaves nothing to clean up: what it had found is in the caches, the next one goes on.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from covaudit.errors import BadState
from covaudit.settings import PROJECT
from covaudit.store import Store, artifacts

_WRITE_S = 0.5
_BOOT_S = 20.0

Tell = Callable[[int, int], None]


class Errand(NamedTuple):
    """`key` is a file name that tells it from others; `command` is what follows `python -m covaudit`."""

    key: str
    command: tuple[str, ...]


class Progress(NamedTuple):
    """How far an errand is; `total` is 0 while that is being found out."""

    done: int
    total: int


def sanity_of(run_id: str) -> Errand:
    """The errand of putting the ways of explaining to the test on a run's network, with a twin."""
    return Errand(f"sanity-{run_id}", ("sanity", run_id))


def start(store: Store, errand: Errand) -> None:
    """Do it in the background, unless that is being done."""
    if watch(store, errand) is None:
        _write(store, errand, Progress(0, 0))
        null = subprocess.DEVNULL
        subprocess.Popen(
            [sys.executable, "-m", "covaudit", *errand.command], cwd=PROJECT, env=os.environ | store.settings.to_env(),
            stdin=null, stdout=null, stderr=null, start_new_session=True,
        )  # fmt: skip


@contextmanager
def doing(store: Store, errand: Errand, on_progress: Tell) -> Iterator[Tell]:
    """Do it here: gives the function to tell progress to. SIGTERM and Ctrl-C raise KeyboardInterrupt inside.

    Raises BadState when another process does it.
    """
    lock = FileLock(_file(store, errand, ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BadState("This is being done already by another process. Wait for it, or cancel it.") from error
    written = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal written
        if done == total or time.monotonic() - written > _WRITE_S:
            written = time.monotonic()
            _write(store, errand, Progress(done, total))
        on_progress(done, total)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _write(store, errand, Progress(0, 0))
        yield tell
    finally:
        signal.signal(signal.SIGTERM, before)
        _file(store, errand, ".json").unlink(missing_ok=True)
        lock.release()


def watch(store: Store, errand: Errand) -> Progress | None:
    """How far it is; None when nobody does it."""
    said = _read(store, errand)
    if said is None:
        return None
    progress, _, age_s = said
    if _is_locked(store, errand) or (age_s < _BOOT_S and not progress.total):
        return progress
    _file(store, errand, ".json").unlink(missing_ok=True)
    return None


def cancel(store: Store, errand: Errand) -> None:
    """End it; what was found stays found."""
    said = _read(store, errand)
    if said is not None and said[1] != os.getpid() and _is_locked(store, errand):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(said[1], signal.SIGTERM)


def _is_locked(store: Store, errand: Errand) -> bool:
    try:
        with FileLock(_file(store, errand, ".lock")).acquire(timeout=0):
            return False
    except Timeout:
        return True


def _write(store: Store, errand: Errand, progress: Progress) -> None:
    content = json.dumps({"done": progress.done, "total": progress.total, "pid": os.getpid()})
    artifacts.write_whole(_file(store, errand, ".json"), content.encode())


def _read(store: Store, errand: Errand) -> tuple[Progress, int, float] | None:
    """How far it is, its process and the seconds since it said so."""
    place = _file(store, errand, ".json")
    try:
        said = json.loads(place.read_text())
        age_s = time.time() - place.stat().st_mtime
        return Progress(int(said["done"]), int(said["total"])), int(said["pid"]), age_s
    except (OSError, ValueError, KeyError):
        return None


def _file(store: Store, errand: Errand, suffix: str) -> Path:
    folder = store.workspace / "cache" / "errands"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{errand.key}{suffix}"
