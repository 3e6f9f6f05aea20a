"""Finds laterality markers and burned-in text: bright, sharp and small things beside the chest.

A detector made by hand. Letters stand out of their surroundings by far more than any anatomy of their size does, are
nearly of one level, and lie away from the middle. Its recall on phantoms, whose markers are known, is held by a test.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# Of the image's side.
_LARGEST, _LEAST_LETTER, _GAP = 0.17, 0.012, 0.02
# Of the film's range: what stands out of the background, and how near to white the ink is.
_CONTRAST, _BRIGHT = 0.22, 0.45
# Change of level from one pixel to the next at the edge of ink; bones are softer.
_SHARP = 0.12
_LEAST_PIXELS = 6


class Box(NamedTuple):
    """Left, top, right and bottom in pixels; right and bottom are not in it."""

    left: int
    top: int
    right: int
    bottom: int


def find_markers(film: Bytes, lungs: Mask | None = None) -> list[Box]:
    """Boxes of the markers and words on a film (H, W), largest first; none inside the lungs where these are known."""
    side = max(film.shape)
    low, high = (float(level) for level in np.quantile(film, [0.01, 0.995]))
    grey = np.clip((film.astype(np.float32) - low) / max(high - low, 1.0), 0, 1)
    ink = _stands_out(grey, side) & (grey >= _BRIGHT)
    if lungs is not None:
        ink &= ~_middle(lungs, side)
    ink = _drawn(ink, grey)
    # Letters of a word, and the letter on a plate with its plate, are one thing.
    reach = max(1, round(_GAP * side))
    joined = cv2.dilate(ink.astype(np.uint8), np.ones((reach, 2 * reach + 1), np.uint8))
    n, labels = cv2.connectedComponents(joined)
    found = []
    for part in range(1, n):
        own = (labels == part) & ink
        if own.sum() >= _LEAST_PIXELS and _is_small(own, side) and _is_aside(own) and not _is_frame(own):
            rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
            found.append(Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
    return sorted(found, key=lambda box: -(box.right - box.left) * (box.bottom - box.top))


def marker_mask(film: Bytes, lungs: Mask | None = None) -> Mask:
    """The boxes of `find_markers` as a mask (H, W)."""
    mask = np.zeros(film.shape, dtype=np.bool_)
    for box in find_markers(film, lungs):
        mask[box.top : box.bottom, box.left : box.right] = True
    return mask


def _stands_out(grey: NDArray[np.float32], side: int) -> Mask:
    """Brighter than what is left when everything smaller than a marker is taken away (a white top-hat)."""
    width = round(_LARGEST * side) | 1
    background = cv2.morphologyEx(
        cv2.GaussianBlur(grey, (0, 0), 0.5), cv2.MORPH_OPEN, np.ones((width, width), np.uint8)
    )
    return np.asarray(grey - background >= _CONTRAST)


def _drawn(ink: Mask, grey: NDArray[np.float32]) -> Mask:
    """The ink beside an edge as steep as that of something drawn; of a large plate this is its rim."""
    across, down = (cv2.Sobel(grey, cv2.CV_32F, dx, 1 - dx, ksize=3, scale=1 / 8) for dx in (1, 0))
    steep = ink & (np.hypot(across, down) >= _SHARP)
    return np.asarray(ink & (cv2.dilate(steep.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0))


def _middle(lungs: Mask, side: int) -> Mask:
    """The lungs, the ribs at their edge, and what lies between them."""
    hull = np.zeros(lungs.shape, np.uint8)
    points = cv2.findNonZero(lungs.astype(np.uint8))
    if points is not None:
        cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    reach = 2 * round(_GAP * side) + 1
    return np.asarray(cv2.dilate(hull, np.ones((reach, reach), np.uint8)) > 0)


def _is_small(own: Mask, side: int) -> bool:
    rows, columns = own.any(axis=1), own.any(axis=0)
    height, width = int(np.ptp(np.flatnonzero(rows))) + 1, int(np.ptp(np.flatnonzero(columns))) + 1
    return _LEAST_LETTER * side <= height <= _LARGEST * side and width <= 3 * _LARGEST * side


def _is_aside(own: Mask) -> bool:
    """Within a quarter of the image's width from one of its edges, as markers are put."""
    rows, columns = np.nonzero(own)
    y, x = rows.mean() / own.shape[0], columns.mean() / own.shape[1]
    return bool(min(x, 1 - x, y, 1 - y) < 0.25)


def _is_frame(own: Mask) -> bool:
    """A thin strip along an edge of the image: where the exposed field ends, not something written."""
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    height, width = (int(np.ptp(found)) + 1 for found in (rows, columns))
    near = 0.06 * own.shape[0]
    by_side = columns[-1] < near or columns[0] >= own.shape[1] - near
    by_end = rows[-1] < near or rows[0] >= own.shape[0] - near
    return bool((by_side and height > 2 * width) or (by_end and width > 12 * height))
