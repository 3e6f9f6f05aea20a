"""A process on this machine."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from covaudit.jobs.launchers import Attempt, Launcher
from covaudit.settings import PROJECT, Settings

EXECUTE = (sys.executable, "-m", "covaudit.jobs.execute")
GRACE_S = 5.0
WATCH_S = 0.25
LOG_LIMIT = 10_000_000


def build_local(settings: Settings, command: Sequence[str] = EXECUTE) -> Launcher:
    """A launcher that runs `command RUN FOLD ATTEMPT` with the settings in its environment."""
    return partial(_launch, settings, tuple(command))


def _launch(settings: Settings, command: Sequence[str], attempt: Attempt, is_wanted: Callable[[], bool]) -> int | None:
    # stdin is a pipe whose other end this process holds: it ends when this process dies, see `process.end_with_parent`.
    with (
        (attempt.folder / "log.txt").open("ab") as log,
        subprocess.Popen(
            [*command, *attempt.arguments],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=PROJECT,
            env=os.environ | settings.to_env() | {"COVAUDIT_DEVICE": attempt.device, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        ) as process,
    ):
        try:
            while is_wanted():
                cap(attempt.folder / "log.txt")
                try:
                    return process.wait(timeout=WATCH_S)
                except subprocess.TimeoutExpired:
                    continue
            return None
        finally:
            stop_tree(process)


def cap(log: Path) -> None:
    """Keep the end of a log that has grown beyond `LOG_LIMIT` bytes. Who writes to it must append."""
    if log.stat().st_size <= LOG_LIMIT:
        return
    with log.open("r+b") as file:
        file.seek(-LOG_LIMIT // 2, os.SEEK_END)
        end = file.read()
        file.seek(0)
        file.truncate()
        file.write(b"(the beginning was cut)\n" + end.partition(b"\n")[2])


def stop_tree(process: "subprocess.Popen[bytes]") -> None:
    """End the process and all that it started: asked first, by force after `GRACE_S` seconds."""
    family = _family(process)
    if process.poll() is None:
        _signal(process, family, force=False)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE_S)
    _signal(process, family, force=True)
    process.wait()


def _family(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    try:
        return [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _signal(process: "subprocess.Popen[bytes]", family: list[psutil.Process], force: bool) -> None:
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):  # nobody is left; macOS says so with PermissionError
            os.killpg(process.pid, signal.SIGKILL if force else signal.SIGTERM)
        return
    for member in family:  # Windows has no process groups to signal
        try:
            member.kill() if force else member.terminate()
        except psutil.NoSuchProcess:
            continue
