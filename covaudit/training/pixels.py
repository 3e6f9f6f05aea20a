"""Each image of a run decoded once, to one memory-mapped array that epochs, heat maps and pages read."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import cv2
import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from covaudit.domain.regions import LESION, LUNG, LUNGS_KNOWN, MARKER, MARKERS_KNOWN
from covaudit.errors import BadImage
from covaudit.sources.radiograph import Radiograph, open_radiograph

_ARRAYS = ("pixels", "regions")
_RECIPE = "stretch to a square, area interpolation, grey, 1"

Bytes = NDArray[np.uint8]


class PixelSet(NamedTuple):
    """Rows as in the samples table.

    `pixels` is (N, S, S) grey levels; `regions` is (N, S, S) bits of `covaudit.domain.regions`. `unreadable` maps row
    numbers to a plain sentence; those rows are blank.
    """

    pixels: Bytes
    regions: Bytes
    unreadable: dict[int, str]


def build_pixels(
    samples: pd.DataFrame, size: int, cache: Path, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> PixelSet:
    """Open every sample and scale it to `size` pixels a side; a second call with the same images reads the cache."""
    folder = cache / _key(samples, size)
    if not (folder / "unreadable.json").exists():
        _decode(samples, size, folder, on_progress)
    unreadable = json.loads((folder / "unreadable.json").read_text())
    os.utime(folder)  # the cache is evicted by age of last use
    return PixelSet(
        np.load(folder / "pixels.npy", mmap_mode="r"),
        np.load(folder / "regions.npy", mmap_mode="r"),
        {int(row): sentence for row, sentence in unreadable.items()},
    )


def scale(pixels: Bytes, size: int) -> Bytes:
    """Grey levels (H, W) stretched to (size, size): the one way an image is scaled, in training and in prediction."""
    interpolation = cv2.INTER_AREA if min(pixels.shape) >= size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (size, size), interpolation=interpolation), dtype=np.uint8)


def _key(samples: pd.DataFrame, size: int) -> str:
    """Hash of the images' content, their masks and the recipe."""
    masks = samples["mask_path"].fillna("").astype(str)
    lines = "\n".join(samples["sha256"].astype(str) + " " + masks)
    return hashlib.sha256(f"{_RECIPE}\n{size}\n{lines}".encode()).hexdigest()[:24]


def _decode(samples: pd.DataFrame, size: int, folder: Path, on_progress: Callable[[int, int], None]) -> None:
    building = folder.with_name(f"{folder.name}.{uuid4().hex[:8]}.part")
    building.mkdir(parents=True)
    try:
        shape = (len(samples), size, size)
        pixels, regions = (open_memmap(building / f"{name}.npy", "w+", np.uint8, shape) for name in _ARRAYS)
        unreadable = _fill(samples, size, pixels, regions, on_progress)
        pixels.flush()
        regions.flush()
        (building / "unreadable.json").write_text(json.dumps(unreadable))
        if not folder.exists():
            building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _fill(
    samples: pd.DataFrame, size: int, pixels: Bytes, regions: Bytes, on_progress: Callable[[int, int], None]
) -> dict[int, str]:
    unreadable: dict[int, str] = {}
    rows = samples[["source", "image_id", "path", "mask_path"]].to_dict("records")
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for number, opened in enumerate(pool.map(_open, rows)):
            if isinstance(opened, Radiograph):
                pixels[number] = scale(opened.pixels, size)
                regions[number] = region_bits(opened, size)
            else:
                unreadable[number] = opened
            on_progress(number + 1, len(rows))
    return unreadable


def _open(row: Mapping[Any, Any]) -> Radiograph | str:
    try:
        return open_radiograph(row)
    except BadImage as error:
        return str(error)


def region_bits(radiograph: Radiograph, size: int) -> Bytes:
    """The masks of a radiograph as bits (size, size)."""
    bits = np.zeros((size, size), np.uint8)
    for mask, bit in ((radiograph.lung_mask, LUNG), (radiograph.lesion_mask, LESION), (radiograph.marker_mask, MARKER)):
        if mask is not None:
            # Area, then any coverage of a half: a marker's thin strokes must not vanish between sampled pixels.
            share = cv2.resize(mask.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
            bits[share >= (0.25 if bit == MARKER else 0.5)] |= bit
    bits |= LUNGS_KNOWN if radiograph.lung_mask is not None else 0
    bits |= MARKERS_KNOWN if radiograph.marker_mask is not None else 0
    return bits
