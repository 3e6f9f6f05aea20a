"""Decoder processes: what a file does to a decoder happens in a child with a limit on memory and time, never here.

A child (`covaudit.sources.decoder_process`) stays warm and answers one order after the other: a line of JSON with the
number of bytes that follow, both ways. When it dies the order is refused and another child takes its place.
"""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, LifoQueue
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from covaudit.errors import BadImage, clip
from covaudit.settings import PROJECT
from covaudit.sources.refusals import REASONS, refuse

PROGRAM = ("-m", "covaudit.sources.decoder_process")
SECONDS = 5.0
"""A child that works longer on one order is ended; the slowest file of real collections takes a fifth of it."""
_NOISE_SHOWN = 400
_INHERITED = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "COVAUDIT_TEST", "COVAUDIT_FAULT")
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # each thread reserves memory

_log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What a child found, and the bytes that came with it."""

    found: dict[str, Any]
    data: bytes


class Decoders:
    """At most `size` children; who asks while all are busy waits `patience_s` for one. Safe in threads."""

    def __init__(self, size: int, patience_s: float = 30.0) -> None:
        self._idle: LifoQueue[_Child | None] = LifoQueue()  # the last used first, so that the others may fall asleep
        self._patience_s = patience_s
        for _ in range(size):
            self._idle.put(None)

    def ask(self, order: Mapping[str, Any], data: bytes = b"") -> Answer:
        """Raises BadImage: the child's refusal, or `crashed`, `too_slow` or `busy`."""
        try:
            child = self._idle.get(timeout=self._patience_s)
        except Empty as error:
            raise refuse("busy") from error
        try:
            if child is None or not child.is_alive():
                child = _Child()
            return child.ask(order, data)
        except BaseException as error:
            if child is not None and not (isinstance(error, BadImage) and child.is_alive()):
                child.end()  # an answer may be half read
                child = _Child()
            raise
        finally:
            self._idle.put(child)

    def warm_up(self) -> None:
        """Start one child, if none is there, without waiting for it."""
        try:
            child = self._idle.get_nowait()
        except Empty:
            return
        self._idle.put(child if child is not None and child.is_alive() else _Child())

    def close(self) -> None:
        """End the children that do nothing; they are started again when they are needed."""
        idle = []
        with suppress(Empty):
            while True:
                idle.append(self._idle.get_nowait())
        for child in idle:
            if child is not None:
                child.end()
            self._idle.put(None)


class _Child:
    """One process. Its stderr is a file of limited size: decoders write past Python, thousands of lines at times."""

    def __init__(self) -> None:
        self._noise = TemporaryFile()  # noqa: SIM115  closed in `end`
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, *PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._noise,
            cwd=PROJECT,
            env=inherited | _ONE_THREAD,
            start_new_session=True,  # Ctrl-C is for the parent; the child ends when its input does
        )

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, order: Mapping[str, Any], data: bytes) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({**order, "bytes": len(data), "seconds": SECONDS}) + "\n"
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.write(data)
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
            came = self._process.stdout.read(int(answer["bytes"]))
        except (OSError, ValueError) as error:  # the pipe is closed, or the line was cut
            raise self._refuse_death() from error
        self._log_noise()
        if answer.get("refused") in REASONS:
            raise BadImage(answer["refused"], str(answer["sentence"]))
        if len(came) != answer["bytes"]:
            raise self._refuse_death()
        return Answer(answer, came)

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()  # closes the pipes and reaps
        self._noise.close()

    def _refuse_death(self) -> BadImage:
        try:
            code = self._process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._log_noise()
        _log.warning("a decoder process ended with code %d", code)
        return refuse("too_slow" if code == -signal.SIGALRM else "crashed")

    def _log_noise(self) -> None:
        noise = os.pread(self._noise.fileno(), _NOISE_SHOWN, 0)
        if noise:
            _log.info("a decoder said: %s", clip(noise.decode("utf-8", "replace"), _NOISE_SHOWN))
