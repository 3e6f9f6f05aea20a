"""Scans: looking at all images of a source, in a process of its own that a page starts, watches and cancels."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock, Timeout

from covaudit.domain.source import Source
from covaudit.errors import BadState, clip
from covaudit.settings import PROJECT
from covaudit.store import Store, artifacts

if TYPE_CHECKING:
    from covaudit.sources.index import SourceIndex

_WRITE_S = 0.5
_BOOT_S = 20.0


class Scan(NamedTuple):
    """How far a scan is: files looked at, of how many that were new (0 while they are being counted)."""

    done: int
    total: int


def start(store: Store, source: Source) -> None:
    """Scan a source in the background, unless that is being done."""
    if watch(store, source) is None:
        _write(store, source, Scan(0, 0), os.getpid())
        command = [sys.executable, "-m", "covaudit", "sources", "scan", "--", source.name]
        env = os.environ | store.settings.to_env()
        null = subprocess.DEVNULL
        subprocess.Popen(command, cwd=PROJECT, env=env, stdin=null, stdout=null, stderr=null, start_new_session=True)


def run(
    store: Store, source: Source, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> "SourceIndex":
    """Scan a source here. SIGTERM and Ctrl-C end it; what was found by then is kept.

    Raises BadState when another process scans it, BadSource when it cannot be read.
    """
    from covaudit.sources.index import read_index

    lock = FileLock(_file(store, source, ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BadState(f"Source '{clip(source.name)}' is being scanned already. Wait for it, or cancel it.") from error
    written = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal written
        if done == total or time.monotonic() - written > _WRITE_S:
            written = time.monotonic()
            _write(store, source, Scan(done, total), os.getpid())
        on_progress(done, total)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _write(store, source, Scan(0, 0), os.getpid())
        return read_index(source, store.index_cache, store.settings.roots, with_drawn=True, on_progress=tell)
    finally:
        signal.signal(signal.SIGTERM, before)
        _file(store, source, ".json").unlink(missing_ok=True)
        lock.release()


def watch(store: Store, source: Source) -> Scan | None:
    """How far the scan of a source is; None when none runs."""
    said = _read(store, source)
    if said is None:
        return None
    scan, _, age_s = said
    is_alive = _is_locked(store, source) or (age_s < _BOOT_S and not scan.total)
    if not is_alive:
        _file(store, source, ".json").unlink(missing_ok=True)
    return scan if is_alive else None


def cancel(store: Store, source: Source) -> None:
    """End the scan of a source; what was found stays found."""
    said = _read(store, source)
    if said is not None and said[1] != os.getpid() and _is_locked(store, source):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(said[1], signal.SIGTERM)


def _is_locked(store: Store, source: Source) -> bool:
    try:
        with FileLock(_file(store, source, ".lock")).acquire(timeout=0):
            return False
    except Timeout:
        return True


def _write(store: Store, source: Source, scan: Scan, pid: int) -> None:
    content = json.dumps({"done": scan.done, "total": scan.total, "pid": pid})
    artifacts.write_whole(_file(store, source, ".json"), content.encode())


def _read(store: Store, source: Source) -> tuple[Scan, int, float] | None:
    """The scan, its process and the seconds since it said so."""
    place = _file(store, source, ".json")
    try:
        said = json.loads(place.read_text())
        age_s = time.time() - place.stat().st_mtime
        return Scan(int(said["done"]), int(said["total"])), int(said["pid"]), age_s
    except (OSError, ValueError, KeyError):
        return None


def _file(store: Store, source: Source, suffix: str) -> Path:
    from covaudit.sources.scan import cache_name

    store.index_cache.mkdir(parents=True, exist_ok=True)
    return store.index_cache / f"scan-{cache_name(source).removesuffix('.parquet')}{suffix}"
