"""A workspace, workers and a stand-in for the training process, to be killed, starved and cut off.

The short form runs with the slow tests; `make test-faults` sets COVAUDIT_FAULTS=full and runs the whole.
"""

import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

from covaudit.domain.experiment import Experiment
from covaudit.domain.run import Run, RunState
from covaudit.jobs import submit
from covaudit.settings import PROJECT
from covaudit.store import Store, artifacts, folds, results, runs

HERE = Path(__file__).parent
FULL = os.environ.get("COVAUDIT_FAULTS") == "full"
SURVIVED: list[tuple[str, str, str]] = []

SERVE = """
import sys
from covaudit.jobs.launchers.local import build_local
from covaudit.jobs.worker import serve
from covaudit.settings import Settings
settings = Settings.from_env()
serve(settings, settings.device, launch=build_local(settings, (sys.executable, sys.argv[1])))
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if SURVIVED:
        terminalreporter.section("what survived")
        widths = [max(len(row[n]) for row in SURVIVED) for n in (0, 1)]
        for what, count, came in SURVIVED:
            terminalreporter.write_line(f"{what:{widths[0]}}  {count:>{widths[1]}}  {came}")


def _load_trainer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fault_trainer", HERE / "trainer.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Lab:
    """Runs of the stand-in in one workspace, and what is done to them."""

    def __init__(self, store: Store, ask: Callable[..., Experiment], log: Path) -> None:
        self.store, self._ask, self._log = store, ask, log
        self.random = random.Random(20261122)
        self.started: list[subprocess.Popen[bytes]] = []
        self.full = FULL
        self.trainer = _load_trainer()
        self._seed = 0

    def survived(self, what: str, count: int | str, came: str) -> None:
        """A line of the table that is printed at the end."""
        SURVIVED.append((what, str(count), came))

    def submit(self, n_folds: int = 1, **plan: Any) -> str:
        """Queue a run that does what `trainer.py` says of its plan."""
        self._seed += 1
        split = {"folds": n_folds} if n_folds > 1 else {}
        return submit.submit(self.store, self._ask(seed=self._seed, notes=json.dumps(plan), split=split)).run_id

    def worker(self, device: str = "cuda:0", **settings: Any) -> "subprocess.Popen[bytes]":
        """Start a worker; the device is a name only."""
        chosen = replace(self.store.settings, device=device, **settings)
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", SERVE, str(HERE / "trainer.py")], cwd=PROJECT, stdout=log, stderr=log,
                env=os.environ | chosen.to_env() | {"COVAUDIT_TEST": "1"},
            )  # fmt: skip
        self.started.append(process)
        return process

    def until(self, is_so: Callable[[], Any], within_s: float = 60, what: str = "") -> Any:
        """Wait until something is so, and return it."""
        deadline = time.monotonic() + within_s
        while True:
            found = is_so()
            if found:
                return found
            if time.monotonic() > deadline:
                states = [(run.id, run.state.value, run.reason) for run in runs.listing(self.store)]
                raise AssertionError(f"not so after {within_s} s: {what} {states}\n{self._log.read_text()[-3000:]}")
            time.sleep(0.05)

    def ended(self, run_id: str, within_s: float = 60) -> Run:
        """The run, once it is finished."""
        self.until(lambda: runs.get(self.store, run_id).state.is_finished, within_s, run_id)
        return runs.get(self.store, run_id)

    def trainers(self) -> list[int]:
        """The processes that train now."""
        found = []
        for job in folds.active(self.store):
            n_folds = runs.get(self.store, job.run_id).experiment.n_folds
            folder = artifacts.fold_folder(self.store, job.run_id, job.attempt, job.number, n_folds)
            with suppress(OSError, ValueError):
                pid = int((folder / "pid").read_text())
                if is_alive(pid):
                    found.append(pid)
        return found

    def trace(self, run_id: str) -> list[list[str]]:
        """start or done, fold, attempt and process of every training of a run."""
        path = self.store.workspace / "runs" / run_id / "trace.txt"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def resume_all(self) -> int:
        """Resume what failed, as a person would; how many."""
        failed = runs.listing(self.store, states=[RunState.FAILED])
        for run in failed:
            assert run.reason is not None and ("killed" in run.reason or "died 4 times" in run.reason), run.reason
            submit.resume(self.store, run.id)
        return len(failed)

    def finish_all(self, ids: list[str], within_s: float = 120) -> None:
        """Resume what fails until all is done."""
        deadline = time.monotonic() + within_s
        while not all(runs.get(self.store, run_id).state is RunState.DONE for run_id in ids):
            assert time.monotonic() < deadline, self._log.read_text()[-3000:]
            self.resume_all()
            time.sleep(0.1)

    def check(self, ids: list[str], epochs: int) -> None:
        """Nothing lost, nothing doubled: each run is done once, as if it had never been interrupted."""
        for run_id in ids:
            run = runs.get(self.store, run_id)
            assert run.state is RunState.DONE
            assert results.summary(self.store, run_id)["said"] == self.trainer.chain(epochs)
            assert [one.epoch for one in runs.epochs(self.store, run_id)] == list(range(1, epochs + 1))
            lines = self.trace(run_id)
            assert [line[0] for line in lines].count("done") <= 1  # none where it was killed after the last word
            attempts = [line[2] for line in lines if line[0] == "start"]
            assert len(attempts) == len(set(attempts)), "an attempt ran twice"


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def lab(store: Store, ask: Callable[..., Experiment], tmp_path: Path) -> Iterator[Lab]:
    made = Lab(store, ask, tmp_path / "workers.log")
    (tmp_path / "workers.log").touch()
    yield made
    for process in made.started:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
