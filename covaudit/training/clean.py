"""Things on a film that are not the patient: frames around the exposed field, and markers and text beside it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from covaudit.sources.radiograph import Radiograph

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_FRAME_SHARE = 0.3  # of a side, at most taken away as a frame
_FLAT = 6.0  # grey levels: a line that varies less than this is frame
_SIDE = 512  # markers are looked for at this size
_STROKE = 0.16  # of the side: what is brighter than its surroundings over less than this may be lead or ink
_RAISED = 40  # grey levels above the surroundings
_SHARP = 65  # grey levels between neighbours: ribs are softer
_JOIN = 7  # pixels between strokes that belong together
_LARGEST = 0.4  # of the side: letters and words are smaller
_RIM = 0.25  # of the side: markers lie in it
_INK = np.ones((_JOIN, _JOIN), np.uint8)


def crop(film: Radiograph, box: tuple[int, int, int, int]) -> Radiograph:
    """The part of a film and of its masks between left, top, right and bottom; the last two are exclusive."""
    left, top, right, bottom = box
    parts = (None if part is None else np.ascontiguousarray(part[top:bottom, left:right]) for part in film)
    return Radiograph(*parts)  # type: ignore[arg-type]


def remove_borders(film: Radiograph) -> Radiograph:
    """The film without the even, dark or white lines at its edges: a collimator's frame, or a scan's paper."""
    top, bottom = _frame(film.pixels)
    left, right = _frame(film.pixels.T)
    height, width = film.pixels.shape
    return crop(film, (left, top, width - right, height - bottom))


def _frame(pixels: Bytes) -> tuple[int, int]:
    """How many even lines (rows) there are at the start and at the end."""
    low, high = np.quantile(pixels, [0.05, 0.95], axis=1)
    middle = np.median(pixels, axis=1)
    is_even = ((high - low) < _FLAT) & ((middle < 40) | (middle > 250))
    most = int(_FRAME_SHARE * len(pixels))
    counts = [int(np.argmin(np.append(lines[:most], False))) for lines in (is_even, is_even[::-1])]
    return counts[0], counts[1]


def inpaint_markers(film: Radiograph) -> Radiograph:
    """The film with markers and burned-in text painted over from their surroundings (Telea 2004).

    Both what the source says of its markers and what `find_markers` finds is painted over.
    """
    mask = find_markers(film.pixels)
    mask = mask if film.marker_mask is None else mask | film.marker_mask
    if not mask.any():
        return film
    wide = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8))
    return film._replace(pixels=np.asarray(cv2.inpaint(film.pixels, wide, 3, cv2.INPAINT_TELEA), dtype=np.uint8))


def find_markers(pixels: Bytes) -> Mask:
    """Small, bright, sharp things in the rim of a film (H, W): lead letters, plates, words, with what they enclose.

    Faint words, those that differ from their surroundings by less than `_SHARP` grey levels, are not found.
    """
    height, width = pixels.shape
    shrunk = min(1.0, _SIDE / max(height, width))
    small = cv2.resize(pixels, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA) if shrunk < 1 else pixels
    side = max(small.shape)
    reach = 2 * round(_STROKE * side / 2) + 1
    raised = cv2.morphologyEx(small, cv2.MORPH_TOPHAT, np.ones((reach, reach), np.uint8)) >= _RAISED
    sharp = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) >= _SHARP
    joined = cv2.morphologyEx((raised & sharp).astype(np.uint8), cv2.MORPH_CLOSE, _INK)
    _, parts, boxes, _ = cv2.connectedComponentsWithStats(joined)
    kept = [number for number, box in enumerate(boxes) if number and _is_marker(box, small.shape)]
    outlines, _ = cv2.findContours(np.isin(parts, kept).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = np.zeros(small.shape, np.uint8)
    cv2.drawContours(found, outlines, -1, 1, cv2.FILLED)
    return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_NEAREST) > 0)


def _is_marker(box: NDArray[np.int32], shape: tuple[int, ...]) -> bool:
    """Whether left, top, width, height and area are those of letters, and their middle is in the rim."""
    left, top, width, height, area = (int(value) for value in box)
    x, y = (left + width / 2) / shape[1], (top + height / 2) / shape[0]
    return max(width, height) <= _LARGEST * max(shape) and area >= 12 and min(x, 1 - x, y, 1 - y) <= _RIM
