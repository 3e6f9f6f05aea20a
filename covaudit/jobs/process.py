"""Life of an attempt's process: it reports, and it ends when its worker does. The worker beats for it."""

import os
import stat
import threading
import time
from collections.abc import Callable

from covaudit.domain.finding import AuditFinding
from covaudit.domain.run import Progress
from covaudit.store import runs
from covaudit.store.database import Store

_REPORT_S = 0.5


def end_with_parent() -> None:
    """End this process when standard input closes, that is when the worker is gone, however it went.

    Only a worker on the same machine holds a pipe to it; what runs in a cluster is stopped through the cluster.
    """
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return

    def wait() -> None:
        # os.read, not sys.stdin.buffer.read: the latter holds a lock that aborts the interpreter's shutdown.
        while os.read(0, 1):
            pass
        os._exit(130)

    threading.Thread(target=wait, daemon=True, name="end-with-parent").start()


class Reporter:
    """Writes where the run is, at most twice a second, and a line to the log at each change of stage."""

    def __init__(self, store: Store, run_id: str, attempt: int, fold: int = 0) -> None:
        self._store, self._run_id, self._attempt, self._fold = store, run_id, attempt, fold
        self._begun = time.monotonic()
        self._written = 0.0
        self._entered: list[tuple[str, float]] = []

    def stage(self, name: str) -> Callable[[int, int], None]:
        """Begin a stage; the function that comes back takes (done, total)."""
        self.log(name)
        self._entered.append((name, time.monotonic()))
        self._write(Progress(stage=name))

        def progress(done: int, total: int) -> None:
            if done == total or time.monotonic() - self._written > _REPORT_S:
                self._write(Progress(stage=name, done=done, total=total))

        return progress

    def stages(self) -> dict[str, float]:
        """Seconds of each stage so far, in their order; a stage that was entered twice counts as one."""
        ends = [*(moment for _, moment in self._entered[1:]), time.monotonic()]
        spent: dict[str, float] = {}
        for (name, begun), end in zip(self._entered, ends, strict=True):
            spent[name] = round(spent.get(name, 0.0) + end - begun, 2)
        return spent

    def log(self, line: str) -> None:
        """One line with the seconds since the start."""
        print(f"{time.monotonic() - self._begun:8.1f} s  {line}", flush=True)

    def left_out(self, dropped: dict[str, int]) -> None:
        """What was not used, by reason."""
        for reason, n in dropped.items():
            self.log(f"left out: {n} x {reason}")

    def findings(self, found: list[AuditFinding]) -> None:
        """The titles of the findings."""
        for finding in found:
            self.log(f"{finding.severity}: {finding.title}")

    def _write(self, progress: Progress) -> None:
        self._written = time.monotonic()
        runs.report(self._store, self._run_id, self._attempt, progress, self._fold)
