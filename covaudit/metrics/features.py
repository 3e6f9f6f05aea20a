"""What can be known of an image without looking at the lungs: the features of the baselines."""

from pathlib import PurePath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NUMBERS = ("width", "height", "bytes", "bits", "bit_depth", "age")
NAMES = ("format", "mode", "photometric", "sex", "view")
MAX_VALUES = 12
"""Of one column of names; the rarer ones are "other"."""
THUMBNAIL = 16
_BLOCK = 512


def metadata_features(rows: pd.DataFrame, pixels: NDArray[np.uint8], places: NDArray[np.int64]) -> Floats:
    """Features (M, F) of M rows of the samples, of those columns that are there: numbers with a flag where they are
    missing, one column for each of the common names, the file's ending; and of the pixels (N, S, S) at `places` (M,)
    the mean and the spread of the grey levels."""
    columns = [*_brightness(pixels, places)]
    if {"width", "height"} <= set(rows):
        columns.append((rows["width"].astype(float) / rows["height"].clip(lower=1)).fillna(1.0).to_numpy())
    for name in NUMBERS:
        if name in rows:
            values = pd.to_numeric(rows[name], errors="coerce").astype(float)
            columns += [values.fillna(values.median() if values.notna().any() else 0.0).to_numpy()]
            columns += [values.isna().to_numpy(dtype=float)]
    named = [rows[name] for name in NAMES if name in rows]
    named += [rows["path"].map(lambda path: PurePath(str(path)).suffix.lower())] if "path" in rows else []
    for values in named:
        columns += _one_hot(values)
    return np.column_stack(columns).astype(np.float64)


def thumbnail_features(pixels: NDArray[np.uint8], places: NDArray[np.int64]) -> Floats:
    """Grey levels (M, 256) of the images at `places`, averaged to 16 x 16 and each image freed of its own mean."""
    size = pixels.shape[1]
    edges = np.linspace(0, size, min(THUMBNAIL, size) + 1).round().astype(int)
    areas = np.outer(np.diff(edges), np.diff(edges))
    parts = []
    for start in range(0, len(places), _BLOCK):
        images = np.asarray(pixels[places[start : start + _BLOCK]], dtype=np.float32)
        sums = np.add.reduceat(np.add.reduceat(images, edges[:-1], axis=1), edges[:-1], axis=2)
        parts.append((sums / areas).reshape(len(images), -1))
    found = np.concatenate(parts) if parts else np.zeros((0, areas.size), dtype=np.float32)
    return np.asarray(found - found.mean(axis=1, keepdims=True), dtype=np.float64)


def _brightness(pixels: NDArray[np.uint8], places: NDArray[np.int64]) -> tuple[Floats, Floats]:
    images = (pixels[place] for place in places)
    found = np.array([(image.mean(), image.std()) for image in images], dtype=np.float64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _one_hot(values: "pd.Series[str]") -> list[Floats]:
    values = values.astype(object).where(values.notna(), "not known").astype(str)
    common = list(values.value_counts().index[:MAX_VALUES])
    return [(values == name).to_numpy(dtype=float) for name in common]
