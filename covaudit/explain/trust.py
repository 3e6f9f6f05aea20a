"""How far an answer for one image can be trusted: what it rests on, what the image looks like, and what it is not.

The same image with its lungs blanked and its markers erased; the source whose training images it looks like; the
nearest training images; a caution where it is no frontal chest film or far from all that the network was trained on.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import nan
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from covaudit.domain.task import Task
from covaudit.sources.roles import has_role
from covaudit.training.prepare import scale

_THUMBNAIL, _BINS, _EDGE = 16, 16, 0.05
_NEAREST = 3
_FAR = 0.99
_ENOUGH = 10  # training images of a source

Bytes = NDArray[np.uint8]


class Neighbour(NamedTuple):
    """A training image that looks like the one asked about; `row` is its row in the run's samples and pixels."""

    source: str
    image_id: str
    class_name: str
    row: int


class Trust(NamedTuple):
    """`lungs` (S, S) as found, empty where not; the share of the heat outside of them; `without_lungs` and
    `without_markers` are probabilities (K,), None where there is nothing to take away; `source` is what the image looks
    like with its probability, empty where the training had one source or it is unlike all; `cautions` are plain
    sentences; `lungs_by` names what found the lungs."""

    lungs: NDArray[np.bool_]
    outside_lungs: float
    without_lungs: NDArray[np.float32] | None
    without_markers: NDArray[np.float32] | None
    source: str
    source_p: float
    neighbours: tuple[Neighbour, ...]
    cautions: tuple[str, ...]
    lungs_by: str


class _Known(NamedTuple):
    """What the run was trained on: its images' rows, their features, how to tell their sources, and from which distance
    to the nearest an image is far."""

    samples: pd.DataFrame
    rows: NDArray[np.int64]
    scaler: StandardScaler
    features: NDArray[np.float64]
    teller: Pipeline | None
    far: float
    task: Task


def appearance(film: Bytes) -> NDArray[np.float64]:
    """What a film (S, S) looks like without being read: a thumbnail, its grey levels and its edges, (D,)."""
    thumbnail = scale(film, _THUMBNAIL).astype(np.float64).ravel() / 255
    levels = np.bincount(film.ravel() // (256 // _BINS), minlength=_BINS) / film.size
    ring = max(1, round(_EDGE * len(film)))
    edges = [part.mean() / 255 for part in (film[:ring], film[-ring:], film[:, :ring], film[:, -ring:])]
    return np.concatenate([thumbnail, levels, edges])


class Alike(NamedTuple):
    """What an image looks like: a source with its probability (empty, NaN where the training had one source, or the
    image is far), the nearest training images, and whether it is farther from them than 99 % of them are from each
    other."""

    source: str
    p: float
    neighbours: tuple[Neighbour, ...]
    is_far: bool


def look_alike(folder: Path, film: Bytes, changed: int) -> Alike:
    """What a prepared film (S, S) looks like among the training images of a run; `changed` is the time of the run's
    files, for what is known of a run is kept."""
    known = _known(folder, changed)
    seen = appearance(film)[None]
    distance = np.linalg.norm(known.features - known.scaler.transform(seen), axis=1)
    nearest = np.argsort(distance)[:_NEAREST]
    chosen = known.samples.iloc[known.rows[nearest]]
    neighbours = tuple(
        Neighbour(str(row["source"]), str(row["image_id"]), str(row["class_name"]), int(known.rows[place]))
        for place, (_, row) in zip(nearest, chosen.iterrows(), strict=True)
    )
    is_far = bool(distance.min() > known.far)
    if known.teller is None or is_far:  # far from all sources, the teller would still be sure of one
        return Alike("", nan, neighbours, is_far)
    said = known.teller.predict_proba(seen)[0]
    best = int(said.argmax())
    return Alike(str(known.teller.classes_[best]), float(said[best]), neighbours, is_far)


@lru_cache(maxsize=4)
def _known(folder: Path, changed: int) -> _Known:
    samples = pd.read_parquet(folder / "samples.parquet")
    pixels = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
    task = Task.model_validate(yaml.safe_load((folder / "experiment.yaml").read_text())["task"])
    rows = np.flatnonzero(has_role(samples, "train"))
    rows = np.array([row for row in rows if pixels[row].any()], np.int64)  # a run of folds keeps what it scored
    raw = np.stack([appearance(np.asarray(pixels[row])) for row in rows])
    scaler = StandardScaler().fit(raw)
    features = scaler.transform(raw)
    sources = samples["source"].to_numpy()[rows]
    names, counts = np.unique(sources, return_counts=True)
    common = np.isin(sources, names[counts >= _ENOUGH])
    teller = None
    if len(np.unique(sources[common])) > 1:
        teller = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
        teller.fit(raw[common], sources[common])
    apart = _distances_to_nearest(features)
    return _Known(samples, rows, scaler, features, teller, float(np.quantile(apart, _FAR)), task)


def _distances_to_nearest(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """From each image (N, D) to the nearest other."""
    squares = (features**2).sum(axis=1)
    nearest = np.empty(len(features))
    for row, one in enumerate(features):
        between = squares + squares[row] - 2 * features @ one
        between[row] = np.inf
        nearest[row] = np.sqrt(max(between.min(), 0))
    return nearest


def contradictions(folder: Path, found: NDArray[np.float32], changed: int) -> tuple[str, ...]:
    """In a multi-label task: an answer that no label of the task has (papers' error F10)."""
    task = _known(folder, changed).task
    if task.vectors is None:
        return ()
    said = tuple(int(p > 0.5) for p in found)
    if said in {tuple(bits) for bits in task.vectors.values()}:
        return ()
    names = " + ".join(name for name, bit in zip(task.classes, said, strict=True) if bit) or "none of the classes"
    return (f"The answers contradict each other: no label of the task is {names}.",)


def cautions(lungs_found: bool, is_far: bool, contradicting: Sequence[str]) -> tuple[str, ...]:
    """Plain sentences, the gravest first."""
    said = []
    if not lungs_found:
        said.append("No lungs were found. This may not be a frontal chest film: the answer means nothing then.")
    if is_far:
        said.append("The image looks unlike everything that the network was trained on.")
    return (*said, *contradicting)
