from collections.abc import Callable

import pytest

from covaudit.domain.experiment import Experiment
from covaudit.domain.run import RunState
from covaudit.jobs import rescue, submit
from covaudit.store import Store, folds, runs

Ask = Callable[..., Experiment]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """This process's own time, moved by hand."""
    now = [1000.0]
    monkeypatch.setattr(rescue.time, "monotonic", lambda: now[0])
    return now


def test_silence_is_a_beat_that_does_not_change(store: Store, ask: Ask, clock: list[float]) -> None:
    run_id = submit.submit(store, ask()).run_id
    watch = rescue.Watch(silence_s=20)
    runs.claim(store, run_id, "cpu")
    assert watch.look(store) == []
    clock[0] += 15
    assert watch.look(store) == []
    runs.beat(store, run_id, 1)
    clock[0] += 15
    assert watch.look(store) == []
    clock[0] += 15
    assert watch.look(store) == []
    clock[0] += 6
    assert [job.run_id for job in watch.look(store)] == [run_id]
    runs.claim(store, run_id, "cpu")  # its worker came back: a new attempt, a new watch
    assert watch.look(store) == []


def test_a_silent_run_waits_for_another_worker_and_the_old_one_is_shut_out(store: Store, ask: Ask) -> None:
    run_id = submit.submit(store, ask()).run_id
    old = runs.ticket(store, run_id)
    runs.claim(store, run_id, "cuda:7", old)
    rescue.rescue(store, folds.get(store, run_id, 0))
    assert runs.get(store, run_id).state is RunState.QUEUED
    assert not runs.is_current(store, run_id, 1)
    assert runs.claim(store, run_id, "cuda:7", old) is None
    assert runs.claim(store, run_id, "cpu", runs.ticket(store, run_id)) == 2


def test_a_run_that_was_to_be_cancelled_is_and_one_lost_too_often_has_failed(store: Store, ask: Ask) -> None:
    cancelled, often = submit.submit(store, ask(seed=1)).run_id, submit.submit(store, ask(seed=2)).run_id
    runs.claim(store, cancelled, "cpu")
    runs.cancel(store, cancelled)
    rescue.rescue(store, folds.get(store, cancelled, 0))
    assert runs.get(store, cancelled).state is RunState.CANCELLED
    for _ in range(4):
        runs.claim(store, often, "cpu")
        rescue.rescue(store, folds.get(store, often, 0))
    run = runs.get(store, often)
    assert (run.state, run.reason, run.attempt) == (RunState.FAILED, runs.LOST_TOO_OFTEN, 4)
