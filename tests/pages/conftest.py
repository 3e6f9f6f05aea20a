"""A workspace as a demo leaves it, made through the store with small arrays and no training: two finished runs, one
running, one queued, one failed. `python tests/pages/conftest.py FOLDER` makes one to look at."""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from covaudit.domain.experiment import Experiment, Training
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.presets import PRESETS
from covaudit.domain.run import EpochRecord, Progress, RunState
from covaudit.explain.regions import share_in
from covaudit.metrics.baselines import answer_baselines, score_baselines
from covaudit.metrics.confusion import confusion
from covaudit.metrics.scores import evaluate
from covaudit.metrics.thresholds import locked_estimates
from covaudit.settings import Settings, default_database
from covaudit.sources.index import read_index
from covaudit.sources.radiograph import open_radiograph
from covaudit.sources.sampling import choose
from covaudit.store import Store, artifacts, results, runs
from covaudit.store import sources as source_table

PROJECT = Path(__file__).resolve().parents[2]
SIZE = 96
CELLS = 12
PER_CELL = {"train": 4, "val": 6, "internal": 20, "external": 35}
SINGLE, BALANCED = PRESETS["demo-single"], PRESETS["demo-balanced"]
EIGHT = Training(image_size=96, epochs=8, batch_size=32)
RUNNING = SINGLE.model_copy(update={"name": "Single with another seed", "seed": 1, "training": EIGHT})
FAILED = SINGLE.model_copy(update={"name": "Single with large images", "seed": 2, "training": EIGHT})
QUEUED = BALANCED.model_copy(update={"name": "Balanced with another seed", "seed": 3})


def settings_of(workspace: Path) -> Settings:
    return Settings(workspace=workspace, database=default_database(workspace), device="cpu", autostart=False)


def build_workspace(workspace: Path) -> None:
    """The five runs, oldest first."""
    store = Store.open(settings_of(workspace))
    for experiment, is_shortcut in ((SINGLE, True), (BALANCED, False)):
        attempt = begin(store, experiment, demo=True)
        finish(store, experiment, attempt, is_shortcut)
    attempt = begin(store, FAILED, epochs=1)
    reason = "The process was killed, probably for lack of memory: it held 14.2 GB. Use a smaller batch size."
    runs.finish(store, FAILED.id, attempt, RunState.FAILED, reason)
    begin(store, RUNNING, epochs=5)
    with store.engine.begin() as connection:
        runs.create(connection, QUEUED)
    store.close()


def begin(store: Store, experiment: Experiment, demo: bool = False, epochs: int | None = None) -> int:
    """A run that is claimed and has trained some epochs, with its log."""
    with store.engine.begin() as connection:
        runs.create(connection, experiment, demo)
    attempt = runs.claim(store, experiment.id, "cpu")
    assert attempt is not None
    total = experiment.training.epochs
    log = [f"{experiment.name}: {experiment.network} on cpu, seed {experiment.seed}"]
    for epoch in range(1, (total if epochs is None else epochs) + 1):
        loss = 0.7 * 0.6**epoch
        record = EpochRecord(
            epoch=epoch, train_loss=loss, val_loss=loss * 1.1 + 0.02, val_balanced_accuracy=1 - 0.4 * 0.5**epoch,
            lr=1e-3 * (1 - epoch / (total + 1)), seconds=3.0 + 0.2 * (epoch % 3), is_best=epoch >= total - 1,
        )  # fmt: skip
        runs.add_epoch(store, experiment.id, attempt, record)
        log.append(f"epoch {epoch}/{total}: train loss {record.train_loss:.3f}, val loss {record.val_loss:.3f}")
    runs.report(store, experiment.id, attempt, Progress(stage="training", done=(epochs or total) * 9, total=total * 9))
    artifacts.write_whole(artifacts.run_folder(store, experiment.id, attempt) / "log.txt", "\n".join(log).encode())
    return attempt


def finish(store: Store, experiment: Experiment, attempt: int, is_shortcut: bool) -> None:
    """Files and numbers of a run that follows the marker, or the lungs."""
    samples = choose_few(store, experiment)
    drawn = [open_radiograph(row) for row in samples.to_dict("records")]
    pixels, regions = zip(*(shrink(one) for one in drawn), strict=True)
    predictions, heatmaps = invent(samples, np.stack(regions), experiment.task.classes, is_shortcut)
    folder = artifacts.run_folder(store, experiment.id, attempt)
    files = [
        folder / name
        for name in ("samples.parquet", "predictions.parquet", "pixels.npy", "regions.npy", "heatmaps.npy")
    ]
    samples.to_parquet(files[0])
    predictions.to_parquet(files[1])
    for path, array in zip(files[2:], (np.stack(pixels), np.stack(regions), heatmaps), strict=True):
        np.save(path, array)
    classes = experiment.task.classes
    estimates = evaluate(predictions, classes, seed=0, n_resamples=400)
    estimates += locked_estimates(predictions, classes, seed=0, n_resamples=400)
    answered = answer_baselines(samples, np.stack(pixels), predictions, classes)
    estimates += score_baselines(predictions, answered, classes, seed=0, n_resamples=400)
    confusions = [confusion(predictions, split, experiment.task.classes) for split in ("val", "internal", "external")]
    outcome = results.Outcome(estimates, confusions, findings_of(is_shortcut), {"device": "cpu", "seconds": 31.4})
    results.write_outcome(store, experiment.id, attempt, outcome, files)


def choose_few(store: Store, experiment: Experiment) -> pd.DataFrame:
    """A few of the images that the experiment would draw, of each split, source and class."""
    names = {*experiment.train.sources(), *experiment.test.sources()}
    tables = {name: read_index(source_table.get(store, name)).table for name in names}
    table = choose(experiment, tables).table
    groups = table.groupby(["split", "source", "class_name"], group_keys=False, sort=False)
    n_sources = len(experiment.train.sources()) / 2
    few = [
        rows.head(max(1, round(PER_CELL[key[0]] / (1 if key[0] == "external" else n_sources)))) for key, rows in groups
    ]
    return pd.concat(few, ignore_index=True)


def shrink(drawn) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and region bits (1 lung, 2 lesion, 4 marker, 8 and 16 known) at SIZE."""
    step = np.linspace(0, drawn.pixels.shape[0] - 1, SIZE).round().astype(int)
    at = np.ix_(step, step)
    bits = 24 + drawn.lung_mask[at] + 2 * drawn.lesion_mask[at] + 4 * drawn.marker_mask[at]
    return drawn.pixels[at], bits.astype(np.uint8)


def invent(samples: pd.DataFrame, regions: np.ndarray, classes: tuple[str, ...], is_shortcut: bool):
    """Predictions and heat maps (M, CELLS, CELLS): of a marker reader, at chance outside, or of a lung reader."""
    rng = np.random.default_rng(0)
    rows = np.flatnonzero(samples["split"] != "train")
    table = samples.iloc[rows][["source", "image_id", "patient", "label", "class_name", "split"]].reset_index(drop=True)
    truth = table["class_name"].map(list(classes).index).to_numpy()
    right = np.where((table["split"] == "external") & is_shortcut, 0.55, 0.93)
    answer = np.where(rng.random(len(table)) < right, truth, 1 - truth)
    certainty = rng.uniform(0.6, 0.99, len(table)).astype(np.float32)
    table["predicted"] = np.asarray(classes)[answer]
    for number, name in enumerate(classes):
        table[f"p_{name}"] = np.where(answer == number, certainty, 1 - certainty).astype(np.float32)
    table["sample_row"] = rows
    table["sex"], table["age"] = rng.choice(["F", "M"], len(table)), rng.uniform(20, 90, len(table))
    tested = np.flatnonzero(table["split"] != "val")
    maps = np.stack([heat(regions[rows[place]], 4 if is_shortcut else 2, rng) for place in tested])
    table["heatmap_row"] = -1
    table.loc[tested, "heatmap_row"] = np.arange(len(tested))
    table["heat_target"] = table["predicted"]
    table["outside_lungs"] = table["on_markers"] = np.nan
    table.loc[tested, "outside_lungs"] = [
        share_in(m, (regions[rows[p]] & 1) == 0) for m, p in zip(maps, tested, strict=True)
    ]
    table.loc[tested, "on_markers"] = [
        share_in(m, (regions[rows[p]] & 4) > 0) for m, p in zip(maps, tested, strict=True)
    ]
    return table, maps


def heat(region: np.ndarray, bit: int, rng: np.random.Generator) -> np.ndarray:
    """A warm spot at a region, or somewhere in the lungs where there is none."""
    places = np.argwhere((region & bit) > 0)
    places = places if len(places) else np.argwhere((region & 1) > 0)
    y, x = places[rng.integers(len(places))] * CELLS / SIZE
    rows, columns = np.mgrid[:CELLS, :CELLS]
    spot = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 2.5) + 0.05 * rng.random((CELLS, CELLS))
    return np.round(255 * spot / spot.max()).astype(np.uint8)


def findings_of(is_shortcut: bool) -> list[AuditFinding]:
    if not is_shortcut:
        detail = "Class and source are independent in the train mixture; a network that knows the source knows nothing."
        return [
            AuditFinding(
                check="confounding", severity=Severity.CLEAR, title="The train mixture does not tie class to source.",
                detail=detail, evidence={"cramers_v": 0.0, "n": 480},
            ),
            AuditFinding(
                check="gap", severity=Severity.NOTE, title="The gap is small.", detail="It cannot be told from chance.",
                evidence={"balanced_accuracy": {"value": 0.01, "low": -0.05, "high": 0.07, "n": 110}},
            ),
        ]  # fmt: skip
    return [
        AuditFinding(
            check="marker_swap", severity=Severity.CRITICAL, title="Swapping the marker changes the answer.",
            detail="With the marker of phantom-b drawn over that of phantom-a, 41 of 48 answers change to CVP.",
            evidence={"changed": 41, "n": 48, "share": {"value": 0.854, "low": 0.728, "high": 0.928}},
        ),
        AuditFinding(
            check="confounding", severity=Severity.WARNING, title="The source gives the class away.",
            detail="In the train mixture each class comes from a single source (Cramér's V 1.00).",
            evidence={"cramers_v": 1.0, "single_source": {"NCV": "phantom-a", "CVP": "phantom-b"}},
        ),
    ]  # fmt: skip


# -- pages as a person meets them -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("built") / "workspace"
    build_workspace(workspace)
    return workspace


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """The experiments of the five runs."""
    return SimpleNamespace(single=SINGLE, balanced=BALANCED, running=RUNNING, failed=FAILED, queued=QUEUED)


@pytest.fixture
def filled(_built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A copy of the workspace with the five runs; the running one has just shown a sign of life."""
    workspace = tmp_path / "workspace"
    shutil.copytree(_built, workspace)
    store = _use(workspace, monkeypatch)
    runs.beat(store, RUNNING.id, 1)
    return store


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A workspace in which nothing happened yet."""
    return _use(tmp_path / "empty", monkeypatch)


def _use(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    settings = settings_of(workspace)
    for name, value in settings.to_env().items():
        monkeypatch.setenv(name, value)
    return Store.open(settings)


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open a page of the app by its file's name, with what its address says."""
    # Each run of AppTest stands for the first after a start, which would run the page without app.py.
    begin = PagesManager.__init__

    def begin_routed(self: PagesManager, *args: Any, **options: Any) -> None:
        begin(self, *args, **options)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", begin_routed)

    def open_(page: str, /, **query: str) -> AppTest:
        app = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=60)
        if page != "overview":
            app.switch_page(f"pages/{page}.py")
        for key, value in query.items():
            app.query_params[key] = value
        app.run()
        assert not app.exception, app.exception
        return app

    return open_


@pytest.fixture
def seen() -> Callable[[AppTest], str]:
    """Everything that a person reads on a page, element by element."""

    def seen_(app) -> str:
        kinds = (
            "title",
            "header",
            "subheader",
            "markdown",
            "text",
            "error",
            "warning",
            "info",
            "success",
            "code",
            "caption",
        )
        words = [str(element.value) for kind in kinds for element in app.get(kind)]
        words += [f"{metric.label} {metric.value}" for metric in app.metric]
        words += [button.label for button in app.button]
        words += [table.value.to_string() for table in app.dataframe]
        words += [bar.text for bar in app.get("progress")]
        # What Markdown draws: the character behind each backslash, and nothing of a word joiner.
        return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", "\n".join(words)).replace("\u2060", "")

    return seen_


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    build_workspace(folder)
    print(folder)
