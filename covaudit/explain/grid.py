"""Heat maps put where their cells look. No torch: pages place maps too."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

_FINE = 4


class Grid(NamedTuple):
    """Centre of cell i in pixels, the same for rows and columns: `offset + stride * i`; cells a side of the map."""

    offset: float
    stride: float
    cells: int


def place(maps: NDArray[np.float32], grid: Grid, size: int) -> NDArray[np.float32]:
    """Maps (N, h, w) put where their cells look: (N, s, s), s = size / 4, right when stretched over the image."""
    side = max(size // _FINE, grid.cells)
    pixels = (np.arange(side) + 0.5) * size / side - 0.5
    cells = ((pixels - grid.offset) / grid.stride).astype(np.float32)
    columns, rows = np.meshgrid(cells, cells)
    return np.stack(
        [cv2.remap(heat, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for heat in maps]
    ).astype(np.float32)


def to_bytes(maps: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Each map divided by its own maximum, as 0..255; an empty or infinite one becomes all zeros ("no evidence")."""
    positive = np.where(np.isfinite(maps), maps, 0).clip(min=0)
    peak = positive.max(axis=(-2, -1), keepdims=True)
    return np.asarray(np.rint(np.divide(positive, peak, out=np.zeros_like(positive), where=peak > 0) * 255), np.uint8)
