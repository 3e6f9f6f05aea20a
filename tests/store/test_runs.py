import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from math import isnan, nan

import pytest
from sqlalchemy.exc import IntegrityError

from covaudit.domain.experiment import Experiment
from covaudit.domain.run import EpochRecord, Progress, RunState
from covaudit.errors import BadState, UnknownName
from covaudit.store import Store, results, runs

Bring = Callable[[RunState], str]
Ask = Callable[..., Experiment]

Q, R, X = RunState.QUEUED, RunState.RUNNING, RunState.CANCELLING
D, F, C = RunState.DONE, RunState.FAILED, RunState.CANCELLED


def _outcome(store: Store, run_id: str) -> None:
    with suppress(BadState):
        results.write_outcome(store, run_id, 1, results.Outcome(), [])


def _requeue(store: Store, run_id: str) -> None:
    with store.engine.begin() as connection:
        runs.requeue(connection, run_id)


def _hand_back(store: Store, run_id: str) -> None:
    with store.engine.begin() as connection:
        runs.hand_back(connection, run_id, 1)


ACTIONS: dict[str, Callable[[Store, str], object]] = {
    "claim": lambda store, run: runs.claim(store, run, "cpu"),
    "outcome": _outcome,
    "fail": lambda store, run: runs.finish(store, run, 1, F, "broke"),
    "end": lambda store, run: runs.finish(store, run, 1, C, "asked"),
    "cancel": runs.cancel,
    "requeue": _requeue,
    "hand back": _hand_back,
    "report": lambda store, run: runs.report(store, run, 1, Progress(stage="training")),
}

# The state after each action, by the state before; written by hand.
TABLE = {
    #                 Q  R  X  D  F  C
    "claim":          (R, R, C, D, F, C),
    "outcome":        (Q, D, X, D, F, C),
    "fail":           (Q, F, F, D, F, C),
    "end":            (Q, C, C, D, F, C),
    "cancel":         (C, X, X, D, F, C),
    "requeue":        (Q, R, X, Q, Q, Q),
    "hand back":      (Q, Q, X, D, F, C),
    "report":         (Q, R, X, D, F, C),
}  # fmt: skip


@pytest.mark.parametrize("action", TABLE)
def test_each_action_changes_only_the_states_it_may(action: str, store: Store, bring: Bring) -> None:
    found = []
    for before in (Q, R, X, D, F, C):
        run_id = bring(before)
        ACTIONS[action](store, run_id)
        found.append(runs.get(store, run_id).state)
    assert tuple(found) == TABLE[action]


@pytest.mark.parametrize("state", [D, F, C])
def test_a_finished_run_keeps_its_reason_times_and_progress(state: RunState, store: Store, bring: Bring) -> None:
    run_id = bring(state)
    before = runs.get(store, run_id)
    for action in set(ACTIONS) - {"requeue"}:
        ACTIONS[action](store, run_id)
    runs.beat(store, run_id, 1)
    assert not runs.add_epoch(store, run_id, 1, _epoch(1))
    assert runs.get(store, run_id) == before


def test_an_earlier_attempt_changes_nothing(store: Store, bring: Bring) -> None:
    run_id = bring(R)
    assert runs.claim(store, run_id, "cuda:0") == 2
    assert not runs.beat(store, run_id, 1)
    assert not runs.report(store, run_id, 1, Progress(stage="old"))
    assert not runs.add_epoch(store, run_id, 1, _epoch(1))
    assert not runs.finish(store, run_id, 1, F, "old")
    assert not runs.is_current(store, run_id, 1)
    with pytest.raises(BadState, match=f"Attempt 1 of run {run_id} is not running any more"):
        results.write_outcome(store, run_id, 1, results.Outcome(), [])
    run = runs.get(store, run_id)
    assert (run.state, run.attempt, run.device, run.progress, run.reason) == (R, 2, "cuda:0", Progress(), None)
    assert runs.is_current(store, run_id, 2) and runs.report(store, run_id, 2, Progress(stage="new"))


def test_an_old_ticket_gets_no_attempt(store: Store, bring: Bring) -> None:
    run_id = bring(F)
    first = runs.ticket(store, run_id)
    _requeue(store, run_id)
    assert runs.claim(store, run_id, "cpu", ticket=first) is None
    assert runs.claim(store, run_id, "cpu", ticket=runs.ticket(store, run_id)) == 2
    assert runs.claim(store, run_id, "cpu", ticket=first) is None


def test_one_of_twenty_gets_the_run(store: Store, bring: Bring) -> None:
    run_id = bring(Q)
    with ThreadPoolExecutor(20) as pool:
        ended = list(pool.map(lambda _: runs.cancel(store, run_id), range(20)))
    assert sorted(len(void) for void in ended) == [0] * 19 + [1]


def test_a_run_that_loses_its_worker_four_times_has_failed(store: Store, bring: Bring) -> None:
    run_id = bring(R)
    assert [runs.claim(store, run_id, "cpu") for _ in range(4)] == [2, 3, 4, None]
    run = runs.get(store, run_id)
    assert run.state is F and run.reason is not None and run.reason.startswith("Its worker died 4 times")
    _requeue(store, run_id)
    assert runs.claim(store, run_id, "cpu") == 5 and runs.claim(store, run_id, "cpu") == 6


def test_lost_workers_count_whether_they_come_back_or_not(store: Store, bring: Bring) -> None:
    run_id = bring(R)
    for attempt in (1, 2, 3):
        with store.engine.begin() as connection:
            assert runs.hand_back(connection, run_id, attempt, lost=True)
        assert runs.claim(store, run_id, "cpu") == attempt + 1
    with store.engine.begin() as connection:
        assert not runs.hand_back(connection, run_id, 4, lost=True)


def test_requeue_begins_anew_and_takes_the_results_away(store: Store, bring: Bring) -> None:
    run_id = bring(D)
    before = runs.ticket(store, run_id)
    _requeue(store, run_id)
    run = runs.get(store, run_id)
    assert (run.started, run.finished, run.beat, run.reason, run.device) == (None,) * 5
    assert run.attempt == 1 and runs.ticket(store, run_id) not in (None, before)


def test_the_same_experiment_has_one_row(store: Store, ask: Ask) -> None:
    with store.engine.begin() as connection:
        runs.create(connection, ask())
    with pytest.raises(IntegrityError), store.engine.begin() as connection:
        runs.create(connection, ask())
    assert runs.count(store) == 1


def test_a_run_is_found_by_the_beginning_of_its_id(store: Store, ask: Ask) -> None:
    with store.engine.begin() as connection:
        runs.create(connection, ask())
    run_id = ask().id
    assert runs.get(store, run_id[:4]).id == run_id
    for wrong in (run_id[:3], "zzzz", run_id + "0", "%%%%", "____", ""):
        with pytest.raises(UnknownName, match=f"Unknown run .* Allowed: {run_id}"):
            runs.get(store, wrong)


def test_an_ambiguous_beginning_is_refused_but_a_whole_id_is_not(store: Store) -> None:
    from sqlalchemy import delete, update

    from covaudit.store import schema

    with store.engine.begin() as connection:
        for seed, run_id in ((1, "abcd1"), (2, "abcd12")):
            one = Experiment.from_plain(
                {"name": "x", "task": "CL2", "seed": seed,
                 "train": [{"source": "a", "label": "NOR"}, {"source": "a", "label": "CVP"}]}
            )  # fmt: skip
            runs.create(connection, one)
            connection.execute(delete(schema.fold))
            connection.execute(update(schema.run).where(schema.run.c.id == one.id).values(id=run_id))
    with pytest.raises(UnknownName, match="Give more characters"):
        runs.get(store, "abcd")
    assert runs.get(store, "abcd1").id == "abcd1"


def test_the_listing_is_newest_first_and_by_state(store: Store, ask: Ask) -> None:
    made = [ask(seed=seed) for seed in range(5)]
    for experiment in made:
        with store.engine.begin() as connection:
            runs.create(connection, experiment)
    runs.claim(store, made[1].id, "cpu")
    assert [run.experiment.seed for run in runs.listing(store)] == [4, 3, 2, 1, 0]
    assert [run.experiment.seed for run in runs.listing(store, limit=2, offset=1)] == [3, 2]
    assert [run.experiment.seed for run in runs.listing(store, states=[R])] == [1]
    assert runs.listing(store)[0].experiment == made[4]
    assert [runs.queue_position(store, one.id) for one in made] == [1, None, 2, 3, 4]


def test_times_are_utc(store: Store, bring: Bring) -> None:
    run = runs.get(store, bring(D))
    assert run.started is not None and run.finished is not None
    assert {moment.utcoffset() for moment in (run.created, run.started, run.finished)} == {timedelta(0)}
    assert run.created <= run.started <= run.finished <= runs.now()


def test_epochs_are_of_one_attempt_and_keep_nan(store: Store, bring: Bring) -> None:
    run_id = bring(R)
    assert runs.add_epoch(store, run_id, 1, _epoch(2))
    assert runs.add_epoch(store, run_id, 1, _epoch(1, val_loss=nan))
    assert runs.add_epoch(store, run_id, 1, _epoch(2, train_loss=0.25))
    runs.claim(store, run_id, "cpu")
    runs.add_epoch(store, run_id, 2, _epoch(1))
    first, second = runs.epochs(store, run_id, attempt=1)
    assert (first.epoch, second.epoch, second.train_loss, isnan(first.val_loss)) == (1, 2, 0.25, True)
    assert runs.epochs(store, run_id) == [_epoch(1)]


def test_only_a_finished_run_is_deleted(store: Store, bring: Bring) -> None:
    waiting, done = bring(Q), bring(D)
    with store.engine.begin() as connection:
        assert (runs.delete(connection, waiting), runs.delete(connection, done)) == (False, True)
    assert [run.id for run in runs.listing(store)] == [waiting]


def test_a_thousand_runs_are_listed_in_50_ms(store: Store, ask: Ask) -> None:
    with store.engine.begin() as connection:
        for seed in range(1000):
            runs.create(connection, ask(seed=seed))
    took = []
    for _ in range(7):
        begun = time.perf_counter()
        assert len(runs.listing(store, limit=1000)) == 1000
        took.append(time.perf_counter() - begun)
    assert min(took) < 0.05
    first = []
    for _ in range(3):
        runs._build_run.cache_clear()
        begun = time.perf_counter()
        runs.listing(store, limit=1000)
        first.append(time.perf_counter() - begun)
    assert min(first) < 0.15  # 30 ms on a quiet machine


def test_a_list_does_not_understand_every_experiment(store: Store, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.engine.begin() as connection:
        runs.create(connection, ask())
    runs._build_run.cache_clear()
    monkeypatch.setattr(Experiment, "model_validate_json", lambda text: pytest.fail("it was read"))
    assert [run.name for run in runs.listing(store)] == ["small"]


def _epoch(number: int, **changes: float) -> EpochRecord:
    plain = {"train_loss": 0.5, "val_loss": 0.75, "val_balanced_accuracy": 0.875, "lr": 0.001, "seconds": 2.0}
    return EpochRecord(epoch=number, **(plain | changes))
