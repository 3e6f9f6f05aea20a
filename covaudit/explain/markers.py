"""Finds laterality markers and burned-in text: bright, sharp and small things beside the chest.

A detector made by hand. Ink stands out of its surroundings by far more than any anatomy of its size does, has steeper
edges than a bone, and lies away from the middle. Its recall and its false alarms on phantoms and on real films listed
by hand are measured by `python -m covaudit markers measure`; its numbers were chosen on other films than those.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Grey = NDArray[np.float32]

# Of the image's side: what is smaller than a plate, and what is narrower than a stroke, stands out of its background.
_PLATE, _STROKE = 0.13, 0.035
# Of the film's range: how far ink stands out of either background, and how far where it is nearly white itself.
_OVER_PLATE, _OVER_STROKE, _OVER_WHITE = 0.5, 0.2, 0.06
_BRIGHT, _NEARLY_WHITE, _WHITE = 0.45, 0.75, 0.96
# Change of level from one pixel to the next: at the edge of ink, of a drawn thing's steepest tenth, of a white one's.
_EDGE, _SHARP, _SHARP_IF_WHITE = 0.06, 0.16, 0.09
# Of the image's side.
_LEAST_LETTER, _TALLEST, _WIDEST, _GAP = 0.012, 0.17, 0.51, 0.015
_LEAST_PIXELS, _LEAST_AT_EDGE, _LEAST_FILLED = 8, 14, 0.2


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
    slope = np.hypot(*(cv2.Sobel(grey, cv2.CV_32F, dx, 1 - dx, ksize=3, scale=1 / 8) for dx in (1, 0)))
    ink = _stands_out(grey, side)
    if lungs is not None:
        ink &= ~_middle(lungs, side)
    # Of a large plate this is its rim.
    ink &= _grown(ink & (slope >= _EDGE), 3, 3)
    # Letters of a word, and the letter on a plate with its plate, are one thing.
    reach = max(1, round(_GAP * side))
    joined = _grown(ink, reach, 2 * reach + 1).astype(np.uint8)
    n, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    found = []
    for part, (x, y, width, height) in enumerate(stats[1:n, :4], 1):
        around = slice(y, y + height), slice(x, x + width)
        own = (labels[around] == part) & ink[around]
        if own.any() and _is_drawn(own, grey[around], slope[around], box := _box(own, int(x), int(y)), film.shape):
            found.append(box)
    return sorted(found, key=lambda box: -(box.right - box.left) * (box.bottom - box.top))


def marker_mask(film: Bytes, lungs: Mask | None = None) -> Mask:
    """The boxes of `find_markers` as a mask (H, W)."""
    mask = np.zeros(film.shape, dtype=np.bool_)
    for box in find_markers(film, lungs):
        mask[box.top : box.bottom, box.left : box.right] = True
    return mask


def _stands_out(grey: Grey, side: int) -> Mask:
    """Brighter than what is left when everything smaller than a plate, or than a stroke, is taken away (top-hats)."""
    soft = cv2.GaussianBlur(grey, (0, 0), 0.5)
    over_plate, over_stroke = (
        grey - cv2.morphologyEx(soft, cv2.MORPH_OPEN, np.ones((width, width), np.uint8))
        for width in (round(_PLATE * side) | 1, round(_STROKE * side) | 1)
    )
    is_white = (over_stroke >= _OVER_WHITE) & (grey >= _NEARLY_WHITE)
    return np.asarray(((over_plate >= _OVER_PLATE) | (over_stroke >= _OVER_STROKE) | is_white) & (grey >= _BRIGHT))


def _grown(mask: Mask, rows: int, columns: int) -> Mask:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((rows, columns), np.uint8)) > 0)


def _middle(lungs: Mask, side: int) -> Mask:
    """The lungs, the ribs at their edge, and what lies between them."""
    hull = np.zeros(lungs.shape, np.uint8)
    points = cv2.findNonZero(lungs.astype(np.uint8))
    if points is not None:
        cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    reach = 2 * round(0.02 * side) + 1
    return _grown(hull > 0, reach, reach)


def _box(own: Mask, x: int, y: int) -> Box:
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    return Box(x + int(columns[0]), y + int(rows[0]), x + int(columns[-1]) + 1, y + int(rows[-1]) + 1)


def _is_drawn(own: Mask, grey: Grey, slope: Grey, box: Box, shape: tuple[int, ...]) -> bool:
    """Whether the ink of a box is as large, as sharp and as far from the middle as a marker or a word is."""
    height, width, n = box.bottom - box.top, box.right - box.left, int(own.sum())
    side, at_edges = max(shape), _edges_touched(box, shape)
    if n < (_LEAST_AT_EDGE if at_edges else _LEAST_PIXELS) or n < _LEAST_FILLED * height * width:
        return False
    if not _LEAST_LETTER * side <= min(height, width) or height > _TALLEST * side or width > _WIDEST * side:
        return False
    if at_edges > 1 or _is_frame(box, shape) or not _is_aside(own, box, shape):
        return False
    sharpness, level = (float(np.quantile(values[own], 0.9)) for values in (slope, grey))
    return sharpness >= _SHARP or (sharpness >= _SHARP_IF_WHITE and level >= _WHITE and not at_edges)


def _edges_touched(box: Box, shape: tuple[int, ...]) -> int:
    return (box.left == 0) + (box.top == 0) + (box.right == shape[1]) + (box.bottom == shape[0])


def _is_aside(own: Mask, box: Box, shape: tuple[int, ...]) -> bool:
    """Within a quarter of the image's width from one of its edges, as markers are put."""
    rows, columns = np.nonzero(own)
    y = (box.top + rows.mean() - rows.min()) / shape[0]
    x = (box.left + columns.mean() - columns.min()) / shape[1]
    return bool(min(x, 1 - x, y, 1 - y) < 0.25)


def _is_frame(box: Box, shape: tuple[int, ...]) -> bool:
    """A thin strip along an edge of the image: where the exposed field ends, not something written."""
    height, width, near = box.bottom - box.top, box.right - box.left, 0.06 * shape[0]
    by_side = box.right <= near or box.left >= shape[1] - near
    by_end = box.bottom <= near or box.top >= shape[0] - near
    return bool((by_side and height > 4 * width) or (by_end and width > 12 * height))
