"""Life of an attempt's process: it reports, and it ends when its worker does. The worker beats for it."""

import os
import stat
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from sqlalchemy.exc import InterfaceError, OperationalError

from covaudit.domain.finding import AuditFinding
from covaudit.domain.run import Progress
from covaudit.faults import reach
from covaudit.jobs.endings import REASON, explain
from covaudit.settings import Settings
from covaudit.store import artifacts, runs
from covaudit.store.database import Store
from covaudit.store.patience import patiently

TRAINING = "training"
CHECKPOINTS = "checkpoint"
"""The folder in an attempt's own that holds where its training stands."""

Work = Callable[[Store, str, int, int, str], None]
"""Does a job, given the store, the run, the fold, the attempt and the device; ends well when the outcome is written."""

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


def carry_out(work: Work, run_id: str, fold: int, attempt: int) -> int:
    """The life of an attempt's process: exit code 0 when `work` has written the outcome; else one of `endings`, with
    one plain sentence in `reason.txt`."""
    end_with_parent()
    settings = Settings.from_env()
    store = patiently(partial(Store.open, settings))
    n_folds = patiently(partial(runs.get, store, run_id)).experiment.n_folds
    folder = artifacts.fold_folder(store, run_id, attempt, fold, n_folds)
    try:
        reach("start")
        work(store, run_id, fold, attempt, settings.device)
    except Exception as error:
        traceback.print_exc()
        ending = explain(error)
        with suppress(OSError):  # a full disk; the exit code tells it then
            (folder / REASON).write_text(ending.reason)
        return ending.code
    return 0


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
            if name == TRAINING:
                reach("batch")
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
        with suppress(OperationalError, InterfaceError):  # the database is away; the next report will tell more
            runs.report(self._store, self._run_id, self._attempt, progress, self._fold)
