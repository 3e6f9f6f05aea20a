"""kill -9 of the trainer, of the worker, of the app, of all at once (threats C1, C2, C3, J1)."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

import psutil

from covaudit.domain.run import RunState
from covaudit.settings import PROJECT
from covaudit.store import runs, workers


def test_the_trainer_is_killed_at_random(lab: Any) -> None:
    n_kills, epochs = (60, 8) if lab.full else (10, 6)
    for device in ("cuda:0", "cuda:1"):
        lab.worker(device)
    ids, kills = [lab.submit(epochs=epochs, epoch_s=0.2) for _ in range(4)], 0
    while kills < n_kills:
        found = lab.trainers()
        if found:
            time.sleep(lab.random.uniform(0, 1.2))
            pid = lab.random.choice(found)
            try:
                os.kill(pid, signal.SIGKILL)
                kills += 1
            except ProcessLookupError:
                continue
        lab.resume_all()
        if all(runs.get(lab.store, run_id).state is RunState.DONE for run_id in ids):
            ids.append(lab.submit(epochs=epochs, epoch_s=0.2))
        time.sleep(0.05)
    lab.finish_all(ids)
    lab.check(ids, epochs)
    attempts = sum(runs.get(lab.store, run_id).attempt for run_id in ids)
    lab.survived("kill -9 of the trainer", kills, f"{len(ids)} runs done in {attempts} attempts, as if never killed")


def test_the_worker_is_killed_at_random(lab: Any) -> None:
    n_kills, epochs = (20, 8) if lab.full else (8, 6)
    ids = [lab.submit(epochs=epochs, epoch_s=0.25) for _ in range(3)]
    for _ in range(n_kills):
        worker = lab.worker()
        lab.until(lambda: lab.trainers() or lab.resume_all() or _all_done(lab, ids), 30, "no trainer")
        if _all_done(lab, ids):
            ids.append(lab.submit(epochs=epochs, epoch_s=0.25))
        time.sleep(lab.random.uniform(0, 1))
        trainers = lab.trainers()
        worker.kill()
        worker.wait()
        lab.until(
            lambda trainers=trainers: not any(psutil.pid_exists(pid) for pid in trainers), 5, "a trainer lives on"
        )
    lab.worker()
    lab.finish_all(ids)
    lab.check(ids, epochs)
    lab.survived("kill -9 of the worker", n_kills, f"{len(ids)} runs done, each trainer gone within 5 s")


def _all_done(lab: Any, ids: list[str]) -> bool:
    return all(runs.get(lab.store, run_id).state is RunState.DONE for run_id in ids)


def test_the_app_is_killed_and_the_training_goes_on(lab: Any) -> None:
    n_kills = 10 if lab.full else 3
    worker = lab.worker("cpu")
    run_id = lab.submit(epochs=400, epoch_s=0.2)
    lab.until(lab.trainers, 30)
    trainer = lab.trainers()
    for number in range(n_kills):
        app = subprocess.Popen(
            [sys.executable, "-m", "covaudit", "app", "--port", str(8611 + number)],
            cwd=PROJECT, env=os.environ | lab.store.settings.to_env() | {"COVAUDIT_AUTOSTART": "1"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        lab.started.append(app)
        time.sleep(lab.random.uniform(0.3, 4))
        os.killpg(app.pid, signal.SIGKILL)
        app.wait()
        assert lab.trainers() == trainer and worker.poll() is None
    assert [one.pid for one in workers.listing(lab.store)] == [worker.pid]
    assert [run.id for run in runs.listing(lab.store)] == [run_id] and runs.get(lab.store, run_id).attempt == 1
    lab.survived("kill -9 of the app", n_kills, "one worker and one trainer, both untouched")


def test_all_is_killed_at_once_as_by_a_power_cut(lab: Any) -> None:
    ids = [lab.submit(epochs=6, epoch_s=0.3) for _ in range(2)]
    for _ in range(3):
        worker = lab.worker()
        lab.until(lambda: lab.trainers() or _all_done(lab, ids), 30)
        time.sleep(lab.random.uniform(0.2, 1))
        for pid in [worker.pid, *lab.trainers()]:
            os.kill(pid, signal.SIGKILL)
        worker.wait()
    lab.worker()
    lab.finish_all(ids)
    lab.check(ids, 6)
    lab.survived("kill -9 of all at once", 3, "2 runs done, resumed from their checkpoints")
