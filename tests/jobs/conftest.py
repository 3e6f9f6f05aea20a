"""Real workers in processes of their own, with a stand-in for the training process."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from covaudit.domain.run import Run
from covaudit.settings import PROJECT, Settings
from covaudit.store import Store, runs

# What the stand-in does is written in the notes of the experiment.
STANDIN = """
import os, subprocess, sys, time
from pathlib import Path
sys.path.insert(0, {project!r})
from covaudit.jobs.process import end_with_parent
end_with_parent()
from covaudit.settings import Settings
from covaudit.store import Store, artifacts, results, runs

run_id, fold, attempt = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
store = Store.open(Settings.from_env())
experiment = runs.get(store, run_id).experiment
notes = experiment.notes
folder = artifacts.fold_folder(store, run_id, attempt, fold, experiment.n_folds)
print("attempt", attempt, "on", os.environ["COVAUDIT_DEVICE"], flush=True)
(folder / "pid").write_text(str(os.getpid()))
if "reason" in notes:
    (folder / "reason.txt").write_text("The sky fell. Look up.")
    sys.exit(1)
if "fail fold 1 once" in notes and fold == 1 and attempt == 1:
    (folder / "reason.txt").write_text("The sky fell. Look up.")
    sys.exit(1)
if "fail once" in notes and attempt == 1:
    sys.exit(3)
if "deaf" in notes:
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import signal, time; "
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('child', flush=True); time.sleep(120)"])
    (folder / "child").write_text(str(child.pid))
if "slow" in notes or "deaf" in notes:
    time.sleep(120)
if "short" in notes:
    time.sleep(1)
if experiment.n_folds > 1 and fold >= 0:
    results.write_fold(store, run_id, attempt, fold)
else:
    results.write_outcome(store, run_id, attempt, results.Outcome(), [])
"""

SERVE = """
import sys
from covaudit.jobs.launchers.local import build_local
from covaudit.jobs.worker import serve
from covaudit.settings import Settings
settings = Settings.from_env()
serve(settings, "cpu", launch=build_local(settings, (sys.executable, sys.argv[1])))
"""


@pytest.fixture
def start_worker(tmp_path: Path, settings: Settings) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Start a worker; all that a test started are killed when it ends."""
    standin = tmp_path / "standin.py"
    standin.write_text(textwrap.dedent(STANDIN.format(project=str(PROJECT))))
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        with (tmp_path / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", SERVE, str(standin)],
                cwd=PROJECT, env=os.environ | settings.to_env(), stdout=log, stderr=log,
            )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def until(store: Store) -> Callable[..., Run]:
    """Wait until something is true of a run."""

    def wait_until(run_id: str, is_so: Callable[[Run], bool], within_s: float = 20) -> Run:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            run = runs.get(store, run_id)
            if is_so(run):
                return run
            time.sleep(0.05)
        raise AssertionError(f"still not so after {within_s} s: {runs.get(store, run_id)}")

    return wait_until
