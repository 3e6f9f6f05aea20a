"""The copy in MLflow: what it holds, and that nothing that happens to it touches the run."""

import sys
from collections.abc import Callable
from math import nan
from pathlib import Path
from typing import Any

import pytest

from covaudit.domain.estimate import Estimate
from covaudit.domain.experiment import Experiment
from covaudit.domain.run import EpochRecord, RunState
from covaudit.jobs.mirror import EXPERIMENT, VARIABLE, metric_name, mirror
from covaudit.store import Store, artifacts, results, runs


@pytest.fixture
def done(store: Store, ask: Callable[..., Experiment]) -> str:
    """A run with numbers of its own, of a group and of two folds."""
    experiment = ask(name="a=b, <c>", seed=7)
    with store.engine.begin() as connection:
        runs.create(connection, experiment)
    assert runs.claim(store, experiment.id, "cpu") == 1
    for epoch in (1, 2):
        curve = {"val_loss": nan, "val_balanced_accuracy": 0.5, "lr": 1e-3, "seconds": 1.0}
        runs.add_epoch(store, experiment.id, 1, EpochRecord(epoch=epoch, train_loss=1 / epoch, **curve))
    folder = artifacts.run_folder(store, experiment.id, 1)
    for name in ("fold-0/weights.safetensors", "predictions.parquet", "pixels.npy"):
        artifacts.write_whole(folder / name, name.encode())

    def one(value: float, **where: Any) -> Estimate:
        return Estimate(
            split="internal", metric="auroc", value=value, low=value - 0.125, high=value + 0.125, n=40, **where
        )

    estimates = [one(0.75), one(0.5, group="sex=F"), one(0.625, fold=0), one(0.875, fold=1), one(nan, class_name="CVP")]
    results.write_outcome(store, experiment.id, 1, results.Outcome(estimates), [])
    return experiment.id


def test_nothing_happens_unless_it_is_asked_for(store: Store, done: str) -> None:
    said: list[str] = []
    mirror(store, done, said.append, {})
    assert said == []


def test_without_mlflow_the_log_says_how_to_install_it(
    store: Store, done: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    said: list[str] = []
    mirror(store, done, said.append, {VARIABLE: "sqlite:///x.db"})
    assert said == ["MLFLOW_TRACKING_URI is set, but MLflow is not installed: pip install 'covaudit[mlflow]'"]


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("internal/auroc/group sex=F", "internal/auroc/group sex_F"),
        ("train[phantom-a, CVP]", "train_phantom-a_ CVP_"),
        ("/../x", "_/x"),
        ("=", "_"),
        ("x" * 300, "x" * 250),
    ],
)
def test_names_are_made_to_fit(name: str, there: str) -> None:
    assert metric_name(name) == there


@pytest.mark.slow
def test_a_run_is_copied_with_its_folds_below_it(store: Store, done: str, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    place, said = f"sqlite:///{tmp_path / 'tracking.db'}", []
    for _ in range(2):  # the second copy takes the place of the first
        mirror(store, done, said.append, {VARIABLE: place})
    assert said == ["copied to MLflow"] * 2
    client = mlflow.MlflowClient(tracking_uri=place)
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    found = client.search_runs([experiment])
    children = [run for run in found if "mlflow.parentRunId" in run.data.tags]
    (parent,) = [run for run in found if run not in children]
    assert (
        parent.data.tags["covaudit.run"] == done and "Not a medical device" in parent.data.tags["mlflow.note.content"]
    )
    assert parent.data.params["seed"] == "7" and parent.data.params["training.epochs"] == "8"
    assert parent.data.metrics["internal/auroc"] == 0.75 and parent.data.metrics["internal/auroc/low"] == 0.625
    assert parent.data.metrics["internal/auroc/n"] == 40 and parent.data.metrics["internal/auroc/group sex_F"] == 0.5
    assert "internal/auroc/class CVP" not in parent.data.metrics  # undefined is no number
    curve = client.get_metric_history(parent.info.run_id, "train_loss")
    assert [(point.step, point.value) for point in curve] == [(1, 1.0), (2, 0.5)]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert sorted(run.data.metrics["internal/auroc"] for run in children) == [0.625, 0.875]
    assert {run.info.status for run in found} == {"FINISHED"}
    names = {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert names == {"predictions.parquet", "fold-0"}  # pixels stay
    assert list((store.workspace / "mlflow").rglob("predictions.parquet"))


@pytest.mark.slow
def test_a_server_that_does_not_answer_costs_a_line_in_the_log(store: Store, done: str) -> None:
    pytest.importorskip("mlflow")
    said: list[str] = []
    mirror(store, done, said.append, {VARIABLE: "http://me:hunter2@127.0.0.1:9"})
    assert "hunter2" not in said[0]
    assert len(said) == 1 and said[0].startswith("The copy to MLflow failed; the run is not touched: ")
    assert runs.get(store, done).state is RunState.DONE
