"""Start the workers that are missing, detached, one for each device."""

import os
import subprocess
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

from covaudit.jobs.devices import resolve
from covaudit.settings import PROJECT, Settings

IDLE_EXIT_S = 900
BOOT_S = 10.0
_LOG_LIMIT = 5_000_000


def lock_path(settings: Settings, device: str) -> Path:
    """The file that the worker of a device keeps locked as long as it lives; the system frees it however it dies."""
    return settings.workspace / f"worker-{_name(settings, device)}.lock"


def log_path(settings: Settings, device: str) -> Path:
    """What an autostarted worker prints."""
    return settings.workspace / f"worker-{_name(settings, device)}.log"


def is_running(settings: Settings, device: str) -> bool:
    """Whether a worker of this workspace holds the device."""
    lock = FileLock(lock_path(settings, device))
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


def ensure_workers(settings: Settings) -> list[str]:
    """Start a worker for each device that has none. Returns the devices for which one was started."""
    return [device for device in resolve(settings.device) if _ensure(settings, device)]


def _ensure(settings: Settings, device: str) -> bool:
    if is_running(settings, device):
        return False
    stamp = settings.workspace / f"worker-{_name(settings, device)}.starting"
    with FileLock(stamp.with_suffix(".starting.lock"), timeout=BOOT_S):
        # A worker takes a moment to lock its device; without the stamp a burst of submissions starts a burst of them.
        if is_running(settings, device) or _age_s(stamp) < BOOT_S:
            return False
        stamp.touch()
        _spawn(settings, device)
    return True


def booted(settings: Settings, device: str) -> None:
    """Said by a worker once it holds its lock: if it ends, the next one may start at once."""
    (settings.workspace / f"worker-{_name(settings, device)}.starting").unlink(missing_ok=True)


def _age_s(stamp: Path) -> float:
    try:
        age = time.time() - stamp.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
    return age if age >= 0 else float("inf")  # a clock that was set back


def _spawn(settings: Settings, device: str) -> None:
    log = log_path(settings, device)
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.unlink()
    command = [sys.executable, "-m", "covaudit", "worker", "--device", device, "--idle-exit", str(IDLE_EXIT_S)]
    detached = ("DETACHED_PROCESS", "CREATE_NEW_PROCESS_GROUP")  # Windows' words for start_new_session
    with log.open("ab") as output:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=PROJECT,
            env=os.environ | settings.to_env(),
            start_new_session=True,
            creationflags=sum(getattr(subprocess, name, 0) for name in detached),
        )


def _name(settings: Settings, device: str) -> str:
    # Hosts that share a workspace have a first GPU each. An SQLite file has one host, whose name may change meanwhile.
    host = "" if settings.database.startswith("sqlite") else f"{settings.host}-"
    return host + device.replace(":", "-")
