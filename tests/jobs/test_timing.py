"""Time left and cost, from rows whose times are worked out by hand."""

import math

import pytest

from covaudit.domain.run import EpochRecord, Progress, RunState
from covaudit.domain.time_left import TRAINING
from covaudit.jobs import timing
from covaudit.store import Store, folds, results, runs


def _add(store: Store, ask, **fields) -> str:
    experiment = ask(**fields)
    with store.engine.begin() as connection:
        runs.create(connection, experiment)
    return str(experiment.id)


def _train(store: Store, run_id: str, seconds: list[float], fold: int = 0) -> int:
    attempt = folds.claim(store, run_id, "cpu", fold=fold)
    assert attempt is not None
    for number, spent in enumerate(seconds, start=1):
        record = EpochRecord(
            epoch=number, train_loss=1.0, val_loss=1.0, val_balanced_accuracy=0.5, lr=0.1, seconds=spent
        )
        runs.add_epoch(store, run_id, attempt, record, fold)
    return attempt


def _done(store: Store, ask, summary: dict[str, object], seconds: list[float]) -> str:
    run_id = _add(store, ask, name="before", seed=9)
    attempt = _train(store, run_id, seconds)
    results.write_outcome(store, run_id, attempt, results.Outcome(summary=summary), [])
    return run_id


def test_time_left_counts_what_a_finished_run_took_after_its_training(store: Store, ask) -> None:
    _done(store, ask, {"stages": {TRAINING: 20.0, "explaining": 10.0}}, [10.0, 10.0])
    run_id = _add(store, ask, name="now")
    epochs = runs.get(store, run_id).experiment.training.epochs
    attempt = _train(store, run_id, [4.0, 4.0])
    folds.report(store, run_id, attempt, Progress(stage=TRAINING, done=50, total=25 * epochs))
    run = runs.get(store, run_id)
    # After its training the other run took one epoch's time (10 s of 10 s); 50 steps are the two epochs that are done.
    assert timing.left(store, run) == pytest.approx(((epochs - 2 + 0.8) * 4.0, (epochs - 2 + 1.25) * 4.0))
    job = folds.get(store, run_id, 0)
    assert timing.rate(run, job, runs.epochs(store, run_id)) == pytest.approx(25 / 4.0)


def test_nothing_is_said_of_a_run_that_waits_or_has_no_epoch(store: Store, ask) -> None:
    run_id = _add(store, ask)
    assert timing.left(store, runs.get(store, run_id)) is None
    _train(store, run_id, [])
    assert timing.left(store, runs.get(store, run_id)) is None
    assert timing.share_done(store, runs.get(store, run_id)) == 0.0


def test_folds_that_wait_are_added_for_each_round_of_the_devices(store: Store, ask) -> None:
    run_id = _add(store, ask, split={"method": "patient", "folds": 5})
    epochs = runs.get(store, run_id).experiment.training.epochs
    for fold in (0, 1):
        attempt = _train(store, run_id, [2.0, 2.0], fold=fold)
        folds.report(store, run_id, attempt, Progress(stage=TRAINING, done=2, total=epochs), fold)
    left = timing.left(store, runs.get(store, run_id))
    rounds = math.ceil(3 / 2)
    low, high = 2.0 * (epochs - 2 + 0.5), 2.0 * (epochs - 2 + 4.0)
    assert left == pytest.approx((low + rounds * 2.0 * (epochs + 0.5), high + rounds * 2.0 * (epochs + 4.0)))
    share = (2 * (0.05 + 0.75 * 2 / epochs)) / 5
    assert timing.share_done(store, runs.get(store, run_id)) == pytest.approx(share)


def test_the_cost_is_that_of_the_newest_run_of_the_same_network_and_size(store: Store, ask) -> None:
    wanted = ask(name="wanted")
    assert timing.expected(store, wanted, 100, 20) is None
    summary = {"seconds": 40.0, "counts": [{"split": "train", "n": 100}, {"split": "val", "n": 100}], "parameters": 10}
    _done(store, ask, summary, [5.0, 5.0])
    cost = timing.expected(store, wanted, 100, 20)
    assert cost is not None
    middle = 40.0 / 200 / 2 * 100 * wanted.training.epochs
    assert cost.time == pytest.approx((0.6 * middle, 1.6 * middle))
    other = ask(name="other", training={"image_size": 64})
    assert timing.expected(store, other, 100, 20) is None


def test_a_run_that_is_done_is_done(store: Store, ask) -> None:
    run_id = _done(store, ask, {}, [1.0])
    run = runs.get(store, run_id)
    assert run.state is RunState.DONE
    assert timing.share_done(store, run) == 1.0
    assert timing.left(store, run) is None
