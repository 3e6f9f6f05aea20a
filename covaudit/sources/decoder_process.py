"""The program of a decoder process: `python -m covaudit.sources.decoder_process`, orders on stdin, answers on stdout.

Its memory, time and files are limited by the kernel, so that no decoder can escape them.
"""

import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from covaudit.errors import BadImage
from covaudit.sources.facts import facts_of
from covaudit.sources.grey import Grey
from covaudit.sources.images import Opened, open_image, read_file
from covaudit.sources.pairs import likeness
from covaudit.sources.refusals import refuse

MEMORY_BYTES = 2 * 2**30
"""Of addresses, which a process reserves more of than it uses."""
_NOISE_BYTES = 64 * 1024
_IDLE_S = 600.0

Found = tuple[dict[str, Any], bytes]


def main() -> None:
    orders, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not pass for an answer
    _limit()
    while _waits_for(orders) and (line := orders.readline()):
        order = json.loads(line)
        data = orders.read(order["bytes"])
        _forget_noise()
        signal.setitimer(signal.ITIMER_REAL, order["seconds"])  # SIGALRM ends the process, also inside a decoder
        found, came = _answer(order, data)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(json.dumps({**found, "bytes": len(came)}).encode() + b"\n")
        answers.write(came)
        answers.flush()


def _answer(order: Mapping[str, Any], data: bytes) -> Found:
    try:
        try:
            _fail_on_purpose()
            return _ORDERS[order["do"]](order, data)
        except MemoryError as error:
            raise refuse("out_of_memory") from error
    except BadImage as error:
        return {"refused": error.reason, "sentence": str(error)}, b""


def _open(order: Mapping[str, Any], data: bytes) -> Found:
    opened = open_image(data)
    found = opened._asdict()
    pixels = found.pop("pixels")
    return found, pixels.tobytes()


def _thumbnail(order: Mapping[str, Any], data: bytes) -> Found:
    """A file's pixels at most `side` large."""
    pixels = _pixels(str(order["path"]))
    share = min(1.0, order["side"] / max(pixels.shape))
    size = tuple(max(1, round(length * share)) for length in pixels.shape[::-1])
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)) if share < 1 else pixels
    return {"width": small.shape[1], "height": small.shape[0]}, small.tobytes()


def _look(order: Mapping[str, Any], data: bytes) -> Found:
    """All facts of a file."""
    content = read_file(Path(order["path"]), follow_links=False)
    return facts_of(content, open_image(content))._asdict(), b""


def _compare(order: Mapping[str, Any], data: bytes) -> Found:
    """How alike the pixels of two files, or phantoms, are."""
    first, second = (_pixels(str(order[name])) for name in ("first", "second"))
    return {"likeness": likeness(first, second)}, b""


def _pixels(path: str) -> Grey:
    if path.startswith("phantom:"):
        from covaudit.sources.radiograph import open_radiograph  # and pandas, which only who draws needs

        return open_radiograph({"path": path}).pixels
    return open_image(read_file(Path(path), follow_links=False)).pixels


def _draw(order: Mapping[str, Any], data: bytes) -> Found:
    """All facts of a phantom."""
    from covaudit.sources.readers.phantoms import FORMAT

    pixels = _pixels(order["path"])
    opened = Opened(pixels, FORMAT, pixels.shape[1], pixels.shape[0], (), depth=8, channels=1)
    return facts_of(order["path"].encode(), opened)._asdict(), b""


_ORDERS: Mapping[str, Callable[[Mapping[str, Any], bytes], Found]] = {
    "open": _open,
    "look": _look,
    "draw": _draw,
    "compare": _compare,
    "thumbnail": _thumbnail,
}


def _limit() -> None:
    cv2.setNumThreads(1)
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, _NOISE_BYTES),  # of its stderr; it has no other file to write
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def _waits_for(orders: BinaryIO) -> bool:
    """False after a long time without an order: the next one starts another process."""
    return bool(select.select([orders], [], [], _IDLE_S)[0])


def _forget_noise() -> None:
    os.ftruncate(2, 0)
    os.lseek(2, 0, os.SEEK_SET)


def _fail_on_purpose() -> None:
    """For tests: COVAUDIT_FAULT=decode:segv or decode:hang, where COVAUDIT_TEST=1."""
    if os.environ.get("COVAUDIT_TEST") != "1":
        return
    faults = os.environ.get("COVAUDIT_FAULT", "").split(",")
    if "decode:segv" in faults:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "decode:hang" in faults:
        time.sleep(60)


if __name__ == "__main__":
    main()
