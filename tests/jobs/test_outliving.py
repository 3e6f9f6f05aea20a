"""A worker whose processes outlive it: what it had begun is waited for, what a lost one had begun is ended."""

from collections.abc import Callable
from typing import Any

import pytest

from covaudit.domain.run import RunState
from covaudit.jobs.launchers import Attempt, Outliving
from covaudit.jobs.worker import Worker
from covaudit.store import Store, folds, results, runs


class Cluster:
    """Stands for a cluster: attempts that were begun there live until they are stopped."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.alive: set[int] = set()
        self.waited: list[int] = []
        self.stopped: list[int] = []

    def __call__(self, attempt: Attempt, is_wanted: Callable[[], bool]) -> int | None:
        self.waited.append(attempt.number)
        results.write_outcome(self.store, attempt.run_id, attempt.number, results.Outcome(), [])
        return 0

    def is_alive(self, attempt: Attempt) -> bool:
        return attempt.number in self.alive

    def stop(self, attempt: Attempt) -> None:
        self.stopped.append(attempt.number)


@pytest.fixture
def run_id(store: Store, ask: Any) -> str:
    """A run that a worker had begun, attempt 1, when it died."""
    experiment = ask()
    with store.engine.begin() as connection:
        runs.create(connection, experiment)
    assert folds.claim(store, experiment.id, "cpu") == 1
    return str(experiment.id)


def test_a_worker_that_comes_back_waits_for_what_it_had_begun(store: Store, run_id: str) -> None:
    cluster = Cluster(store)
    cluster.alive = {1}
    assert isinstance(cluster, Outliving)
    Worker(store, "cpu", cluster)._work(run_id, 0, str(folds.ticket(store, run_id)))
    run = runs.get(store, run_id)
    assert (run.state, run.attempt, cluster.waited, cluster.stopped) == (RunState.DONE, 1, [1], [])


def test_what_has_ended_there_is_begun_anew(store: Store, run_id: str) -> None:
    cluster = Cluster(store)
    Worker(store, "cpu", cluster)._work(run_id, 0, str(folds.ticket(store, run_id)))
    assert (runs.get(store, run_id).attempt, cluster.waited) == (2, [2])


def test_another_worker_ends_what_the_lost_one_had_begun(store: Store, run_id: str) -> None:
    cluster = Cluster(store)
    cluster.alive = {1}
    with store.engine.begin() as connection:
        entry = folds.hand_back(connection, run_id, 1, lost=True)
    assert entry is not None
    Worker(store, "cpu", cluster)._work(run_id, 0, str(folds.ticket(store, run_id)))
    run = runs.get(store, run_id)
    assert (run.state, run.attempt, cluster.waited, cluster.stopped) == (RunState.DONE, 2, [2], [1])
