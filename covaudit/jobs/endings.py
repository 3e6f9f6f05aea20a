"""Why an attempt ended without results, in words."""

import signal
from pathlib import Path

from covaudit.domain.run import Run
from covaudit.errors import clip

ORPHANED = 130  # what `process.end_with_parent` exits with


def reason_of(run: Run, code: int, folder: Path) -> str:
    """What `execute` left in reason.txt, else what the exit code says."""
    try:
        left = (folder / "reason.txt").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        left = ""
    return left or _of_code(run, code)


def _of_code(run: Run, code: int) -> str:
    batch = run.experiment.training.batch_size
    if code == 0:
        return "The process ended well but left no results. Look at its log, then retry the run."
    if code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return (
            "The process was killed, probably for lack of memory. Close other programs, or copy the experiment with a "
            f"smaller batch ({batch} now, try {max(2, batch // 2)}), and run it again."
        )
    if code == ORPHANED:
        return "The process ended because it lost its worker. Retry the run."
    if code < 0:
        return f"The process was ended by {_name(-code)}. Look at the end of its log, then retry the run."
    return f"The process ended with exit code {code}. The end of its log says why."


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return clip(f"signal {number}")
