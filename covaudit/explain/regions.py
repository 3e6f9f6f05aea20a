"""How much of a heat map lies in a region of the image, and how much an even map would put there."""

from math import nan
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from covaudit.domain.regions import LUNG, LUNGS_KNOWN, MARKER, MARKERS_KNOWN

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class Shares(NamedTuple):
    """Shares in [0, 1] of the heat and of the area; NaN where the region is not known or the map is empty."""

    outside_lungs: float
    outside_lungs_area: float
    on_markers: float
    on_markers_area: float


def measure_shares(heatmap: Bytes, regions: Bytes, cell: float) -> Shares:
    """Shares of a heat map (s, s) over region bits (S, S) whose map cells are `cell` pixels wide.

    A marker counts with half a cell around it: a map cannot say more exactly where its heat is.
    """
    outside = (regions & LUNG) == 0
    reach = 2 * round(cell / 2) + 1
    marked = cv2.dilate((regions & MARKER), np.ones((reach, reach), np.uint8)) > 0
    known = {"lungs": bool(regions[0, 0] & LUNGS_KNOWN), "markers": bool(regions[0, 0] & MARKERS_KNOWN)}
    return Shares(
        share_in(heatmap, outside) if known["lungs"] else nan,
        float(outside.mean()) if known["lungs"] else nan,
        share_in(heatmap, marked) if known["markers"] else nan,
        float(marked.mean()) if known["markers"] else nan,
    )


def share_in(heatmap: Bytes, region: Mask) -> float:
    """Share in [0, 1] of the heat (s, s) that lies in the region (S, S); NaN where there is no heat."""
    heat = cv2.resize(heatmap.astype(np.float32), region.shape[::-1], interpolation=cv2.INTER_LINEAR)
    total = float(heat.sum())
    return float(heat[region].sum()) / total if total > 0 else nan
