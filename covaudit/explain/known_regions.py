"""Lungs and markers of films whose source does not say where they are, found for the test images of a run."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from covaudit.domain.regions import LUNG, LUNGS_FOUND, LUNGS_KNOWN, MARKER, MARKERS_FOUND, MARKERS_KNOWN
from covaudit.explain.lungs import find_lungs
from covaudit.explain.markers import marker_mask

Bytes = NDArray[np.uint8]
_BATCH = 64


class Found(NamedTuple):
    """`regions` (N, S, S) bits with what was found added; of `asked` films `lungs` had lungs, `markers` a marker."""

    regions: Bytes
    asked: int
    lungs: int
    markers: int


def find_regions(
    pixels: Bytes,
    regions: Bytes,
    rows: NDArray[np.int64],
    device: torch.device,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Found:
    """Fill in the regions (N, S, S) of the films `rows` that lack them; what a source says is never overwritten.

    Markers are looked for only where the lungs are known or found: without them bones are taken for markers.
    """
    missing = np.array([row for row in rows if not regions[row, 0, 0] & LUNGS_KNOWN], np.int64)
    unmarked = [int(row) for row in rows if not regions[row, 0, 0] & MARKERS_KNOWN]
    if not len(missing) and not unmarked:
        return Found(regions, 0, 0, 0)
    filled = np.array(regions)
    n_lungs = 0
    for start in range(0, len(missing), _BATCH):
        chosen = missing[start : start + _BATCH]
        lungs = find_lungs(pixels[chosen], device)
        for row, mask, is_found in zip(chosen, lungs.masks, lungs.found, strict=True):
            if is_found:
                filled[row] |= np.where(mask, np.uint8(LUNG), np.uint8(0)) | np.uint8(LUNGS_KNOWN | LUNGS_FOUND)
                n_lungs += 1
        on_progress(start + len(chosen), len(missing))
    n_markers = sum(_mark(pixels[row], filled[row]) for row in unmarked if filled[row, 0, 0] & LUNGS_KNOWN)
    return Found(filled, len({*missing.tolist(), *unmarked}), n_lungs, n_markers)


def _mark(film: Bytes, bits: Bytes) -> bool:
    """Add the markers that are found to the bits (S, S), in place; whether there were any."""
    mask = marker_mask(film, (bits & LUNG) > 0)
    bits |= np.where(mask, np.uint8(MARKER), np.uint8(0)) | np.uint8(MARKERS_KNOWN | MARKERS_FOUND)
    return bool(mask.any())
