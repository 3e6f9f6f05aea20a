"""Folds put together, on tables small enough to check by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from covaudit.jobs.pooling import Part, pool, summarise
from covaudit.sources.roles import has_role, n_trained

CLASSES = ("NOR", "CVP")


def name(found: np.ndarray[Any, Any]) -> Sequence[str]:
    return [CLASSES[row.argmax()] for row in found]


def part(fold: int, splits: dict[str, str], answers: dict[str, float], has_map: Sequence[str]) -> Part:
    """Images by id with their split, and p_CVP of those that were scored."""
    ids = sorted(splits)
    samples = pd.DataFrame({"source": "s", "image_id": ids, "sha256": ids, "class_name": "CVP"})
    samples["split"] = [splits[one] for one in ids]
    rows = pd.DataFrame({"source": "s", "image_id": list(answers), "split": [splits[one] for one in answers]})
    rows["p_CVP"] = np.array(list(answers.values()), np.float32)
    rows["p_NOR"] = 1 - rows["p_CVP"]
    rows["predicted"] = name(rows[["p_NOR", "p_CVP"]].to_numpy())
    rows["sample_row"] = [ids.index(one) for one in answers]
    rows["heatmap_row"] = [list(has_map).index(one) if one in has_map else -1 for one in answers]
    maps = np.full((len(has_map), 2, 2), fold, np.uint8)
    tested = rows[rows["split"] != "val"].assign(baseline="majority")
    seen = np.stack([np.full((2, 2), ord(one[0]), np.uint8) for one in answers])
    return Part(
        samples, rows, tested, seen, seen // 2, maps, {"device": f"cuda:{fold}", "seconds": 2.5, "parameters": 7}
    )


@pytest.fixture
def parts() -> list[Part]:
    """Two folds of images a and b, each tested once, c validated on twice, x the external test of both."""
    return [
        part(0, {"a": "internal", "b": "train", "c": "val", "x": "external"}, {"c": 0.2, "a": 0.9, "x": 0.8}, "ax"),
        part(1, {"a": "train", "b": "internal", "c": "val", "x": "external"}, {"c": 0.4, "b": 0.3, "x": 0.1}, "bx"),
    ]


def test_each_image_of_a_split_is_there_once(parts: list[Part]) -> None:
    pooled = pool(parts, CLASSES, name)
    rows = pooled.predictions.set_index("image_id")
    assert sorted(zip(rows["split"], rows.index, strict=True)) == [
        ("external", "x"), ("internal", "a"), ("internal", "b"), ("val", "c"),
    ]  # fmt: skip
    assert rows["p_CVP"].astype(float).round(6).to_dict() == {"c": 0.3, "a": 0.9, "x": 0.45, "b": 0.3}
    assert rows["predicted"].to_dict() == {"c": "NOR", "a": "CVP", "x": "NOR", "b": "NOR"}
    assert rows["fold"].fillna(-1).to_dict() == {"c": -1, "a": 0, "x": -1, "b": 1}


def test_baselines_go_row_by_row_with_what_the_networks_answered(parts: list[Part]) -> None:
    pooled = pool(parts, CLASSES, name)
    tested = pooled.predictions[pooled.predictions["split"] != "val"]
    columns = ["image_id", "split", "sample_row", "p_CVP", "predicted"]
    assert pooled.baselines[columns].values.tolist() == tested[columns].values.tolist()


def test_rows_point_at_the_pooled_images_and_maps(parts: list[Part]) -> None:
    pooled = pool(parts, CLASSES, name)
    rows = pooled.predictions
    assert list(pooled.samples["image_id"].iloc[rows["sample_row"]]) == list(rows["image_id"])
    maps = {one: int(row) for one, row in zip(rows["image_id"], rows["heatmap_row"], strict=True)}
    assert maps["c"] == -1
    assert [chr(image[0, 0]) for image in pooled.pixels] == list(pooled.samples["image_id"])
    assert (pooled.regions == pooled.pixels // 2).all()
    assert [pooled.heatmaps[maps[one]].max() for one in ("a", "x", "b")] == [0, 0, 1]


def test_samples_are_told_by_how_they_were_tested_and_what_they_were_in_each_fold(parts: list[Part]) -> None:
    samples = pool(parts, CLASSES, name).samples.set_index("image_id")
    assert samples["split"].to_dict() == {"a": "internal", "b": "internal", "c": "val", "x": "external"}
    assert samples["roles"].to_dict() == {
        "a": "internal,train", "b": "train,internal", "c": "val,val", "x": "external,external",
    }  # fmt: skip
    assert set(samples.index[has_role(samples, "train")]) == {"a", "b"}
    assert n_trained(samples) == 1
    assert samples["fold"].fillna(-1).to_dict() == {"a": 0, "b": 1, "c": -1, "x": -1}


def test_the_summary_counts_images_by_each_role_they_had(parts: list[Part]) -> None:
    summary = summarise(parts)
    assert {row["split"]: row["n"] for row in summary["counts"]} == {"train": 2, "internal": 2, "val": 1, "external": 1}
    assert (summary["folds"], summary["device"], summary["seconds"], summary["parameters"]) == (
        2,
        "cuda:0, cuda:1",
        5,
        7,
    )
