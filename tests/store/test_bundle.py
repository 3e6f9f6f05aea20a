"""A run leaves as a zip and comes back elsewhere; what is not such a zip is refused, and nothing of it is kept."""

import hashlib
import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from covaudit import INTENDED_USE
from covaudit.domain.estimate import Confusion, Estimate
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.run import EpochRecord, RunState
from covaudit.errors import BadState, CovauditError, MissingArtifact
from covaudit.settings import Settings, default_database
from covaudit.store import Store, artifacts, bundle, record, results, runs, schema, trash, unbundle

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "archives"
SECRET = "hunter2-canary"


@pytest.fixture
def done(store: Store, ask: Callable[..., Any]) -> str:
    """A run that drew from a source of this machine, with its files."""
    experiment = ask(train=[{"source": "mine", "label": "NOR"}, {"source": "phantom-b", "label": "CVP"}])
    with store.engine.begin() as connection:
        runs.create(connection, experiment)
    runs.claim(store, experiment.id, "cpu")
    curve = {"train_loss": 0.5, "val_loss": 0.4, "val_balanced_accuracy": 0.5, "lr": 1e-3, "seconds": 2.0}
    runs.add_epoch(store, experiment.id, 1, EpochRecord(epoch=1, is_best=True, **curve))
    folder = artifacts.run_folder(store, experiment.id, 1)
    folder.mkdir(parents=True)
    table = pd.DataFrame({"source": ["mine"], "image_id": ["a"], "split": ["train"], "class_name": ["NCV"]})
    table.assign(path="/far/away/a.png").to_parquet(folder / "samples.parquet")
    table.to_parquet(folder / "predictions.parquet")
    np.save(folder / "pixels.npy", np.zeros((20, 64, 64), np.uint8))  # all alike: packed, it would look like a bomb
    header = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    artifacts.write_whole(folder / "weights.safetensors", struct.pack("<Q", len(header)) + header + b"\x01")
    files = sorted(folder.iterdir())
    artifacts.write_whole(folder / "log.txt", b"a word\n")
    outcome = results.Outcome(
        [Estimate(split="internal", metric="accuracy", value=0.9, low=0.8, high=0.95, n=50, method="wilson")],
        [Confusion(split="internal", classes=("NCV", "CVP"), counts=((20, 5), (0, 25)))],
        [AuditFinding(check="gap", severity=Severity.WARNING, title="A gap", detail="why", evidence={"n": 3})],
        {"seconds": 1.5},
    )
    results.write_outcome(store, experiment.id, 1, outcome, files)
    return experiment.id


@pytest.fixture
def elsewhere(tmp_path: Path) -> Any:
    workspace = tmp_path / "elsewhere"
    opened = Store.open(Settings(workspace=workspace, database=default_database(workspace), autostart=False))
    yield opened
    opened.close()


@pytest.fixture
def made(store: Store, done: str, tmp_path: Path) -> Path:
    return bundle.export(store, done, tmp_path / "run.zip")


def _change(made: Path, name: str, content: bytes | None, also_listed: bool = False) -> Path:
    """The bundle with one member changed, or taken out; `also_listed`: the manifest is made to fit."""
    with zipfile.ZipFile(made) as opened:
        members = {one: opened.read(one) for one in opened.namelist()}
    members.pop(name, None)
    if content is not None:
        members[name] = content
    if also_listed:
        manifest = json.loads(members["manifest.json"])
        manifest["members"] = [
            {"path": one, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            for one, data in members.items() if one != "manifest.json"
        ]  # fmt: skip
        members["manifest.json"] = json.dumps(manifest).encode()
    changed = made.with_name("changed.zip")
    with zipfile.ZipFile(changed, "w") as opened:
        for one, data in members.items():
            opened.writestr(one, data)
    return changed


def _read(made: Path, name: str) -> Any:
    with zipfile.ZipFile(made) as opened:
        return json.loads(opened.read(name))


def _untouched(store: Store) -> bool:
    folder = store.workspace / "runs"
    return runs.count(store) == 0 and (not folder.exists() or not list(folder.iterdir()))


def test_a_run_comes_back_elsewhere_with_its_numbers_and_the_hashes_of_its_files(
    made: Path, store: Store, done: str, elsewhere: Store
) -> None:
    assert unbundle.take_in(elsewhere, made) == done
    assert results.show(elsewhere, done) == results.show(store, done)
    assert runs.epochs(elsewhere, done) == runs.epochs(store, done)
    summary = results.summary(elsewhere, done)
    assert summary["seconds"] == 1.5 and set(summary["imported"]) == {"exported", "covaudit"}
    with store.engine.connect() as here, elsewhere.engine.connect() as there:
        before, after = record.take(here, done), record.take(there, done)
    assert [row.pop("ticket") for row in after.tables["fold"]] == ["imported"]
    assert [row.pop("ticket") for row in before.tables["fold"]] != ["imported"]
    assert after.tables == before.tables
    assert {k for k in before.run if before.run[k] != after.run[k]} == {"summary", "digests"}
    for row in after.tables["artifact"]:
        assert artifacts.sha256_of(elsewhere.workspace / row["path"]) == row["sha256"]
    assert (artifacts.run_folder(elsewhere, done, 1) / "log.txt").read_bytes() == b"a word\n"
    assert not list((elsewhere.workspace / "runs").glob(".*"))


def test_a_bundle_says_what_it_is_for_and_lists_every_member(made: Path) -> None:
    assert _read(made, "outcome.json")["intended_use"] == INTENDED_USE
    manifest = _read(made, "manifest.json")
    assert manifest["intended_use"] == INTENDED_USE and manifest["left_out"] == []
    with zipfile.ZipFile(made) as opened:
        assert INTENDED_USE in opened.read("README.txt").decode()
        found = {one: hashlib.sha256(opened.read(one)).hexdigest() for one in opened.namelist()}
    found.pop("manifest.json")
    assert found == {member["path"]: member["sha256"] for member in manifest["members"]}
    assert {"files/samples.parquet", "files/weights.safetensors", "files/log.txt", "record.json"} <= set(found)


def test_pixels_and_weights_can_be_left_out(store: Store, done: str, elsewhere: Store, tmp_path: Path) -> None:
    made = bundle.export(store, done, tmp_path / "small.zip", pixels=False, weights=False)
    with zipfile.ZipFile(made) as opened:
        assert not {"files/pixels.npy", "files/weights.safetensors"} & set(opened.namelist())
    unbundle.take_in(elsewhere, made)
    with pytest.raises(MissingArtifact, match=r"pixels\.npy .* is missing"):
        results.pixels(elsewhere, runs.get(elsewhere, done))
    assert len(results.samples(elsewhere, runs.get(elsewhere, done))) == 1


def test_a_bundle_holds_no_secret_of_the_settings(settings: Settings, done: str, store: Store, tmp_path: Path) -> None:
    from dataclasses import replace

    told = replace(store, settings=replace(settings, database=f"postgresql://me:{SECRET}@host/db"))
    made = bundle.export(told, done, tmp_path / "run.zip")
    with zipfile.ZipFile(made) as opened:
        assert not [one for one in opened.namelist() if SECRET.encode() in opened.read(one)]


def test_a_run_that_is_here_already_is_said_so(made: Path, store: Store, done: str) -> None:
    with pytest.raises(BadState, match=f"There is a run {done} here already"):
        unbundle.take_in(store, made)
    trash.throw(store, done)
    assert unbundle.take_in(store, made) == done


def test_only_what_the_run_wrote_is_exported(store: Store, done: str, tmp_path: Path) -> None:
    path = artifacts.run_folder(store, done, 1) / "predictions.parquet"
    kept = path.read_bytes()
    path.write_bytes(kept + b"x")
    with pytest.raises(MissingArtifact, match=r"predictions\.parquet is not the one that the run wrote"):
        bundle.export(store, done, tmp_path / "run.zip")
    path.unlink()
    with pytest.raises(MissingArtifact, match=r"predictions\.parquet of run .* is missing"):
        bundle.export(store, done, tmp_path / "run.zip")
    assert not list(tmp_path.glob("*run.zip*"))


def test_a_run_that_is_not_done_is_not_exported(store: Store, bring: Callable[[RunState], str]) -> None:
    with pytest.raises(BadState, match="is running"):
        bundle.export(store, bring(RunState.RUNNING))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("files/pixels.npy", b"other", "damaged on its way"),
        ("files/pixels.npy", None, "not both in the archive"),
        ("files/more.npy", b"x", "not both in the archive"),
        ("manifest.json", None, "it has no manifest.json"),
        ("manifest.json", b"[1, 2", "manifest is not one of this version"),
        ("record.json", b"{}", "damaged on its way"),
        ("../outside.txt", b"x", "leads out of the folder"),
        ("/tmp/outside.txt", b"x", "absolute"),
    ],
)
def test_a_bundle_that_was_changed_is_refused(
    name: str, content: bytes | None, sentence: str, made: Path, elsewhere: Store
) -> None:
    with pytest.raises(CovauditError, match=sentence):
        unbundle.take_in(elsewhere, _change(made, name, content))
    assert _untouched(elsewhere)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("files/evil.sh", b"#!", "no file that a run writes"),
        ("files/sub/dir/a.npy", b"#!", "no file that a run writes"),
        ("files/pixels.npy", b"\x93NUMPY nonsense", "not the file that the run wrote"),
        ("files/weights.safetensors", struct.pack("<Q", 2**40) + b"{}", "not the file that the run wrote"),
        ("files/log.safetensors", struct.pack("<Q", 2**40) + b"{}", "cannot be read"),
        ("files/more.npy", b"\x93NUMPY nonsense", "cannot be read"),
        ("files/more.parquet", b"PAR1 nonsense PAR1", "cannot be read"),
        ("record.json", b"[" * 100_000, "record cannot be read"),
    ],
)
def test_a_member_that_is_not_what_it_says_is_refused_though_its_hash_fits(
    name: str, content: bytes, sentence: str, made: Path, elsewhere: Store
) -> None:
    with pytest.raises(CovauditError, match=sentence):
        unbundle.take_in(elsewhere, _change(made, name, content, also_listed=True))
    assert _untouched(elsewhere)


@pytest.mark.parametrize(
    "change",
    [
        lambda plain: plain["run"].update(id="../../etc"),
        lambda plain: plain["run"].update(id="0123456789ab"),
        lambda plain: plain["run"].update(attempt=7),
        lambda plain: plain["run"].update(state="queued"),
        lambda plain: plain["run"].update(experiment="{}"),
        lambda plain: plain["run"].update(summary="["),
        lambda plain: plain["run"].update(owner="me"),
        lambda plain: plain["tables"]["artifact"][0].update(path="../../../etc/passwd"),
        lambda plain: plain["tables"]["artifact"][0].update(path="runs/other/1/a.npy"),
        lambda plain: plain["tables"]["estimate"][0].update(value="high"),
        lambda plain: plain["tables"]["estimate"][0].update(split="x" * 17),
        lambda plain: plain["tables"]["finding"][0].update(severity="dire"),
        lambda plain: plain["tables"]["finding"][0].update(evidence="[" * 100_000),
        lambda plain: plain["tables"]["confusion"][0].update(counts="[[1]]x"),
        lambda plain: plain["tables"].update(worker=[{"id": "x"}]),
    ],
)
def test_rows_that_make_no_sense_are_refused(
    change: Callable[[dict[str, Any]], None], made: Path, elsewhere: Store
) -> None:
    plain = _read(made, "record.json")
    change(plain)
    with pytest.raises(CovauditError):
        unbundle.take_in(elsewhere, _change(made, "record.json", json.dumps(plain).encode(), also_listed=True))
    assert _untouched(elsewhere)


def test_a_failure_at_the_last_moment_keeps_nothing(
    made: Path, elsewhere: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import event

    def full(connection: Any) -> None:
        raise OSError("disk full")

    event.listen(elsewhere.engine, "commit", full)
    with pytest.raises(OSError, match="disk full"):
        unbundle.take_in(elsewhere, made)
    event.remove(elsewhere.engine, "commit", full)
    assert _untouched(elsewhere)


def test_what_is_no_archive_is_refused(elsewhere: Store, tmp_path: Path) -> None:
    (tmp_path / "list.zip").write_text("milk, bread")
    for path in (tmp_path / "list.zip", tmp_path / "none.zip", tmp_path):
        with pytest.raises(CovauditError):
            unbundle.take_in(elsewhere, path)
    assert _untouched(elsewhere)


@pytest.mark.data
@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")
def test_archives_that_would_do_harm_are_refused(elsewhere: Store) -> None:
    found = [path for path in sorted(CORPUS.rglob("*")) if path.suffix in (".zip", ".tar")]
    assert len(found) > 5
    for path in found:
        with pytest.raises(CovauditError):
            unbundle.take_in(elsewhere, path)
    assert _untouched(elsewhere)


def test_a_column_that_a_later_version_added_is_named(made: Path, elsewhere: Store) -> None:
    plain = _read(made, "record.json")
    assert plain["revision"] == schema.REVISION
    plain["tables"]["estimate"][0]["colour"] = "red"
    changed = _change(made, "record.json", json.dumps(plain).encode(), also_listed=True)
    with pytest.raises(CovauditError, match=r"a column 'colour' that is not known here\. Update CovAudit"):
        unbundle.take_in(elsewhere, changed)


def test_a_bundle_of_a_workspace_that_is_gone_still_opens(made: Path, store: Store, elsewhere: Store) -> None:
    store.close()
    shutil.rmtree(store.workspace)
    run = runs.get(elsewhere, unbundle.take_in(elsewhere, made))
    assert results.samples(elsewhere, run)["path"].to_list() == ["/far/away/a.png"]
