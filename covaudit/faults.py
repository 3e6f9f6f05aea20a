"""Faults on purpose, for the tests: `COVAUDIT_FAULT="point:action[:n]"`, read only when `COVAUDIT_TEST` is 1.

The fault happens when its point is reached for the n-th time in a process, the first if n is left out.
"""

import errno
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, NoReturn

POINTS: Final = (
    "start", "decode", "batch", "gpu", "checkpoint.before_fsync", "checkpoint.after_rename", "evaluate", "db.commit",
)  # fmt: skip

_reached: Counter[str] = Counter()


class Fault(NamedTuple):
    """What happens where, at the n-th time."""

    point: str
    action: str
    n: int


def reach(point: str) -> None:
    """Say that a point is reached. Does nothing outside of tests."""
    fault = _fault()
    if fault is None or fault.point != point:
        return
    _reached[point] += 1
    if _reached[point] == fault.n:
        ACTIONS[fault.action]()


@lru_cache(maxsize=1)
def _fault() -> Fault | None:
    asked = os.environ.get("COVAUDIT_FAULT", "")
    if os.environ.get("COVAUDIT_TEST") != "1" or not asked:
        return None
    point, action, n = [*asked.split(":"), "1"][:3]
    if point not in POINTS or action not in ACTIONS or not n.isdecimal():
        raise ValueError(f"COVAUDIT_FAULT is {asked!r}; allowed: one of {POINTS} : one of {tuple(ACTIONS)} : a number")
    return Fault(point, action, int(n))


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _exit() -> NoReturn:
    os._exit(3)


def _sleep() -> None:
    time.sleep(3600)


def _out_of_memory() -> NoReturn:
    raise MemoryError


def _out_of_gpu_memory() -> NoReturn:
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB.")


def _lose_gpu() -> NoReturn:
    raise RuntimeError("CUDA error: unspecified launch failure")


def _fill_disk() -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


ACTIONS: Final[Mapping[str, Callable[[], None]]] = {
    "kill": _kill,
    "exit": _exit,
    "sleep": _sleep,
    "raise-oom": _out_of_memory,
    "raise-cuda-oom": _out_of_gpu_memory,
    "raise-gpu-lost": _lose_gpu,
    "enospc": _fill_disk,
}
