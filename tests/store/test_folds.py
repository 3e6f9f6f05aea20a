"""A run with several folds: each is a job of its own, and the run follows from them."""

from collections.abc import Callable

import pytest

from covaudit.domain.experiment import Experiment
from covaudit.domain.run import GATHER, EpochRecord, Progress, RunState
from covaudit.errors import BadState
from covaudit.store import Store, artifacts, folds, results, runs

Ask = Callable[..., Experiment]

Q, R, X = RunState.QUEUED, RunState.RUNNING, RunState.CANCELLING
D, F, C = RunState.DONE, RunState.FAILED, RunState.CANCELLED


@pytest.fixture
def run_id(store: Store, ask: Ask) -> str:
    """A queued run with three folds."""
    experiment = ask(split={"folds": 3})
    with store.engine.begin() as connection:
        entries = runs.create(connection, experiment, priority=7)
    assert [(entry.run_id, entry.fold, entry.priority) for entry in entries] == [
        (experiment.id, n, 7) for n in range(3)
    ]
    assert len({entry.ticket for entry in entries}) == 3
    return experiment.id


def finish(store: Store, run_id: str, *numbers: int) -> None:
    for number in numbers:
        attempt = runs.claim(store, run_id, "cpu", fold=number)
        assert attempt is not None
        results.write_fold(store, run_id, attempt, number)


def gather(store: Store, run_id: str) -> folds.Entry | None:
    with store.engine.begin() as connection:
        return folds.gather(connection, run_id)


def states(store: Store, run_id: str) -> list[RunState]:
    return [job.state for job in folds.listing(store, run_id)]


@pytest.mark.parametrize(
    ("jobs", "run"),
    [
        ((Q, Q, Q), Q), ((R, Q, Q), R), ((D, Q, Q), Q), ((D, R, Q), R), ((R, R, F), R), ((D, X, C), X), ((R, X, C), X),
        ((D, F, C), F), ((D, F, F), F), ((D, D, C), C), ((C, C, C), C), ((D, D, D), Q), ((D, D, D, Q), Q),
        ((D, D, D, R), R), ((D, D, D, X), X), ((D, D, D, F), F), ((D, D, D, C), C), ((D, D, D, D), D),
    ],
)  # fmt: skip
def test_the_state_of_a_run_follows_from_its_jobs(jobs: tuple[RunState, ...], run: RunState) -> None:
    assert folds.overall_state(jobs, n_folds=3) is run


def test_folds_run_side_by_side_and_the_run_is_done_when_they_are_pooled(store: Store, run_id: str) -> None:
    assert runs.claim(store, run_id, "cuda:0", fold=0) == 1
    assert runs.claim(store, run_id, "cuda:1", fold=2) == 1
    run = runs.get(store, run_id)
    assert (run.state, run.attempt, run.device, run.priority) == (R, 1, "cuda:0, cuda:1", 7)
    assert folds.to_gather(store) == [] and gather(store, run_id) is None

    results.write_fold(store, run_id, 1, 0)
    results.write_fold(store, run_id, 1, 2)
    assert (runs.get(store, run_id).state, runs.get(store, run_id).finished) == (Q, None)
    finish(store, run_id, 1)
    assert runs.get(store, run_id).state is Q and folds.to_gather(store) == [run_id]

    entry = gather(store, run_id)
    assert entry is not None and (entry.fold, entry.priority) == (GATHER, 7)
    assert gather(store, run_id) is None and folds.to_gather(store) == []
    assert runs.claim(store, run_id, "cpu", entry.ticket, GATHER) == 1
    results.write_outcome(store, run_id, 1, results.Outcome(summary={"n": 1}), [])
    run = runs.get(store, run_id)
    assert (run.state, run.reason, results.summary(store, run_id)) == (D, None, {"n": 1})
    assert run.started is not None and run.finished is not None


def test_the_run_tells_of_the_first_fold_that_works(store: Store, run_id: str) -> None:
    finish(store, run_id, 0)
    for number in (1, 2):
        runs.claim(store, run_id, "cpu", fold=number)
        runs.report(store, run_id, 1, Progress(stage="training", done=number, total=9), number)
    assert runs.get(store, run_id).progress == Progress(stage="fold 2 of 3: training", done=1, total=9)
    assert [job.progress.done for job in folds.listing(store, run_id)] == [0, 1, 2]


def test_the_oldest_beat_is_the_runs(store: Store, run_id: str) -> None:
    for number in (0, 1):
        runs.claim(store, run_id, "cpu", fold=number)
    first = folds.get(store, run_id, 1).beat
    assert runs.beat(store, run_id, 1, fold=0)
    assert runs.get(store, run_id).beat == first
    results.write_fold(store, run_id, 1, 1)
    assert runs.get(store, run_id).beat == folds.get(store, run_id, 0).beat != first


def test_a_fold_that_fails_spares_those_that_wait_and_not_those_that_run(store: Store, run_id: str) -> None:
    for number in (0, 1):
        runs.claim(store, run_id, "cpu", fold=number)
    runs.finish(store, run_id, 1, F, "The disk is full.", fold=1)
    assert states(store, run_id) == [R, F, C] and runs.get(store, run_id).state is R
    results.write_fold(store, run_id, 1, 0)
    run = runs.get(store, run_id)
    assert (run.state, run.reason) == (F, "fold 2 of 3: The disk is full.")
    assert folds.get(store, run_id, 2).reason == "Not started, for fold 2 failed."


def test_to_resume_keeps_the_folds_that_are_done(store: Store, run_id: str) -> None:
    finish(store, run_id, 0)
    runs.claim(store, run_id, "cpu", fold=1)
    runs.finish(store, run_id, 1, F, "broke", fold=1)
    with store.engine.begin() as connection:
        entries = runs.requeue(connection, run_id)
    assert [entry.fold for entry in entries] == [1, 2] and states(store, run_id) == [D, Q, Q]
    assert runs.claim(store, run_id, "cpu", fold=1) == 2 and runs.base(store, run_id) == 0
    results.write_fold(store, run_id, 2, 1)
    finish(store, run_id, 2)
    gather(store, run_id)
    assert runs.claim(store, run_id, "cpu", fold=GATHER) == 2
    assert [job.attempt for job in folds.listing(store, run_id)] == [2, 1, 2, 2]


def test_to_retry_from_the_start_forgets_them_and_their_checkpoints(store: Store, run_id: str) -> None:
    finish(store, run_id, 0, 1, 2)
    gather(store, run_id)
    runs.claim(store, run_id, "cpu", fold=GATHER)
    runs.finish(store, run_id, 1, F, "broke", fold=GATHER)
    assert runs.get(store, run_id).reason == "broke"
    with store.engine.begin() as connection:
        assert [entry.fold for entry in runs.requeue(connection, run_id, from_start=True)] == [0, 1, 2]
    assert states(store, run_id) == [Q, Q, Q] and runs.base(store, run_id) == 1
    assert runs.claim(store, run_id, "cpu", fold=2) == 2


def test_a_pooling_that_failed_is_queued_alone(store: Store, run_id: str) -> None:
    finish(store, run_id, 0, 1, 2)
    gather(store, run_id)
    runs.claim(store, run_id, "cpu", fold=GATHER)
    runs.finish(store, run_id, 1, F, "broke", fold=GATHER)
    with store.engine.begin() as connection:
        assert [entry.fold for entry in runs.requeue(connection, run_id)] == [GATHER]
    assert runs.claim(store, run_id, "cpu", fold=GATHER) == 2


def test_cancel_ends_what_waits_and_asks_what_runs(store: Store, run_id: str) -> None:
    finish(store, run_id, 0)
    runs.claim(store, run_id, "cpu", fold=1)
    waiting = runs.ticket(store, run_id, 2)
    assert runs.cancel(store, run_id) == [waiting] and runs.cancel(store, run_id) == []
    assert states(store, run_id) == [D, X, C] and runs.get(store, run_id).state is X
    with pytest.raises(BadState, match="is not running any more"):
        results.write_fold(store, run_id, 1, 1)
    assert runs.finish(store, run_id, 1, C, folds.CANCELLED, 1)
    run = runs.get(store, run_id)
    assert (run.state, run.reason) == (C, "Cancelled by request.")


def test_a_fold_whose_worker_was_lost_goes_on_alone(store: Store, run_id: str) -> None:
    for number in (0, 1):
        runs.claim(store, run_id, "cpu", fold=number)
    old = runs.ticket(store, run_id, 1)
    with store.engine.begin() as connection:
        entry = runs.hand_back(connection, run_id, 1, fold=1, lost=True)
    assert entry is not None and entry.ticket != old
    assert states(store, run_id) == [R, Q, Q] and runs.claim(store, run_id, "cpu", old, 1) is None
    assert runs.claim(store, run_id, "cpu", entry.ticket, 1) == 2
    assert runs.is_current(store, run_id, 1, fold=0) and not runs.is_current(store, run_id, 1, fold=1)


def test_each_fold_has_its_epochs_and_its_folder(store: Store, run_id: str) -> None:
    for number in (0, 1):
        runs.claim(store, run_id, "cpu", fold=number)
        record = EpochRecord(epoch=1, train_loss=number, val_loss=1.0, val_balanced_accuracy=0.5, lr=0.1, seconds=1.0)
        assert runs.add_epoch(store, run_id, 1, record, fold=number)
    assert [runs.epochs(store, run_id, fold=number)[0].train_loss for number in (0, 1)] == [0.0, 1.0]
    folder = artifacts.run_folder(store, run_id, 1)
    assert artifacts.fold_folder(store, run_id, 1, 1, 3) == folder / "fold-1"
    assert artifacts.fold_folder(store, run_id, 1, GATHER, 3) == artifacts.fold_folder(store, run_id, 1, 0, 1) == folder


def test_the_higher_priority_goes_first_and_among_equals_the_older(store: Store, ask: Ask, run_id: str) -> None:
    for seed, priority in ((1, 0), (2, 7), (3, 9)):
        with store.engine.begin() as connection:
            runs.create(connection, ask(seed=seed), priority=priority)
    ids = [run_id, *(ask(seed=seed).id for seed in (1, 2, 3))]
    assert [runs.queue_position(store, one) for one in ids] == [2, 4, 3, 1]
    old = runs.ticket(store, ids[1])
    with store.engine.begin() as connection:
        (entry,) = runs.prioritise(connection, ids[1], 100)
    assert entry.priority == 100 and runs.claim(store, ids[1], "cpu", old) is None
    assert [runs.queue_position(store, one) for one in ids] == [3, 1, 4, 2]
    assert runs.queue_positions(store) == {ids[1]: 1, ids[3]: 2, ids[0]: 3, ids[2]: 4}
