"""A worker from outside: what a person sees of it."""

import os
import signal
import subprocess
import time
from collections.abc import Callable

import psutil
import pytest

from covaudit.domain.experiment import Experiment
from covaudit.domain.run import GATHER, Run, RunState
from covaudit.jobs import submit
from covaudit.store import Store, artifacts, folds, runs, workers

Ask = Callable[..., Experiment]
Until = Callable[..., Run]
Start = Callable[[], "subprocess.Popen[bytes]"]


def test_runs_end_as_they_should(store: Store, ask: Ask, start_worker: Start) -> None:
    good = submit.submit(store, ask(seed=1)).run_id
    bad = submit.submit(store, ask(seed=2, notes="reason")).run_id
    odd = submit.submit(store, ask(seed=3, notes="fail once")).run_id
    process = start_worker()
    assert submit.wait(store, good).state is RunState.DONE
    run = submit.wait(store, bad)
    assert (run.state, run.reason) == (RunState.FAILED, "The sky fell. Look up.")
    run = submit.wait(store, odd)
    assert (run.state, run.reason) == (
        RunState.FAILED,
        "The process ended with exit code 3. The end of its log says why.",
    )
    assert (artifacts.run_folder(store, odd, 1) / "log.txt").read_text() == "attempt 1 on cpu\n"

    submit.retry(store, odd)
    again = submit.wait(store, odd)
    assert (again.state, again.attempt, again.reason) == (RunState.DONE, 2, None)
    assert (artifacts.run_folder(store, odd, 2) / "log.txt").read_text() == "attempt 2 on cpu\n"

    begun = time.monotonic()
    seen: list[tuple[str, int]] = []
    late = submit.submit(store, ask(seed=4)).run_id
    run = submit.wait(store, late, on_change=lambda run: seen.append((run.state.value, run.attempt)))
    assert run.started is not None and (run.started - run.created).total_seconds() < 1
    assert seen[-1] == ("done", 1) and time.monotonic() - begun < 10

    (worker,) = workers.listing(store)
    assert worker.pid == process.pid and worker.is_alive(runs.now()) and worker.id.endswith(":cpu")
    assert psutil.Process(process.pid).memory_info().rss < 150e6  # no torch, no pandas


def test_cancel_stops_a_deaf_process_and_its_child_within_10_s(
    store: Store, ask: Ask, start_worker: Start, until: Until
) -> None:
    run_id = submit.submit(store, ask(notes="deaf")).run_id
    waiting = submit.submit(store, ask(seed=1, notes="slow")).run_id
    start_worker()
    folder = artifacts.run_folder(store, run_id, 1)
    until(run_id, lambda run: (folder / "child").exists() and "child" in (folder / "log.txt").read_text())
    pids = [int((folder / name).read_text()) for name in ("pid", "child")]

    begun = time.monotonic()
    assert submit.cancel(store, waiting).state is RunState.CANCELLED
    assert time.monotonic() - begun < 1
    assert submit.cancel(store, run_id).state is RunState.CANCELLING
    assert submit.cancel(store, run_id).state is RunState.CANCELLING
    run = until(run_id, lambda run: run.state.is_finished, within_s=10)
    assert (run.state, run.reason) == (RunState.CANCELLED, "Cancelled by request.")
    assert not any(_is_alive(pid) for pid in pids)
    time.sleep(1)
    assert runs.get(store, waiting).attempt == 0


def test_each_fold_is_a_job_and_the_last_pools_them(store: Store, ask: Ask, start_worker: Start) -> None:
    asked = ask(split={"folds": 3})
    run_id = submit.submit(store, asked).run_id
    start_worker()
    seen: list[RunState] = []
    run = submit.wait(store, run_id, on_change=lambda run: seen.append(run.state))
    assert (run.state, run.attempt, run.reason) == (RunState.DONE, 1, None)
    assert [(job.number, job.state, job.attempt) for job in folds.listing(store, run_id)] == [
        (number, RunState.DONE, 1) for number in (GATHER, 0, 1, 2)
    ]
    folder = artifacts.run_folder(store, run_id, 1)
    pids = [(folder / f"fold-{number}" / "pid").read_text() for number in range(3)] + [(folder / "pid").read_text()]
    assert len(set(pids)) == 4 and set(seen) <= {RunState.QUEUED, RunState.RUNNING, RunState.DONE}


def test_a_fold_that_failed_is_resumed_and_the_others_are_kept(store: Store, ask: Ask, start_worker: Start) -> None:
    run_id = submit.submit(store, ask(split={"folds": 3}, notes="fail fold 1 once")).run_id
    start_worker()
    run = submit.wait(store, run_id)
    assert (run.state, run.reason) == (RunState.FAILED, "fold 2 of 3: The sky fell. Look up.")
    submit.resume(store, run_id)
    assert submit.wait(store, run_id).state is RunState.DONE
    assert [job.attempt for job in folds.listing(store, run_id)] == [2, 1, 2, 2]


def test_the_urgent_run_goes_first(store: Store, ask: Ask, start_worker: Start) -> None:
    ids = [
        submit.submit(store, ask(seed=seed), priority=priority).run_id for seed, priority in enumerate((0, 5, 0, -5))
    ]
    submit.prioritise(store, ids[2], 9)
    assert [submit.queue_position(store, run_id) for run_id in ids] == [3, 2, 1, 4]
    start_worker()
    ended = [submit.wait(store, run_id) for run_id in ids]
    assert sorted(ids, key=lambda one: ended[ids.index(one)].started) == [ids[2], ids[1], ids[0], ids[3]]


def test_a_killed_worker_takes_its_process_along_and_the_next_goes_on(
    store: Store, ask: Ask, start_worker: Start, until: Until
) -> None:
    run_id = submit.submit(store, ask(notes="slow")).run_id
    worker = start_worker()
    folder = artifacts.run_folder(store, run_id, 1)
    until(run_id, lambda run: (folder / "pid").exists())
    trainer = int((folder / "pid").read_text())

    worker.kill()
    worker.wait()
    _wait_for_death(trainer, within_s=2)
    assert runs.get(store, run_id).state is RunState.RUNNING
    start_worker()
    run = until(run_id, lambda run: run.attempt == 2)
    assert run.state is RunState.RUNNING
    submit.cancel(store, run_id)
    assert until(run_id, lambda run: run.state.is_finished).state is RunState.CANCELLED


def test_a_run_cancelled_while_its_worker_was_dead_is_cancelled(
    store: Store, ask: Ask, start_worker: Start, until: Until
) -> None:
    run_id = submit.submit(store, ask(notes="slow")).run_id
    worker = start_worker()
    until(run_id, lambda run: run.state is RunState.RUNNING)
    worker.kill()
    worker.wait()
    assert submit.cancel(store, run_id).state is RunState.CANCELLING
    start_worker()
    run = until(run_id, lambda run: run.state.is_finished)
    assert (run.state, run.attempt) == (RunState.CANCELLED, 1)


def test_a_worker_that_is_told_to_leave_hands_its_run_back(
    store: Store, ask: Ask, start_worker: Start, until: Until
) -> None:
    run_id = submit.submit(store, ask(notes="slow")).run_id
    worker = start_worker()
    folder = artifacts.run_folder(store, run_id, 1)
    until(run_id, lambda run: (folder / "pid").exists())
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=20) == 0
    run = runs.get(store, run_id)
    assert (run.state, run.attempt, run.beat) == (RunState.QUEUED, 1, None)
    assert not _is_alive(int((folder / "pid").read_text()))
    assert workers.listing(store)[0].stopped is not None
    start_worker()
    assert until(run_id, lambda run: run.attempt == 2).state is RunState.RUNNING


def test_a_killed_trainer_is_explained(store: Store, ask: Ask, start_worker: Start, until: Until) -> None:
    run_id = submit.submit(store, ask(notes="slow")).run_id
    start_worker()
    folder = artifacts.run_folder(store, run_id, 1)
    until(run_id, lambda run: (folder / "pid").exists())
    os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
    run = until(run_id, lambda run: run.state.is_finished, within_s=3)
    assert run.state is RunState.FAILED and run.reason is not None
    assert "probably for lack of memory" in run.reason and "batch 32 -> 16?" in run.reason


@pytest.mark.slow
def test_ten_kills_of_the_worker_in_a_row_lose_nothing(
    store: Store, ask: Ask, start_worker: Start, until: Until
) -> None:
    ids = [submit.submit(store, ask(seed=seed, notes="short")).run_id for seed in range(6)]
    for number in range(10):
        worker = start_worker()
        time.sleep(0.8 + 0.17 * number)
        worker.kill()
        worker.wait()
    start_worker()
    ended = [until(run_id, lambda run: run.state.is_finished, within_s=60) for run_id in ids]
    assert {run.state for run in ended} <= {RunState.DONE, RunState.FAILED}
    # A run may be hit four times at most; then it has failed and says so, which is not lost either.
    assert all(run.reason is None or "died 4 times" in run.reason for run in ended)


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait_for_death(pid: int, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while _is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.02)
