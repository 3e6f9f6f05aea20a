"""How much of a heat map lies in each region of the image, and how much an even map would put there."""

from math import nan
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from covaudit.domain.regions import LUNG, LUNGS_KNOWN, MARKER, MARKERS_KNOWN

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

REGIONS = ("lungs", "mediastinum", "rest of the body", "outside the body", "border", "corners", "markers and text")
_LUNGS, _MEDIASTINUM, _BODY, _OUTSIDE, _BORDER, _CORNERS, _MARKERS = range(len(REGIONS))
_RING, _CORNER = 0.04, 0.15
_DARK = 0.12


class Shares(NamedTuple):
    """Shares in [0, 1] of the heat and of the area; NaN where the region is not known or the map is empty."""

    outside_lungs: float
    outside_lungs_area: float
    on_markers: float
    on_markers_area: float


def measure_shares(heatmap: Bytes, regions: Bytes, cell: float) -> Shares:
    """Shares of a heat map (s, s) over region bits (S, S) whose map cells are `cell` pixels wide."""
    outside = (regions & LUNG) == 0
    marked = around_markers(regions, cell)
    known = {"lungs": bool(regions[0, 0] & LUNGS_KNOWN), "markers": bool(regions[0, 0] & MARKERS_KNOWN)}
    return Shares(
        share_in(heatmap, outside) if known["lungs"] else nan,
        float(outside.mean()) if known["lungs"] else nan,
        share_in(heatmap, marked) if known["markers"] else nan,
        float(marked.mean()) if known["markers"] else nan,
    )


def around_markers(regions: Bytes, cell: float) -> Mask:
    """The markers with half a map cell around them: a map cannot say more exactly where its heat is."""
    reach = 2 * round(cell / 2) + 1
    return np.asarray(cv2.dilate(regions & MARKER, np.ones((reach, reach), np.uint8)) > 0)


def share_in(heatmap: Bytes, region: Mask) -> float:
    """Share in [0, 1] of the heat (s, s) that lies in the region (S, S); NaN where there is no heat."""
    heat = spread(heatmap, region.shape)
    total = float(heat.sum())
    return float(heat[region].sum()) / total if total > 0 else nan


def spread(heatmap: Bytes, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A heat map (s, s) over the whole image (S, S)."""
    return np.asarray(
        cv2.resize(heatmap.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32
    )


def partition(film: Bytes, regions: Bytes, cell: float) -> Bytes:
    """The number in `REGIONS` of each pixel of a film (S, S) whose lungs are known; every pixel is in one region."""
    side = len(film)
    lungs = (regions & LUNG) > 0
    parts = np.full(film.shape, _BODY, np.uint8)
    parts[_outside_the_body(film)] = _OUTSIDE
    parts[_between(lungs)] = _MEDIASTINUM
    corner, ring = round(_CORNER * side), round(_RING * side)
    for rows in (slice(corner), slice(side - corner, side)):
        for columns in (slice(corner), slice(side - corner, side)):
            parts[rows, columns] = _CORNERS
    framed = np.ones(film.shape, dtype=np.bool_)
    framed[ring : side - ring, ring : side - ring] = False
    parts[framed] = _BORDER
    parts[lungs] = _LUNGS
    parts[around_markers(regions, cell)] = _MARKERS
    return parts


def _between(lungs: Mask) -> Mask:
    """What lies between the outermost lung pixels of a row."""
    seen_from_left = np.logical_or.accumulate(lungs, axis=1)
    seen_from_right = np.logical_or.accumulate(lungs[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(seen_from_left & seen_from_right & ~lungs)


def _outside_the_body(film: Bytes) -> Mask:
    """Air beside the patient: dark, and reaching an edge of the image."""
    smooth = cv2.GaussianBlur(film, (0, 0), max(len(film) / 100, 0.5))
    low, high = (float(level) for level in np.quantile(smooth, [0.005, 0.995]))
    dark = (smooth <= low + _DARK * (high - low)).astype(np.uint8)
    _, labels = cv2.connectedComponents(dark)
    at_edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.asarray(np.isin(labels, np.setdiff1d(np.unique(at_edge), [0])) & (dark > 0))
