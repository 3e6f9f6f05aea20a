"""Doing a run again: are the images the same, is what comes out the same, and what was different around it."""

import os
from collections.abc import Callable
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from covaudit.domain.estimate import Estimate
from covaudit.domain.experiment import Experiment
from covaudit.domain.run import Run, RunState
from covaudit.domain.source import Source
from covaudit.errors import BadState
from covaudit.jobs import reproduce, submit
from covaudit.jobs.source_check import check_sources
from covaudit.settings import Settings
from covaudit.sources.index import read_index
from covaudit.sources.sampling import choose
from covaudit.store import Store, artifacts, results, runs, sources

Ask = Callable[..., Experiment]


def _film(path: Path, seed: int, changed: bool = False) -> None:
    pixels = np.random.default_rng(seed).integers(0, 255, (64, 64), dtype=np.uint8)
    pixels[3, 5] ^= 1 if changed else 0
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path.with_suffix(".bmp.png"), compress_level=0)
    path.with_suffix(".bmp.png").replace(path)


@pytest.fixture
def films(store: Store, tmp_path: Path) -> Path:
    """A source of 24 films in a folder."""
    for number in range(24):
        _film(tmp_path / "films" / ("NOR" if number % 2 else "CVP") / f"{number}.png", number)
    sources.add(store, Source(name="films", reader="folder", path=str(tmp_path / "films")))
    return tmp_path / "films"


@pytest.fixture
def asked(ask: Ask) -> Experiment:
    return ask(train=[{"source": "films", "label": "NOR"}, {"source": "films", "label": "CVP"}])


def _finish(store: Store, experiment: Experiment, **changes: Any) -> Run:
    """A run as one would be that drew its samples; keywords change what came out."""
    with store.engine.begin() as connection:
        runs.create(connection, experiment)
    assert runs.claim(store, experiment.id, "cpu") == 1
    folder = artifacts.run_folder(store, experiment.id, 1)
    folder.mkdir(parents=True)
    tables = {one: read_index(sources.get(store, one)).table for one in experiment.train.sources()}
    samples = choose(experiment, tables).table
    samples.to_parquet(folder / "samples.parquet")
    predictions = samples[["source", "image_id", "split"]].assign(p_NCV=0.25, p_CVP=0.75)
    predictions.loc[0, "p_CVP"] += changes.get("probability", 0.0)
    predictions.to_parquet(folder / "predictions.parquet")
    artifacts.write_whole(folder / "weights.safetensors", changes.get("weights", b"weights"))
    estimates = [
        Estimate(split="internal", metric="accuracy", value=0.9 + changes.get("metric", 0.0), low=0.8, high=1.0, n=50),
        Estimate(split="external", metric="auroc", value=nan, low=nan, high=nan, n=0),
    ]
    summary = {"packages": {"torch": "2.14.1", "numpy": "2.4.6"}, "device": "cpu", "samples_sha256": "a"}
    summary |= {"code": {"sha256": "b", "commit": "c" * 40, "is_dirty": False}} | changes.get("summary", {})
    results.write_outcome(
        store, experiment.id, 1, results.Outcome(estimates, summary=summary), sorted(folder.iterdir())
    )
    return runs.get(store, experiment.id)


# -- the images -------------------------------------------------------------------------------------------------------


def test_sources_that_are_as_they_were(store: Store, films: Path, asked: Experiment) -> None:
    found = check_sources(store, _finish(store, asked))
    assert found.is_same and found.n == 24 and list(found.words()) == []


def test_one_pixel_that_changed_is_named_though_size_and_time_are_as_before(
    store: Store, films: Path, asked: Experiment
) -> None:
    run = _finish(store, asked)
    path = films / "NOR" / "7.png"
    before = path.stat()
    _film(path, 7, changed=True)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    found = check_sources(store, run)
    assert not found.is_same and len(found.changed) == 1
    assert list(found.words()) == [f"1 of 24 images is changed: {found.changed[0]}."] and "7" in found.changed[0]


def test_what_is_gone_is_named(store: Store, films: Path, asked: Experiment) -> None:
    run = _finish(store, asked)
    for number in (1, 2):
        next(films.rglob(f"{number}.png")).unlink()
    found = check_sources(store, run)
    assert len(found.missing) == 2 and "2 of 24 images are missing: films/" in next(found.words())
    sources.remove(store, "films")
    found = check_sources(store, run)
    assert list(found.absent) == ["films"] and "Unknown source 'films'" in found.absent["films"]


def test_an_image_that_came_later_changes_the_draw(store: Store, films: Path, asked: Experiment) -> None:
    run = _finish(store, asked)
    for number in range(100, 112):
        _film(films / "CVP" / f"{number}.png", number)
    found = check_sources(store, run)
    assert not (found.missing or found.changed) and found.drawn_otherwise >= 12
    assert "would be drawn otherwise" in next(found.words())


# -- what came out ----------------------------------------------------------------------------------------------------


def test_the_same_is_said_to_be_the_same(store: Store, ask: Ask) -> None:
    first, second = _finish(store, ask()), _finish(store, ask(repeat_of=ask().id))
    found = reproduce.compare(store, first, second)
    assert found.is_same and found.weights == {"weights.safetensors": True}
    assert (found.prediction_difference, found.metrics_differing, found.n_metrics) == (0.0, 0, 2)
    assert next(found.words()).startswith("Reproduced: the same weights, ") and found.differences == ()


def test_what_differs_is_measured_and_said(store: Store, ask: Ask) -> None:
    summary = {"packages": {"torch": "2.15.0", "numpy": "2.4.6", "more": "1"}, "device": "cuda:0"}
    summary |= {"code": {"sha256": "x", "commit": "d" * 40, "is_dirty": True}}
    changed = {"probability": 0.125, "metric": 0.03125, "weights": b"other", "summary": summary}
    first, second = _finish(store, ask()), _finish(store, ask(repeat_of=ask().id), **changed)
    found = reproduce.compare(store, first, second)
    assert not found.is_same and found.weights == {"weights.safetensors": False}
    assert found.prediction_difference == pytest.approx(0.125) and found.metrics_differing == 1
    assert found.metric_difference == pytest.approx(0.03125)
    text = " ".join(found.words())
    assert "Weights: 0 of 1 files have the same hash" in text and "difference of a probability is 0.125" in text
    assert "Metrics: 1 of 2 differ, by 0.0312 at most" in text
    assert "device: cpu then, cuda:0 now; packages: torch 2.14.1 -> 2.15.0;" in text
    assert f"the code is not the same ({'c' * 10} then, {'d' * 10} now)" in text and "in no commit" in text


def test_the_rounding_of_a_sum_is_no_difference(store: Store, ask: Ask) -> None:
    first, second = _finish(store, ask()), _finish(store, ask(repeat_of=ask().id), metric=4e-16)
    assert results.estimates(store, first.id)[0].value != results.estimates(store, second.id)[0].value
    assert reproduce.compare(store, first, second).is_same


def test_a_repetition_is_a_run_of_its_own_that_names_the_first(store: Store, ask: Ask) -> None:
    run = _finish(store, ask())
    again = reproduce.repeat(store, run)
    repetition = runs.get(store, again)
    assert again != run.id and repetition.experiment.repeat_of == run.id and repetition.name == "small (repeat)"
    assert repetition.experiment.model_copy(update={"name": "small", "repeat_of": ""}) == run.experiment
    assert reproduce.repeat(store, run) == again  # it waits already
    submit.cancel(store, again)
    assert reproduce.repeat(store, run) == again and runs.get(store, again).state is RunState.QUEUED
    with pytest.raises(BadState, match="Only a run that is done can be reproduced"):
        reproduce.repeat(store, repetition)
    with pytest.raises(BadState, match="there is nothing to compare"):
        reproduce.compare(store, run, repetition)


def test_ids_of_experiments_are_what_they_were(ask: Ask) -> None:
    assert "repeat_of" not in ask().canonical_json() and ask().id != ask(repeat_of="0" * 12).id


@pytest.mark.slow
def test_the_same_seed_on_the_cpu_gives_the_same_weights_and_metrics(
    store: Store, settings: Settings, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from covaudit.jobs.execute import execute

    train = [{"source": s, "label": label, "limit": 24} for s in ("phantom-a", "phantom-b") for label in ("NOR", "CVP")]
    test = [{"source": "phantom-e", "label": label, "limit": 10} for label in ("NOR", "CVP")]
    training = {"image_size": 64, "epochs": 2, "batch_size": 16}
    first = ask(train=train, test=test, training=training)
    done = []
    for experiment in (first, first.model_copy(update={"repeat_of": first.id}), first.model_copy(update={"seed": 1})):
        with store.engine.begin() as connection:
            runs.create(connection, experiment)
        attempt = runs.claim(store, experiment.id, "cpu")
        assert attempt is not None
        execute(store, experiment.id, 0, attempt, "cpu")
        done.append(runs.get(store, experiment.id))
    found = reproduce.compare(store, done[0], done[1])
    assert found.is_same and found.n_metrics > 20 and found.differences == ()
    assert check_sources(store, done[0]).is_same
    kept = results.summary(store, done[0].id)
    assert set(kept["machine"]) >= {"processor", "platform", "vector_unit"} and len(kept["packages"]) > 20
    assert kept["determinism"]["deterministic_algorithms"] is True and len(kept["code"]["sha256"]) == 64
    samples = pd.read_parquet(results.folder(store, done[0]) / "samples.parquet")
    assert samples["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    other = reproduce.compare(store, done[0], done[2])  # another seed: other weights, and it is seen
    assert not other.is_same and not any(other.weights.values())
