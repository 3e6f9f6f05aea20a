"""Any pixel values to 8-bit grey."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from covaudit.sources.refusals import refuse

Grey = NDArray[np.uint8]


class Decoded(NamedTuple):
    """Grey levels (H, W), upright; what was done to get them; bits of each stored value and values of each pixel."""

    pixels: Grey
    notes: list[str]
    depth: int
    channels: int


_ROWS = 256  # worked on at once: a whole float64 copy of a large film would take 400 MB


def stretch(values: NDArray[np.generic], ignore: NDArray[np.bool_] | None = None) -> Grey:
    """Values (H, W) of any real type to 0..255: lowest to 0, highest to 255, order kept, nothing clipped.

    A constant image becomes 0. Pixels in `ignore` (H, W) do not take part in the range and become 0.
    Raises BadImage for NaN or infinite values.
    """
    kept = values if ignore is None or ignore.all() else values[~ignore]
    low, high = float(kept.min()), float(kept.max())
    if not np.isfinite(low) or not np.isfinite(high):
        raise refuse("not_finite")
    grey = np.zeros(values.shape, np.uint8)
    if high > low:
        scale = 255.0 / (high / 2 - low / 2)  # halves, for high - low may overflow
        for start in range(0, len(values), _ROWS):
            rows = (values[start : start + _ROWS].astype(np.float64) / 2 - low / 2) * scale
            grey[start : start + _ROWS] = np.clip(np.rint(rows), 0, 255)
    if ignore is not None:
        grey[ignore] = 0
    return grey


def luminance(colour: NDArray[np.generic]) -> Grey:
    """Red, green, blue (H, W, 3) to grey by the weights of ITU-R 601; more than 8 bits are stretched."""
    if colour.dtype == np.uint8:
        return np.asarray(Image.fromarray(np.ascontiguousarray(colour)).convert("L"), dtype=np.uint8)
    return stretch(colour.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))
