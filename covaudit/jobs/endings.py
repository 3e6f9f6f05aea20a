"""Why an attempt ended without results, in words, and in exit codes where words could not be written."""

import errno
import signal
from pathlib import Path
from typing import Final, NamedTuple

from covaudit.domain.run import Run
from covaudit.errors import CovauditError, clip

REASON: Final = "reason.txt"
FAILED: Final = 1
DISK_FULL: Final = 74
GPU_LOST: Final = 75
ORPHANED: Final = 130  # what `process.end_with_parent` exits with

_DISK_FULL = "The disk is full. Make room where the workspace is, then resume the run."
_GPU_LOST = (
    "GPU lost: the driver no longer answers for it. Look at 'nvidia-smi' and the system's log on that machine, then "
    "resume the run. It was not moved to the CPU."
)
_LOST_WORDS = (
    "unspecified launch failure", "uncorrectable ecc", "fallen off the bus", "device is lost", "gpu is lost",
    "cuda error: unknown error", "no cuda-capable device", "hardware error",
)  # fmt: skip
_FULL_WORDS = ("database or disk is full", "no space left on device", "disk quota exceeded")


class Ending(NamedTuple):
    """The exit code and one plain sentence or two."""

    code: int
    reason: str


def explain(error: BaseException) -> Ending:
    """What an error that ends an attempt means for the person whose run it was."""
    words = str(error).lower()
    if isinstance(error, CovauditError):
        return Ending(FAILED, str(error))
    if isinstance(error, MemoryError):
        return Ending(FAILED, "Memory ran out. Use a smaller image size or batch size, or fewer images.")
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(one in words for one in _FULL_WORDS):
        return Ending(DISK_FULL, _DISK_FULL)
    if isinstance(error, RuntimeError) and any(one in words for one in _LOST_WORDS):
        return Ending(GPU_LOST, _GPU_LOST)
    return Ending(FAILED, f"Unexpected {type(error).__name__}. The log has the details; the run can be retried.")


def is_gpu_lost(folder: Path) -> bool:
    """Whether the attempt of a folder ended because its GPU was lost."""
    return _left(folder) == _GPU_LOST


def reason_of(run: Run, code: int, folder: Path) -> str:
    """What `execute` left in reason.txt, else what the exit code says."""
    return _left(folder) or _of_code(run, code)


def _left(folder: Path) -> str:
    try:
        return (folder / REASON).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _of_code(run: Run, code: int) -> str:
    batch = run.experiment.training.batch_size
    if code == 0:
        return "The process ended well but left no results. Look at its log, then retry the run."
    if code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return (
            f"The process was killed, probably for lack of memory: batch {batch} -> {max(2, batch // 2)}? Close other "
            "programs and resume the run, or copy the experiment with that batch size."
        )
    if code == DISK_FULL:
        return _DISK_FULL
    if code == GPU_LOST:
        return _GPU_LOST
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
