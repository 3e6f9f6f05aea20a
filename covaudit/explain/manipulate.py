"""Films with one part changed and the rest as it was, for counterfactuals. Grey levels (S, S) in and out."""

import cv2
import numpy as np
from numpy.typing import NDArray

from covaudit.explain.markers import Box

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

RING = 0.06
_RIM = 0.03
_INPAINT_PIXELS = 3


def erase(film: Bytes, mask: Mask) -> Bytes:
    """The masked part filled from its surroundings (Telea 2004)."""
    rim = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(cv2.inpaint(film, rim, _INPAINT_PIXELS, cv2.INPAINT_TELEA), np.uint8)


def paste(film: Bytes, donor: Bytes, box: Box, place: tuple[int, int] | None = None) -> Bytes:
    """A box of another film at its own place, or with its left top corner at `place` (x, y)."""
    changed = film.copy()
    height, width = box.bottom - box.top, box.right - box.left
    x, y = place or (box.left, box.top)
    changed[y : y + height, x : x + width] = donor[box.top : box.bottom, box.left : box.right]
    return changed


def with_border(film: Bytes, donor: Bytes) -> Bytes:
    """The outer ring, 6 % of the side wide, of another film."""
    changed, ring = donor.copy(), max(1, round(RING * len(film)))
    changed[ring:-ring, ring:-ring] = film[ring:-ring, ring:-ring]
    return changed


def with_curve(film: Bytes, donor: Bytes, counted: Mask, donor_counted: Mask) -> Bytes:
    """The grey-level curve of another film: a line through the levels of rank 5, 50 and 95 %, bent at the middle one.

    Only `counted` pixels are ranked: outside the lungs, so that a disease of the donor does not bend the curve.
    """
    own, other = (np.quantile(f[c], [0.05, 0.5, 0.95]) for f, c in ((film, counted), (donor, donor_counted)))
    rise, run = np.diff(other), np.maximum(np.diff(own), 1.0)
    from_middle = np.arange(256) - own[1]
    curve = other[1] + from_middle * np.where(from_middle < 0, rise[0] / run[0], rise[1] / run[1])
    return np.asarray(np.rint(np.clip(curve, 0, 255)), np.uint8)[film]


def blank(film: Bytes, mask: Mask, level: int) -> Bytes:
    """The masked part and a rim of 3 % of the side around it at one grey level."""
    return np.where(widen(mask), np.uint8(level), film)


def keep(film: Bytes, mask: Mask, level: int) -> Bytes:
    """Everything but the masked part at one grey level."""
    return np.where(mask, film, np.uint8(level))


def widen(mask: Mask) -> Mask:
    """The mask (S, S) with a rim of 3 % of the side."""
    reach = 2 * max(1, round(_RIM * len(mask))) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc) > 0)


def boxes_of(mask: Mask) -> list[Box]:
    """The bounding boxes of the parts of a mask, largest first."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    found = [Box(int(x), int(y), int(x + w), int(y + h)) for x, y, w, h, _ in stats[1:]]
    return sorted(found, key=lambda box: -(box.right - box.left) * (box.bottom - box.top))


def letter(side: int, left: bool) -> tuple[Bytes, Box]:
    """A white R in the upper left corner, or L in the upper right, on black (S, S), and its box: for insertion where no
    film of the run has a marker."""
    page = np.zeros((side, side), np.uint8)
    size = side / 260
    place = (round(0.05 * side), round(0.16 * side)) if left else (round(0.86 * side), round(0.16 * side))
    cv2.putText(page, "R" if left else "L", place, cv2.FONT_HERSHEY_SIMPLEX, size, 255, max(1, side // 64), cv2.LINE_AA)
    return page, boxes_of(page > 100)[0]
