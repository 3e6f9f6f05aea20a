import json
import shutil
from collections.abc import Callable
from math import inf, isnan, nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy.exc import IntegrityError

from covaudit.domain.estimate import Confusion, Estimate
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.run import RunState
from covaudit.errors import MissingArtifact
from covaudit.store import Store, artifacts, results, runs

Bring = Callable[[RunState], str]

ESTIMATES = [
    Estimate(split="internal", metric="accuracy", value=0.9, low=0.8, high=0.95, n=50, method="wilson"),
    Estimate(split="external", metric="auroc", source="phantom-e", class_name="CVP", n=0, method="none"),
    Estimate(split="internal", metric="auroc", value=0.7, group="sex: F", baseline="majority", fold=2, n=9, method="m"),
]
FINDINGS = [
    AuditFinding(check="a", severity=Severity.NOTE, title="a note", detail="more"),
    AuditFinding(
        check="b", severity=Severity.CRITICAL, title="grave", detail="why", evidence={"v": nan, "w": [1, inf]}
    ),
]


def _outcome() -> results.Outcome:
    table = Confusion(split="internal", classes=("NCV", "CVP"), counts=((20, 5), (0, 25)))
    return results.Outcome(ESTIMATES, [table], FINDINGS, {"seconds": 1.5, "loss": nan})


def test_what_is_written_is_read(store: Store, bring: Bring) -> None:
    run_id = bring(RunState.RUNNING)
    results.write_outcome(store, run_id, 1, _outcome(), [])
    first, second, third = results.estimates(store, run_id)
    assert first == ESTIMATES[0] and third.place == ESTIMATES[2].place
    assert isnan(second.value) and isnan(second.low) and (second.source, second.class_name) == ("phantom-e", "CVP")
    assert results.confusions(store, run_id) == _outcome().confusions
    assert [finding.title for finding in results.findings(store, run_id)] == ["grave", "a note"]
    assert results.summary(store, run_id) == {"seconds": 1.5, "loss": None}
    run = runs.get(store, run_id)
    assert run.state is RunState.DONE and run.finished is not None


def test_show_has_its_keys_and_is_strict_json(store: Store, bring: Bring) -> None:
    run_id = bring(RunState.RUNNING)
    results.write_outcome(store, run_id, 1, _outcome(), [])
    shown = json.loads(json.dumps(results.show(store, run_id[:6]), allow_nan=False))
    assert list(shown) == ["run_id", "state", "experiment", "estimates", "confusion", "findings", "breakdown"]
    assert (shown["run_id"], shown["state"], shown["experiment"]["task"]["name"]) == (run_id, "done", "CL2")
    assert shown["estimates"][0] == {
        "split": "internal", "source": None, "class": None, "metric": "accuracy",
        "value": 0.9, "low": 0.8, "high": 0.95, "n": 50, "method": "wilson",
    }  # fmt: skip
    assert shown["estimates"][1]["value"] is None and len(shown["estimates"]) == 2
    (finer,) = shown["breakdown"]
    assert (finer["group"], finer["baseline"], finer["fold"], finer["value"]) == ("sex: F", "majority", 2, 0.7)
    assert shown["confusion"] == [{"split": "internal", "classes": ["NCV", "CVP"], "counts": [[20, 5], [0, 25]]}]
    assert shown["findings"][0] == {
        "check": "b", "severity": "critical", "title": "grave", "detail": "why",
        "evidence": {"v": None, "w": [1, None]},
    }  # fmt: skip


def test_an_outcome_is_written_whole_or_not_at_all(store: Store, bring: Bring) -> None:
    run_id = bring(RunState.RUNNING)
    broken = Estimate.model_construct(split="val", metric=None, n=1, method="")
    outcome = results.Outcome([*ESTIMATES, broken], [], FINDINGS, {})
    with pytest.raises(IntegrityError):
        results.write_outcome(store, run_id, 1, outcome, [])
    assert runs.get(store, run_id).state is RunState.RUNNING
    assert results.estimates(store, run_id) == [] and results.findings(store, run_id) == []


def test_a_retry_takes_the_results_away(store: Store, bring: Bring) -> None:
    run_id = bring(RunState.RUNNING)
    results.write_outcome(store, run_id, 1, _outcome(), [])
    with store.engine.begin() as connection:
        assert runs.requeue(connection, run_id)
    shown = results.show(store, run_id)
    assert (shown["state"], shown["estimates"], shown["confusion"], shown["findings"]) == ("queued", [], [], [])
    assert results.summary(store, run_id) == {}


def test_the_files_of_a_run(store: Store, bring: Bring) -> None:
    run_id = bring(RunState.RUNNING)
    folder = artifacts.run_folder(store, run_id, 1)
    _write_files(folder)
    results.write_outcome(store, run_id, 1, results.Outcome(), sorted(folder.iterdir()))
    run = runs.get(store, run_id)
    assert list(results.samples(store, run)["image_id"]) == ["x", "y"]
    table = results.predictions(store, run)
    assert isinstance(results.heatmaps(store, run), np.memmap)
    one, two = results.shown(store, run, table)
    assert (one.row["image_id"], one.pixels[0, 0], one.heatmap) == ("y", 2, None)
    assert (two.pixels[0, 0], two.heatmap is not None and int(two.heatmap[0, 0]), two.regions) == (1, 7, None)


def test_missing_and_damaged_files_are_a_sentence(store: Store, bring: Bring) -> None:
    run_id = bring(RunState.DONE)
    run = runs.get(store, run_id)
    folder = artifacts.run_folder(store, run_id, 1)
    _write_files(folder)
    (folder / "samples.parquet").write_bytes(b"no table")
    (folder / "pixels.npy").write_bytes(b"no array")
    with pytest.raises(MissingArtifact, match=rf"samples\.parquet of run {run_id} cannot be read"):
        results.samples(store, run)
    with pytest.raises(MissingArtifact, match=r"pixels\.npy of run .* cannot be read"):
        results.pixels(store, run)
    shutil.rmtree(folder)
    for read in (results.samples, results.predictions, results.heatmaps, results.pixels, results.regions):
        with pytest.raises(MissingArtifact, match=f"of run {run_id} is missing"):
            read(store, run)
    assert runs.listing(store)[0].id == run_id


def _write_files(folder: Path) -> None:
    folder.mkdir(parents=True)
    pd.DataFrame({"image_id": ["x", "y"]}).to_parquet(folder / "samples.parquet")
    rows = pd.DataFrame({"image_id": ["y", "x"], "sample_row": [1, 0], "heatmap_row": [-1, 0]})
    rows.to_parquet(folder / "predictions.parquet")
    np.save(folder / "pixels.npy", np.array([np.full((4, 4), 1), np.full((4, 4), 2)], dtype=np.uint8))
    np.save(folder / "heatmaps.npy", np.full((1, 2, 2), 7, dtype=np.uint8))
