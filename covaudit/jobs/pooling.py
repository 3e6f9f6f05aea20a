"""The folds of a run as one: their samples, predictions and heat maps in one table each. pandas and NumPy alone."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.sources.roles import ABSENT, ROLES

_IMAGE = ["source", "image_id"]
_ROLES = ("external", "internal", "val", "train", "dropped")

Name = Callable[[NDArray[np.float32]], Sequence[str]]
"""Maps probabilities (N, K) to the names of the predicted classes."""


class Part(NamedTuple):
    """What one fold left: `samples`, `predictions` and the answers of the `baselines` as in its Parquet files, `pixels`
    and `regions` (P, S, S) of the P rows of `predictions`, `heatmaps` (M, h, w), its summary."""

    samples: pd.DataFrame
    predictions: pd.DataFrame
    baselines: pd.DataFrame
    pixels: NDArray[np.uint8]
    regions: NDArray[np.uint8]
    heatmaps: NDArray[np.uint8]
    summary: dict[str, Any]


class Pooled(NamedTuple):
    """All folds together, in the form that a run with one fold has.

    `samples` has each image once, by the first of its roles in the order external, internal, val, train: how it was
    tested; `fold` is the fold that tests it, and `roles` what it was in each fold. `predictions` has each image of a
    split once, with the `fold` whose network answered. What several networks answered, such as an external test, has
    the mean of their probabilities, no fold, and the heat map of the first. `baselines` go with the tested rows of
    `predictions` in the same order, once for each baseline. `pixels` and `regions` (N, S, S) go with `samples`; an
    image that no network scored is blank there.
    """

    samples: pd.DataFrame
    predictions: pd.DataFrame
    baselines: pd.DataFrame
    pixels: NDArray[np.uint8]
    regions: NDArray[np.uint8]
    heatmaps: NDArray[np.uint8]


def pool(parts: Sequence[Part], classes: Sequence[str], name: Name) -> Pooled:
    """Put the folds together; `name` says what probabilities predict."""
    samples = _pool_samples(parts)
    places = pd.Series(np.arange(len(samples)), index=pd.MultiIndex.from_frame(samples[_IMAGE]))
    before = np.cumsum([0, *(len(part.heatmaps) for part in parts)])
    tables = []
    for rows in (_concat([part.predictions for part in parts]), _concat([part.baselines for part in parts])):
        has_map = rows["heatmap_row"] >= 0
        rows["heatmap_row"] = np.where(has_map, rows["heatmap_row"] + before[rows["fold"].to_numpy(dtype=int)], -1)
        rows["sample_row"] = places.reindex(pd.MultiIndex.from_frame(rows[_IMAGE])).to_numpy()
        tables.append(rows)
    key, names = ["split", "sample_row"], _answers(tables[1])
    return Pooled(
        samples,
        _average(tables[0], key, classes, name),
        _average(tables[1], ["baseline", *key], names, lambda found: [names[row] for row in found.argmax(axis=1)]),
        _spread([part.pixels for part in parts], tables[0]["sample_row"].to_numpy(), len(samples)),
        _spread([part.regions for part in parts], tables[0]["sample_row"].to_numpy(), len(samples)),
        np.concatenate([part.heatmaps for part in parts]),
    )


def _spread(arrays: Sequence[NDArray[np.uint8]], rows: NDArray[np.int64], n: int) -> NDArray[np.uint8]:
    """Arrays (P, S, S), one after the other, put into the `rows` of one (n, S, S)."""
    whole = np.zeros((n, *arrays[0].shape[1:]), np.uint8)
    ends = np.cumsum([len(array) for array in arrays])
    for array, places in zip(arrays, np.split(rows, ends[:-1]), strict=True):
        whole[places] = array
    return whole


def _concat(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    numbered = [table.assign(fold=pd.array([fold] * len(table), dtype="Int64")) for fold, table in enumerate(tables)]
    return pd.concat(numbered, ignore_index=True)


def _pool_samples(parts: Sequence[Part]) -> pd.DataFrame:
    rows = _concat([part.samples for part in parts])
    rank = rows["split"].map(_ROLES.index)
    tested = rows[rows["split"].isin(["internal", "external"])].drop_duplicates(_IMAGE, keep=False)
    first = rows.loc[rank.sort_values(kind="stable").index].drop_duplicates(_IMAGE).sort_index()
    kept = first.drop(columns="fold").merge(tested[[*_IMAGE, "fold"]], on=_IMAGE, how="left")
    splits = rows.pivot_table(index=_IMAGE, columns="fold", values="split", aggfunc="first").fillna(ABSENT)
    roles = splits.agg(",".join, axis=1).rename(ROLES).reset_index()
    return kept.merge(roles, on=_IMAGE, how="left").reset_index(drop=True)


def _answers(baselines: pd.DataFrame) -> list[str]:
    """What a baseline may answer: a class, or in a multi-label task a set of labels."""
    return [str(name).removeprefix("p_") for name in baselines if str(name).startswith("p_")]


def _average(rows: pd.DataFrame, key: list[str], answers: Sequence[str], name: Name) -> pd.DataFrame:
    columns = [f"p_{one}" for one in answers]
    rows[columns] = rows[columns].fillna(0.0)  # a label set that a fold's baseline never saw
    means = rows.groupby(key, sort=False)[columns].mean().to_numpy(dtype=np.float32)
    several = rows.groupby(key, sort=False).size().to_numpy() > 1
    table = rows.drop_duplicates(key).reset_index(drop=True)
    table.loc[several, columns] = means[several]
    table.loc[several, "predicted"] = np.asarray(name(means[several]), dtype=object)
    table.loc[several, "fold"] = pd.NA
    return table


def summarise(parts: Sequence[Part]) -> dict[str, Any]:
    """What the folds say of themselves, as one: images by any role that they had, seconds of all, devices."""
    used = _concat([part.samples for part in parts])
    distinct = used.drop_duplicates([*_IMAGE, "split"])
    counts = distinct.groupby(["split", "source", "class_name"]).size()
    lines = "\n".join(sorted(used["fold"].astype(str) + " " + used["split"] + " " + used["sha256"]))
    first = parts[0].summary
    return first | {
        "folds": len(parts),
        "counts": [
            {"split": split, "source": source, "class": name, "n": int(n)}
            for (split, source, name), n in counts.items()
        ],
        "samples_sha256": hashlib.sha256(lines.encode()).hexdigest(),
        "device": ", ".join(sorted({str(part.summary["device"]) for part in parts})),
        "seconds": round(sum(part.summary["seconds"] for part in parts), 1),
    }
