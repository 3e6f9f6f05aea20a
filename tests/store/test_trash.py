"""Deleted runs come back as they were, and go for good when their time is over."""

import json
from collections.abc import Callable
from datetime import timedelta
from math import nan
from typing import Any

import pytest

from covaudit.domain.estimate import Confusion, Estimate
from covaudit.domain.run import EpochRecord, RunState
from covaudit.errors import BadRecord, BadState, UnknownName
from covaudit.store import Store, artifacts, record, results, runs, trash

Bring = Callable[[RunState], str]


@pytest.fixture
def done(store: Store, bring: Bring) -> str:
    """A run with something in every table and two files."""
    run_id = bring(RunState.RUNNING)
    curve = {"train_loss": 0.5, "val_loss": nan, "val_balanced_accuracy": 0.5, "lr": 1e-3, "seconds": 2.0}
    runs.add_epoch(store, run_id, 1, EpochRecord(epoch=1, is_best=True, **curve))
    path = artifacts.run_folder(store, run_id, 1) / "samples.parquet"
    artifacts.write_whole(path, b"abc")
    artifacts.write_whole(path.with_name("log.txt"), b"words")
    estimates = [
        Estimate(split="internal", metric="accuracy", value=0.9, low=0.8, high=0.95, n=50, method="wilson"),
        Estimate(split="external", metric="auroc", class_name="CVP", n=0, method="none"),
    ]
    table = Confusion(split="internal", classes=("NCV", "CVP"), counts=((20, 5), (0, 25)))
    results.write_outcome(store, run_id, 1, results.Outcome(estimates, [table], [], {"seconds": 1.5}), [path])
    return run_id


def _all_of(store: Store, run_id: str) -> str:
    with store.engine.connect() as connection:
        return record.take(connection, run_id).model_dump_json()


def test_a_deleted_run_comes_back_row_for_row_and_file_for_file(store: Store, done: str) -> None:
    before, folder = _all_of(store, done), artifacts.run_folder(store, done, 1)
    trash.throw(store, done)
    assert runs.count(store) == 0 and not folder.parent.exists()
    (one,) = trash.listing(store)
    assert (one.run_id, one.title, one.state) == (done, "to running", "done") and one.n_bytes > 8
    assert one.until - one.deleted == timedelta(days=30)
    assert trash.restore(store, done[:6]) == done
    assert _all_of(store, done) == before and results.summary(store, done) == {"seconds": 1.5}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "samples.parquet": b"abc", "log.txt": b"words",
    }  # fmt: skip
    assert trash.listing(store) == []


def test_a_run_that_waits_is_not_deleted(store: Store, bring: Bring) -> None:
    waiting = bring(RunState.QUEUED)
    with pytest.raises(BadState, match=f"Run {waiting} is queued"):
        trash.throw(store, waiting)
    assert trash.listing(store) == [] and runs.get(store, waiting).state is RunState.QUEUED
    assert not list(trash.folder(store).glob("*"))


def test_a_run_that_was_asked_again_is_not_overwritten(store: Store, done: str, bring: Bring) -> None:
    trash.throw(store, done)
    assert bring(RunState.QUEUED) != done
    again = bring(RunState.RUNNING)
    assert again == done
    with pytest.raises(BadState, match=f"There is a run {done} again"):
        trash.restore(store, done)
    assert runs.get(store, done).state is RunState.RUNNING and len(trash.listing(store)) == 1


def test_a_stop_between_rows_and_files_loses_neither(store: Store, done: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path

    before = _all_of(store, done)
    rename = Path.rename

    def stop(self: Path, target: Path) -> Path:
        if target.name == "files":
            raise OSError("power cut")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stop)
    with pytest.raises(OSError, match="power cut"):
        trash.throw(store, done)
    monkeypatch.undo()
    assert runs.count(store) == 0
    trash.restore(store, done)
    assert _all_of(store, done) == before and (artifacts.run_folder(store, done, 1) / "log.txt").exists()


def test_the_trash_is_emptied_of_what_is_old(store: Store, done: str) -> None:
    place = trash.throw(store, done)
    assert trash.empty(store, older_than=timedelta(days=30)) == [] and place.exists()
    place.rename(place.with_name(f"{done}-20260101T000000000000Z"))
    assert [one.run_id for one in trash.empty(store, older_than=timedelta(days=30))] == [done]
    assert trash.listing(store) == []
    with pytest.raises(UnknownName, match="run in the trash"):
        trash.restore(store, done)


def test_a_folder_in_the_trash_that_cannot_be_read_hides_no_other(store: Store, done: str) -> None:
    trash.throw(store, done)
    (trash.folder(store) / "x-y").mkdir()
    (trash.folder(store) / "abcdef-20260101T000000000000Z").mkdir()
    (trash.folder(store) / "abcdef-20260101T000000000000Z" / "record.json").write_text("{")
    assert [one.run_id for one in trash.listing(store)] == [done]


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("run", "attempt", "1"), ("run", "attempt", True), ("run", "attempt", 2**70), ("run", "created", "yesterday"),
        ("run", "created", "2026-01-01T00:00:00"), ("run", "demo", 1), ("run", "experiment", None),
        ("run", "experiment", "a\0b"), ("run", "reason", "\ud800"), ("run", "device", "x" * 65), ("run", "owner", "me"),
        ("estimate", "value", "0.9"), ("estimate", "value", float("inf")), ("estimate", "run_id", "other"),
        ("estimate", "method", ["a"]), ("nothing", "a", 1),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_its_column_is_refused(
    table: str, column: str, value: Any, store: Store, done: str
) -> None:
    plain = json.loads(_all_of(store, done))
    with store.engine.begin() as connection:
        runs.delete(connection, done)
    row = plain["run"] if table == "run" else plain["tables"].setdefault(table, [{}])[0]
    row[column] = value
    wrong = record.RunRecord.model_construct(**plain)
    with pytest.raises(BadRecord), store.engine.begin() as connection:
        record.put(connection, wrong)
    assert runs.count(store) == 0


def test_what_an_older_version_did_not_know_gets_its_default(store: Store, done: str) -> None:
    plain = json.loads(_all_of(store, done))
    del plain["run"]["digests"], plain["run"]["base"]
    for row in plain["tables"]["estimate"]:
        del row["fold"]
    with store.engine.begin() as connection:
        runs.delete(connection, done)
        record.put(connection, record.RunRecord.model_validate(plain))
    assert [item.fold for item in results.estimates(store, done)] == [None, None]
