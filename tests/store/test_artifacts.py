import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from covaudit.domain.run import RunState
from covaudit.errors import MissingArtifact
from covaudit.store import Store, artifacts, results, schema


def test_a_file_appears_whole(tmp_path: Path) -> None:
    artifacts.write_whole(tmp_path / "new" / "a.txt", b"first")
    artifacts.write_whole(tmp_path / "new" / "a.txt", b"second")
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "new").iterdir()] == [("a.txt", b"second")]


def test_a_failure_leaves_the_file_before_and_nothing_else(tmp_path: Path) -> None:
    artifacts.write_whole(tmp_path / "a.txt", b"first")
    with pytest.raises(RuntimeError), artifacts.writing_whole(tmp_path / "a.txt") as file:
        file.write(b"half")
        raise RuntimeError("disk full")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.txt", b"first")]


def test_the_bytes_are_on_the_disk_before_the_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    sync, replace = os.fsync, Path.replace

    def record_sync(handle: int) -> None:
        calls.append("fsync folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "fsync file")  # noqa: PTH112
        sync(handle)

    def record_rename(self: Path, target: Path) -> Path:
        calls.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(Path, "replace", record_rename)
    artifacts.write_whole(tmp_path / "a.txt", b"x")
    assert calls == ["fsync file", "rename", "fsync folder"]


def test_hashes_of_files_are_kept_with_the_outcome(store: Store, bring: Callable[[RunState], str]) -> None:
    run_id = bring(RunState.RUNNING)
    path = artifacts.run_folder(store, run_id, 1) / "a.txt"
    artifacts.write_whole(path, b"abc")
    results.write_outcome(store, run_id, 1, results.Outcome(), [path])
    a = schema.artifact.c
    with store.engine.connect() as connection:
        row = connection.execute(select(a.path, a.sha256, a.bytes, a.attempt)).one()
    # SHA-256 of "abc" from FIPS 180-2, appendix B.1.
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert row == (f"runs/{run_id}/1/a.txt", known, 3, 1)


def test_an_outcome_with_a_missing_file_is_refused(store: Store, bring: Callable[[RunState], str]) -> None:
    run_id = bring(RunState.RUNNING)
    with pytest.raises(MissingArtifact, match=r"gone\.npy"):
        results.write_outcome(
            store, run_id, 1, results.Outcome(), [artifacts.run_folder(store, run_id, 1) / "gone.npy"]
        )
    from covaudit.store import runs

    assert runs.get(store, run_id).state is RunState.RUNNING
