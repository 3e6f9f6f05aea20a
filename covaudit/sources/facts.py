"""What the pixels of an image say of how it was taken and stored: every fact from one decoding, in one pass."""

import hashlib
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from covaudit.sources.grey import Grey
from covaudit.sources.images import Opened

BLACK = 16
"""Grey levels below this count as black: compression leaves a black border a few levels above 0."""
HASH_SIDE = 32
_KEPT = 8  # frequencies of each direction


class Facts(NamedTuple):
    """Of one image file.

    `bit_depth` is bits of each stored value, `channels` how many of them a pixel has. `brightness` and `contrast` are
    mean and standard deviation of the grey levels, in [0, 1]. `sharpness` is the standard deviation of the Laplacian
    at the image's own size, in grey levels: 0 for a flat image. `border` is the share of the image outside the smallest
    box that holds all that is not black. `phash` is the perceptual hash, 16 hexadecimal digits.
    """

    sha256: str
    width: int
    height: int
    format: str
    bit_depth: int
    channels: int
    brightness: float
    contrast: float
    sharpness: float
    border: float
    phash: str


def facts_of(content: bytes, opened: Opened) -> Facts:
    """All facts of a file that was opened."""
    mean, spread = (float(value[0, 0]) for value in cv2.meanStdDev(opened.pixels))
    edges = cv2.meanStdDev(cv2.Laplacian(opened.pixels, cv2.CV_16S))[1]
    return Facts(
        hashlib.sha256(content).hexdigest(), opened.width, opened.height, opened.format, opened.depth, opened.channels,
        mean / 255, spread / 255, float(edges[0, 0]), black_border(opened.pixels), perceptual_hash(opened.pixels),
    )  # fmt: skip


def black_border(pixels: Grey) -> float:
    """Share of the image (H, W) outside the smallest box that holds all pixels of `BLACK` and lighter."""
    rows = np.flatnonzero(cv2.reduce(pixels, 1, cv2.REDUCE_MAX)[:, 0] >= BLACK)
    columns = np.flatnonzero(cv2.reduce(pixels, 0, cv2.REDUCE_MAX)[0] >= BLACK)
    if not len(rows):
        return 1.0
    inside = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
    return 1.0 - float(inside) / pixels.size


def perceptual_hash(pixels: Grey) -> str:
    """pHash (Zauner 2010) of an image (H, W): which of its 64 lowest frequencies lie above their median.

    Bit for bit what ImageHash 4.3 finds for the same 32 x 32 pixels. The reduction to them is OpenCV's area mean, ten
    times as fast as ImageHash's Lanczos filter: of 150 radiographs and CT slices 109 had all bits alike, 39 differed in
    two, 2 in four.
    """
    small = cv2.resize(pixels, (HASH_SIDE, HASH_SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    cosines = _cosines()
    low = cosines @ small @ cosines.T
    return np.packbits(low > np.median(low)).tobytes().hex()


@cache
def _cosines() -> NDArray[np.float64]:
    """The first rows of the DCT-II, not normalised, as in SciPy and so in ImageHash."""
    frequency, place = np.arange(_KEPT)[:, None], np.arange(HASH_SIDE)[None, :]
    return np.asarray(2 * np.cos(np.pi * frequency * (2 * place + 1) / (2 * HASH_SIDE)))
