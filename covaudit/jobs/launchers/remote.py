"""What the launchers for other machines share: the line that is run there, and waiting for its end.

The machines share the workspace, under the same path, and have CovAudit at the same place. The process writes its own
log and, when it has ended, its exit code, so that whoever asks later still learns it.
"""

import os
import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from covaudit.jobs.launchers import Attempt
from covaudit.settings import PROJECT, Settings

WATCH_S = 0.5
STOP_S = 10.0
LOST = -9
"""Said of a job that the cluster ended without an exit code: it was killed, for memory, time, or with its machine."""

_EXIT_CODE = "exit_code"


def shell_line(settings: Settings, command: Sequence[str], attempt: Attempt) -> str:
    """`command` with the attempt's arguments and settings, its output to the attempt's log, its exit code to a file."""
    device = "cpu" if attempt.device == "cpu" else "cuda:0"  # a cluster shows a job its own devices only, from 0
    variables = settings.to_env() | {"COVAUDIT_DEVICE": device, "PYTHONUNBUFFERED": "1"}
    words = ["env", *(f"{name}={value}" for name, value in variables.items()), *command, *attempt.arguments]
    log, code = (shlex.quote(str(attempt.folder / name)) for name in ("log.txt", _EXIT_CODE))
    line = f"cd {shlex.quote(str(PROJECT))} && {shlex.join(words)} >> {log} 2>&1 < /dev/null"
    return f"{line}; code=$?; echo $code > {code}; exit $code"


def exit_code(folder: Path) -> int | None:
    """The code that the line of `shell_line` left; negative for a signal, as a local process says it."""
    try:
        code = int((folder / _EXIT_CODE).read_text())
    except (OSError, ValueError):
        return None
    return 128 - code if code > 128 and code != 130 else code


def follow(
    attempt: Attempt, is_over: Callable[[], bool], stop: Callable[[], object], is_wanted: Callable[[], bool]
) -> int | None:
    """Wait until the job is over, or no longer wanted. What a launcher returns."""
    while is_wanted():
        if is_over():
            return _code_of(attempt.folder)
        time.sleep(WATCH_S)
    stop()
    until = time.monotonic() + STOP_S
    while time.monotonic() < until and not is_over():
        time.sleep(WATCH_S)
    return None


def _code_of(folder: Path) -> int:
    # On a shared file system the last write may become visible a moment after the cluster says that the job is over.
    for _ in range(10):
        code = exit_code(folder)
        if code is not None:
            return code
        time.sleep(0.1)
        with suppress(OSError):
            os.listdir(folder)  # noqa: PTH208 - makes an NFS client look again
    return LOST
