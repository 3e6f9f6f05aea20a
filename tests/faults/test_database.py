"""A data base that is away, locked or asked by many at once; two hosts on one (threats C3, C7, J6, J7, J8, J12)."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from covaudit.domain.experiment import Experiment
from covaudit.domain.run import RunState
from covaudit.jobs import submit
from covaudit.settings import Settings
from covaudit.store import Store, folds, runs, workers


def test_fifty_submissions_at_once_make_one_job(lab: Any, ask: Callable[..., Experiment]) -> None:
    submit.check(lab.store, ask())
    with ThreadPoolExecutor(50) as pool:
        told = list(pool.map(lambda _: submit.submit(lab.store, ask()), range(50)))
    assert [one.created for one in told].count(True) == 1 and len({one.run_id for one in told}) == 1
    with lab.store.engine.connect() as connection:
        entries = connection.execute(text("SELECT count(*) FROM workflow_status")).scalar()
    assert (entries, runs.count(lab.store)) == (1, 1)
    lab.survived("double submission by 50 threads", 50, "one run, one entry in the queue")


def test_a_locked_database_is_waited_for(lab: Any) -> None:
    lab.worker()
    run_id = lab.submit(epochs=12, epoch_s=0.2)
    lab.until(lab.trainers, 30)
    for hold_s in (3, 35) if lab.full else (3,):
        holder = sqlite3.connect(lab.store.workspace / "covaudit.sqlite", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        time.sleep(hold_s)
        holder.execute("COMMIT")
        holder.close()
    assert lab.ended(run_id).state is RunState.DONE
    lab.check([run_id], 12)
    assert runs.get(lab.store, run_id).attempt == 1
    lab.survived("SQLite locked from outside", "3 s, 35 s" if lab.full else "3 s", "the run went on, one attempt")


def test_a_worker_that_slept_finds_its_run_as_it_was(lab: Any) -> None:
    worker = lab.worker()
    sleep_s = 30 if lab.full else 6
    run_id = lab.submit(epochs=int(sleep_s / 0.2) + 15, epoch_s=0.2)
    lab.until(lab.trainers, 30)
    os.kill(worker.pid, signal.SIGSTOP)
    time.sleep(sleep_s)
    os.kill(worker.pid, signal.SIGCONT)
    run = lab.ended(run_id, 120)
    assert (run.state, run.attempt) == (RunState.DONE, 1)
    lab.survived("worker stopped (SIGSTOP)", f"{sleep_s} s", "its trainer went on and beat; one attempt")


def test_a_clock_that_jumps_back_changes_no_order(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = lab.submit(epochs=1, epoch_s=0.1)
    real = runs.now
    with monkeypatch.context() as patched:
        patched.setattr(runs, "now", lambda: real().replace(year=2020))
        second = lab.submit(epochs=1, epoch_s=0.1)
    assert [run.id for run in runs.listing(lab.store)] == [second, first]
    lab.worker()
    assert {lab.ended(run_id).state for run_id in (first, second)} == {RunState.DONE}
    lab.survived("clock set back 6 years", 1, "the list keeps its order, both runs done")


def test_a_thousand_waiting_runs_are_listed_at_once(store: Store, ask: Callable[..., Experiment], lab: Any) -> None:
    with store.engine.begin() as connection:
        for seed in range(1000):
            runs.create(connection, ask(seed=seed), priority=seed % 7)
    begun = time.perf_counter()
    positions, listed = runs.queue_positions(store), runs.listing(store, limit=1000)
    took = time.perf_counter() - begun
    assert sorted(positions.values()) == list(range(1, 1001)) and len(listed) == 1000
    assert positions[ask(seed=6).id] == 1 and took < 1
    lab.survived("1,000 runs that wait", 1000, f"listed with their places in {1000 * took:.0f} ms")


@pytest.fixture
def on_postgresql(lab: Any, postgresql: Any, tmp_path: Path) -> Any:
    """The laboratory on a PostgreSQL of its own."""
    database = postgresql.create(f"lab_{os.getpid()}_{time.monotonic_ns()}", "made")
    lab.store = Store.open(Settings(tmp_path / "shared", database, device="cpu", autostart=False))
    yield lab
    lab.store.close()


def test_an_outage_of_postgresql_over_the_end_of_a_run_is_outlived(on_postgresql: Any, postgresql: Any) -> None:
    lab = on_postgresql
    lab.worker("cpu")
    run_id, waiting = lab.submit(epochs=10, epoch_s=0.3), lab.submit(epochs=2, epoch_s=0.1)
    lab.until(lambda: runs.get(lab.store, run_id).progress.done > 8, 60)
    postgresql.stop()
    time.sleep(12)
    postgresql.start()
    assert lab.ended(run_id, 90).state is RunState.DONE and lab.ended(waiting, 90).state is RunState.DONE
    lab.check([run_id], 10)
    lab.check([waiting], 2)
    assert [runs.get(lab.store, one).attempt for one in (run_id, waiting)] == [1, 1]
    lab.survived("PostgreSQL away", "12 s", "the run under way and the one that waited done, one attempt each")


def test_two_hosts_on_one_postgresql_do_each_of_five_folds_once(on_postgresql: Any) -> None:
    lab = on_postgresql
    run_id = lab.submit(n_folds=5, epochs=3, epoch_s=0.3)
    for host in ("left", "right"):
        lab.worker("cpu", host=host)
    run = lab.ended(run_id, 120)
    assert (run.state, run.attempt) == (RunState.DONE, 1)
    done = sorted(line[1] for line in lab.trace(run_id) if line[0] == "done")
    assert done == ["-1", "0", "1", "2", "3", "4"] and len(lab.trace(run_id)) == 12
    assert {one.id for one in workers.listing(lab.store)} == {"left:cpu", "right:cpu"}
    assert {job.attempt for job in folds.listing(lab.store, run_id)} == {1}
    lab.survived("5 folds on two hosts, one PostgreSQL", 5, "each fold done once, pooled once")


def test_a_host_that_is_lost_for_good_gives_its_fold_to_the_other(on_postgresql: Any) -> None:
    lab = on_postgresql
    if not lab.full:
        pytest.skip("in the long form: silence is 20 s")
    lost = lab.worker("cpu", host="left")
    run_id = lab.submit(epochs=8, epoch_s=0.3)
    lab.until(lab.trainers, 60)
    time.sleep(1)
    lost.kill()
    lab.worker("cpu", host="right")
    run = lab.ended(run_id, 120)
    assert (run.state, run.attempt) == (RunState.DONE, 2)
    lab.check([run_id], 8)
    lab.survived("a host lost for good", 1, "the other took its run up from the checkpoint")


def test_fifty_jobs_of_a_second_on_two_slots(lab: Any) -> None:
    n_jobs = 50 if lab.full else 12
    ids = [lab.submit(epochs=1, epoch_s=1) for _ in range(n_jobs)]
    for device in ("cuda:0", "cuda:1"):
        lab.worker(device)
    lab.until(lambda: any(runs.get(lab.store, run_id).started for run_id in ids), 60)
    begun = time.monotonic()
    for run_id in ids:
        assert lab.ended(run_id, 300).state is RunState.DONE
    took = time.monotonic() - begun
    alone = _alone(lab)
    # Beside what the processes themselves take, two at a time, the queue adds little.
    assert took < 1.35 * (n_jobs / 2) * alone + 5
    lab.survived(f"{n_jobs} jobs of 1 s on two slots", n_jobs, f"{took:.1f} s; one process alone takes {alone:.1f} s")


def _alone(lab: Any) -> float:
    """Seconds that the process of a run takes, as its own times tell: the median of all."""
    took = [(run.finished - run.started).total_seconds() for run in runs.listing(lab.store) if run.finished]
    return float(sorted(took)[len(took) // 2])
