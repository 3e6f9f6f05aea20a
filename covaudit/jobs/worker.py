"""A worker: one process that holds one device and carries out queued runs on it, one after the other."""

import logging
import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from filelock import FileLock, Timeout
from sqlalchemy.exc import OperationalError

from covaudit.domain.run import Run, RunState
from covaudit.errors import BadState, clip
from covaudit.jobs import autostart, devices, engine, upkeep
from covaudit.jobs.endings import reason_of
from covaudit.jobs.launchers import Attempt, Launcher
from covaudit.jobs.launchers.choose import choose
from covaudit.jobs.launchers.local import GRACE_S
from covaudit.jobs.load import measure
from covaudit.jobs.rescue import Watch, rescue
from covaudit.settings import Settings
from covaudit.store import Store, artifacts, runs, workers

BEAT_S = 2.0
RESCUE_S = 5.0

log = logging.getLogger("covaudit.worker")


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
        self.id = f"{socket.gethostname()}:{device}"
        self._launch = launch
        self._stopping = threading.Event()
        self._current: tuple[str, int] | None = None

    def run(self, idle_exit_s: float | None) -> None:
        """Take runs from the queue until stopped by a signal or idle for too long."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        workers.start(self.store, self.id, socket.gethostname(), self.device, os.getpid())
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
                if self._current or runs.count(self.store, [RunState.QUEUED]):
                    busy = time.monotonic()
            if idle_exit_s is not None and time.monotonic() - busy > idle_exit_s:
                log.info("Nothing to do for %.0f s.", idle_exit_s)
                return

    def _beat(self) -> None:
        workers.beat(self.store, self.id, self._current[0] if self._current else None, measure(self.device))
        if self._current:
            runs.beat(self.store, *self._current)

    def _rescue(self, watch: Watch) -> None:
        for run in watch.look(self.store):
            if self._current is None or self._current[0] != run.id:
                log.info("Run %s is silent; its worker on %s is lost.", run.id, run.device)
                rescue(self.store, run)

    # -- one run, in a thread of the queue ----------------------------------------------------------------------------

    def _work(self, run_id: str, ticket: str) -> None:
        attempt = runs.claim(self.store, run_id, self.device, ticket)
        if attempt is None:
            return
        self._current = (run_id, attempt)
        log.info("Run %s, attempt %d: started.", run_id, attempt)
        try:
            self._carry_out(run_id, attempt)
        except Exception as error:
            log.error("Run %s, attempt %d:\n%s", run_id, attempt, traceback.format_exc())
            reason = f"The worker could not run it: {type(error).__name__}: {clip(error, 300)}"
            runs.finish(self.store, run_id, attempt, RunState.FAILED, reason)
        finally:
            self._current = None
        log.info("Run %s, attempt %d: %s.", run_id, attempt, runs.get(self.store, run_id).state)

    def _carry_out(self, run_id: str, attempt: int) -> None:
        folder = artifacts.run_folder(self.store, run_id, attempt)
        folder.mkdir(parents=True, exist_ok=True)
        code = self._launch(Attempt(run_id, attempt, folder, self.device), lambda: self._is_wanted(run_id, attempt))
        run = runs.get(self.store, run_id)
        if run.state is RunState.CANCELLING:
            runs.finish(self.store, run_id, attempt, RunState.CANCELLED, "Cancelled by request.")
        elif code is None and self._stopping.is_set():
            self._hand_back(run)
        elif code is not None:
            runs.finish(self.store, run_id, attempt, RunState.FAILED, reason_of(run, code, folder))

    def _is_wanted(self, run_id: str, attempt: int) -> bool:
        if self._stopping.is_set():
            return False
        with _patience():
            return runs.is_current(self.store, run_id, attempt)
        return True  # the database does not answer; the run goes on

    def _hand_back(self, run: Run) -> None:
        ticket = engine.new_ticket(run.id)
        with self.store.engine.begin() as connection:
            if runs.hand_back(connection, run.id, run.attempt, ticket):
                engine.enqueue(engine.client(self.store), connection, run.id, ticket)


@contextmanager
def _patience() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        log.warning("The database does not answer, trying again: %s", clip(error.orig, 200))
