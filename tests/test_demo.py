"""The demo's promise, over several seeds: with the planted shortcut the audit finds it, without it it stays silent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from covaudit.domain.experiment import Experiment

pytestmark = pytest.mark.slow

Show = dict[str, Any]


def balanced_accuracy(show: Show, split: str) -> dict[str, Any]:
    (found,) = (
        estimate
        for estimate in show["estimates"]
        if (estimate["split"], estimate["metric"]) == (split, "balanced_accuracy")
        and estimate["source"] is None
        and estimate["class"] is None
    )
    return dict(found)


def critical(show: Show) -> list[str]:
    return [finding["title"] for finding in show["findings"] if finding["severity"] == "critical"]


@pytest.mark.parametrize("seed", range(6))
def test_single_falls_and_is_caught_balanced_holds_and_is_not_accused(demo_of: Callable[[int], Any], seed: int) -> None:
    printed = demo_of(seed).printed
    single, balanced = printed["single"], printed["balanced"]
    assert (single["state"], balanced["state"]) == ("done", "done")
    assert balanced_accuracy(single, "internal")["value"] >= 0.95
    assert balanced_accuracy(single, "external")["value"] <= 0.75
    assert "The network reads the laterality marker" in critical(single)
    loss = balanced_accuracy(balanced, "internal")["value"] - balanced_accuracy(balanced, "external")["value"]
    assert loss <= 0.10
    assert balanced_accuracy(balanced, "external")["value"] >= 0.9
    assert critical(balanced) == []


def test_the_demo_ends_within_two_minutes(demo: Any) -> None:
    assert demo.printed["seconds"] <= 120


def test_heat_maps_light_up_the_marker_of_single_and_the_lungs_of_balanced(demo: Any) -> None:
    tables = {name: predictions_of(demo, name) for name in ("single", "balanced")}
    single, balanced = (table[table["split"] == "internal"] for table in tables.values())
    assert single["on_markers"].mean() > 5 * single["on_markers_area"].mean()
    assert balanced["on_markers"].mean() < balanced["on_markers_area"].mean()
    assert balanced["outside_lungs"].mean() < balanced["outside_lungs_area"].mean()


def test_every_test_image_has_a_map_and_no_patient_is_on_two_sides(demo: Any) -> None:
    for name in ("single", "balanced"):
        folder = folder_of(demo, name)
        table = predictions_of(demo, name)
        tested = table[table["split"].isin(["internal", "external"])]
        maps = np.load(folder / "heatmaps.npy", mmap_mode="r")
        assert sorted(tested["heatmap_row"]) == list(range(len(maps)))
        samples = pd.read_parquet(folder / "samples.parquet")
        sides = samples.assign(key=samples["source"] + samples["patient"]).groupby("key")["split"].nunique()
        assert int(sides.max()) == 1


def test_the_printed_experiment_is_the_one_that_was_run(demo: Any) -> None:
    for name in ("single", "balanced"):
        show = demo.printed[name]
        assert Experiment.from_plain(show["experiment"]).id == show["run_id"]


def folder_of(demo: Any, name: str) -> Path:
    return Path(demo.workspace) / "runs" / demo.printed[name]["run_id"] / "1"


def predictions_of(demo: Any, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder_of(demo, name) / "predictions.parquet")
