"""A worker: one process that holds one device and carries out queued jobs on it, one after the other."""

import logging
import os
import shutil
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NamedTuple, TypeVar

from filelock import FileLock, Timeout
from sqlalchemy.exc import InterfaceError, OperationalError

from covaudit.domain.run import GATHER, Run, RunState
from covaudit.errors import BadState, clip
from covaudit.jobs import autostart, devices, engine, upkeep
from covaudit.jobs.endings import GPU_LOST, is_gpu_lost, reason_of
from covaudit.jobs.launchers import Attempt, Launcher, Outliving
from covaudit.jobs.launchers.choose import choose
from covaudit.jobs.launchers.local import GRACE_S
from covaudit.jobs.load import measure
from covaudit.jobs.process import CHECKPOINTS
from covaudit.jobs.rescue import Watch, gather_folds, rescue
from covaudit.settings import Settings
from covaudit.store import Store, artifacts, folds, runs, workers
from covaudit.store.patience import patiently

BEAT_S = 2.0
RESCUE_S = 5.0

log = logging.getLogger("covaudit.worker")

Result = TypeVar("Result")


def serve(
    settings: Settings, device: str = "auto", idle_exit_s: float | None = None, launch: Launcher | None = None
) -> None:
    """Work until told to stop, or until nothing has come for `idle_exit_s` seconds.

    Raises `BadState` when another worker of this workspace holds the device.
    """
    _log_to_stderr()
    store = Store.open(settings)
    lock, device = _take_device(settings, device)
    try:
        autostart.booted(settings, device)
        upkeep.begin(store)
        worker = Worker(store, device, launch or choose(settings))
        worker.run(idle_exit_s)
    finally:
        lock.release()
    _leave_no_run_behind(store)
    store.close()


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def _take_device(settings: Settings, device: str) -> tuple[FileLock, str]:
    wanted = devices.resolve(device)
    for name in wanted:
        lock = FileLock(autostart.lock_path(settings, name))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        return lock, name
    raise BadState(f"A worker of this workspace already holds {', '.join(wanted)}. One worker a device is enough.")


def _leave_no_run_behind(store: Store) -> None:
    # A run that was submitted while this worker was leaving saw its lock held and so started no other.
    if store.settings.autostart and runs.count(store, [RunState.QUEUED]):
        autostart.ensure_workers(store.settings)


class Worker:
    """The life of a worker process, without its lock."""

    def __init__(self, store: Store, device: str, launch: Launcher) -> None:
        self.store = store
        self.device = device
        self.id = f"{store.settings.host}:{device}"
        self._launch = launch
        self._stopping = threading.Event()
        self._current: set[Job] = set()  # one that holds the device, and one that pools folds and holds none

    def run(self, idle_exit_s: float | None) -> None:
        """Take runs from the queue until stopped by a signal or idle for too long."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        workers.start(self.store, self.id, self.store.settings.host, self.device, os.getpid())
        engine.start(self.store, self.id, self._work)
        log.info("Worker %s of workspace %s is ready.", self.id, self.store.workspace)
        try:
            self._live(idle_exit_s)
        finally:
            self._stopping.set()
            engine.stop(timeout_s=int(2 * GRACE_S))
            workers.stop(self.store, self.id)
        log.info("Worker %s has stopped.", self.id)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()

    def _live(self, idle_exit_s: float | None) -> None:
        watch, busy, next_rescue = Watch(), time.monotonic(), time.monotonic()
        while not self._stopping.wait(BEAT_S / 2):
            with _patience():
                self._beat()
                if time.monotonic() >= next_rescue:
                    next_rescue = time.monotonic() + RESCUE_S
                    self._rescue(watch)
                gather_folds(self.store)
                if self._current or runs.count(self.store, [RunState.QUEUED]):
                    busy = time.monotonic()
            if idle_exit_s is not None and time.monotonic() - busy > idle_exit_s:
                log.info("Nothing to do for %.0f s.", idle_exit_s)
                return

    def _beat(self) -> None:
        current = tuple(self._current)
        workers.beat(self.store, self.id, next((job.run_id for job in current), None), measure(self.device))
        for job in current:
            folds.beat(self.store, job.run_id, job.attempt, job.fold)

    def _rescue(self, watch: Watch) -> None:
        for silent in watch.look(self.store):
            if Job(silent.run_id, silent.number, silent.attempt) not in self._current:
                log.info("Run %s is silent; its worker on %s is lost.", silent.run_id, silent.device)
                rescue(self.store, silent)

    # -- one job, in a thread of the queue ----------------------------------------------------------------------------

    def _work(self, run_id: str, fold: int, ticket: str) -> None:
        device = "cpu" if fold == GATHER else self.device
        attempt = self._insist(partial(self._left_running, run_id, fold, ticket, device))
        if attempt is None:
            attempt = self._insist(partial(folds.claim, self.store, run_id, device, ticket, fold))
        if attempt is None:
            return
        job = Job(run_id, fold, attempt)
        self._current.add(job)
        log.info("%s: started.", job)
        try:
            self._carry_out(job, device)
        except Exception as error:
            log.error("%s:\n%s", job, traceback.format_exc())
            reason = f"The worker could not run it: {type(error).__name__}: {clip(error, 300)}"
            self._insist(partial(folds.finish, self.store, run_id, attempt, RunState.FAILED, reason, fold))
        finally:
            self._current.discard(job)
        with _patience():
            log.info("%s: ended; the run is %s.", job, runs.get(self.store, run_id).state)
            gather_folds(self.store)

    def _carry_out(self, job: "Job", device: str) -> None:
        run = self._insist(partial(runs.get, self.store, job.run_id))
        attempt = self._attempt(run, job.fold, job.attempt, device)
        attempt.folder.mkdir(parents=True, exist_ok=True)
        if isinstance(self._launch, Outliving):
            for number in range(1, job.attempt):  # of a worker that is lost: nothing may run twice
                self._launch.stop(self._attempt(run, job.fold, number, device))
        code = self._launch(attempt, lambda: self._is_wanted(job))
        self._insist(partial(self._conclude, job, run, code, attempt.folder))

    def _left_running(self, run_id: str, fold: int, ticket: str, device: str) -> int | None:
        """The attempt that this worker began in a cluster before it died, where it lives on."""
        if not isinstance(self._launch, Outliving):
            return None
        job = folds.get(self.store, run_id, fold)
        if job.state is not RunState.RUNNING or folds.ticket(self.store, run_id, fold) != ticket:
            return None
        attempt = self._attempt(runs.get(self.store, run_id), fold, job.attempt, device)
        return job.attempt if self._launch.is_alive(attempt) else None

    def _attempt(self, run: Run, fold: int, number: int, device: str) -> Attempt:
        folder = artifacts.fold_folder(self.store, run.id, number, fold, run.experiment.n_folds)
        return Attempt(run.id, number, folder, device, fold)

    def _conclude(self, job: "Job", run: Run, code: int | None, folder: Path) -> None:
        """Write how an attempt ended that wrote no results itself. A GPU that was lost gets a second chance."""
        state = folds.get(self.store, job.run_id, job.fold).state
        before = artifacts.fold_folder(self.store, run.id, job.attempt - 1, job.fold, run.experiment.n_folds)
        if state is RunState.CANCELLING:
            folds.finish(self.store, *job.key, RunState.CANCELLED, folds.CANCELLED, job.fold)
        elif (code is None and self._stopping.is_set()) or (code == GPU_LOST and not is_gpu_lost(before)):
            self._hand_back(job)
        elif state is RunState.DONE:
            for number in range(1, job.attempt + 1):  # the results are written: give the room back
                left = artifacts.fold_folder(self.store, run.id, number, job.fold, run.experiment.n_folds)
                shutil.rmtree(left / CHECKPOINTS, ignore_errors=True)
        elif code is not None:
            folds.finish(self.store, *job.key, RunState.FAILED, reason_of(run, code, folder), job.fold)

    def _insist(self, act: Callable[[], Result]) -> Result:
        """Do what must not be lost to a database that is away for a while, as long as this worker lives."""
        return patiently(act, is_wanted=lambda: not self._stopping.is_set(), on_wait=_tell)

    def _is_wanted(self, job: "Job") -> bool:
        if self._stopping.is_set():
            return False
        with _patience():
            return folds.is_current(self.store, *job.key, job.fold)
        return True  # the database does not answer; the job goes on

    def _hand_back(self, job: "Job") -> None:
        queue = engine.client(self.store)
        with self.store.engine.begin() as connection:
            entry = folds.hand_back(connection, *job.key, job.fold)
            if entry:
                engine.enqueue(queue, connection, [entry])


class Job(NamedTuple):
    """One attempt of one fold of a run, or of the pooling of its folds."""

    run_id: str
    fold: int
    attempt: int

    @property
    def key(self) -> tuple[str, int]:
        return self.run_id, self.attempt

    def __str__(self) -> str:
        part = "pooling" if self.fold == GATHER else f"fold {self.fold + 1}"
        return f"Run {self.run_id}, {part}, attempt {self.attempt}"


@contextmanager
def _patience() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        _tell(error)


def _tell(error: Exception) -> None:
    log.warning("The database does not answer, trying again: %s", clip(getattr(error, "orig", error), 200))
