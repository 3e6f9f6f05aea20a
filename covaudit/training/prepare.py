"""What is done to the pixels of an image before any network sees it: in training, in the tests and to uploads alike."""

import hashlib
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from covaudit.domain.regions import LESION, LUNG, LUNGS_KNOWN, MARKER, MARKERS_KNOWN
from covaudit.domain.training import Preparation
from covaudit.sources.radiograph import Radiograph
from covaudit.sources.refusals import refuse
from covaudit.training.clean import crop, inpaint_markers, remove_borders

Bytes = NDArray[np.uint8]

_VERSION = "stretch to a square, area interpolation, grey, 1"
_CROP_SIDE = 768  # paper 2's crop is given for images of this side
_MARGIN = 0.05  # around a lung crop, of its side
_PLAIN = Preparation()


class Recipe(NamedTuple):
    """All that decides what an image looks like to the network.

    `levels` is the cumulative distribution (256,) of grey levels that images are given; empty for none.
    """

    size: int
    preparation: Preparation = _PLAIN
    levels: tuple[float, ...] = ()

    def key(self) -> str:
        """Text that is the same for equal recipes only; the plain one's is as it always was."""
        if self.preparation == _PLAIN and not self.levels:
            return f"{_VERSION}\n{self.size}"
        levels = hashlib.sha256(repr(self.levels).encode()).hexdigest()
        return f"{_VERSION}\n{self.size}\n{self.preparation.model_dump_json()}\n{levels}"


class Prepared(NamedTuple):
    """Grey levels and bits of `covaudit.domain.regions`, both (S, S)."""

    pixels: Bytes
    bits: Bytes


def prepare(radiograph: Radiograph, recipe: Recipe) -> Prepared:
    """Clean, crop, scale and level an image, in this order; masks move with it.

    Raises:
        BadImage: the recipe needs the lungs and nobody says where they are.
    """
    asked = recipe.preparation
    film = remove_borders(radiograph) if asked.remove_borders else radiograph
    film = inpaint_markers(film) if asked.inpaint_markers else film
    film = _crop_lungs(film) if asked.lungs != "as they are" else film
    film = _crop_edges(film, asked.crop_start, asked.crop_end)
    pixels = equalise(scale(film.pixels, recipe.size, asked.interpolation), asked.clahe_clip, asked.clahe_grid)
    pixels = match_levels(pixels, recipe.levels) if recipe.levels else pixels
    bits = region_bits(film, recipe.size)
    if asked.lungs == "mask":
        pixels = np.where(bits & LUNG, pixels, 0).astype(np.uint8)
    return Prepared(pixels, bits)


def scale(pixels: Bytes, size: int, interpolation: str = "area") -> Bytes:
    """Grey levels (H, W) stretched to (size, size): the one way an image is scaled, in training and in prediction.

    `nearest` takes the pixels that Pillow takes.
    """
    ways = {"nearest": cv2.INTER_NEAREST_EXACT, "bilinear": cv2.INTER_LINEAR}
    usual = cv2.INTER_AREA if min(pixels.shape) >= size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (size, size), interpolation=ways.get(interpolation, usual)), dtype=np.uint8)


def equalise(pixels: Bytes, clip: float, grid: int) -> Bytes:
    """CLAHE on the lightness of CIE LAB, on `grid` x `grid` tiles, as paper 2 did; `clip` 0 changes nothing."""
    if not clip:
        return pixels
    lightness, grey = _lightness()
    equalised = cv2.createCLAHE(clipLimit=clip, tileGridSize=(grid, grid)).apply(lightness[pixels])
    return np.asarray(grey[equalised])


@cache
def _lightness() -> tuple[Bytes, Bytes]:
    """Grey level to lightness and back, each (256,), as OpenCV converts a grey image to LAB and back."""
    ramp = np.arange(256, dtype=np.uint8)[None]
    lab = cv2.cvtColor(cv2.merge([ramp] * 3), cv2.COLOR_BGR2LAB)
    neutral = np.full_like(ramp, 128)
    back = cv2.cvtColor(cv2.merge([ramp, neutral, neutral]), cv2.COLOR_LAB2BGR)
    return np.asarray(lab[0, :, 0]), np.asarray(cv2.cvtColor(back, cv2.COLOR_BGR2GRAY)[0])


def levels_of(pixels: Bytes) -> tuple[float, ...]:
    """The mean cumulative distribution (256,) of the grey levels of images (N, H, W), each image counting the same."""
    shares = np.mean([np.bincount(image.ravel(), minlength=256) / image.size for image in pixels], axis=0)
    return tuple(np.round(np.cumsum(shares), 6).tolist())


def match_levels(pixels: Bytes, levels: tuple[float, ...]) -> Bytes:
    """Grey levels moved, their order kept, so that they are distributed as `levels` says."""
    own = np.cumsum(np.bincount(pixels.ravel(), minlength=256)) / pixels.size
    table = np.searchsorted(np.asarray(levels), own - 1e-6).clip(max=255)  # levels are rounded to six digits
    return table.astype(np.uint8)[pixels]


def _crop_edges(film: Radiograph, start: int, end: int) -> Radiograph:
    if not start and not end:
        return film
    height, width = film.pixels.shape
    left, right = (round(pixels * width / _CROP_SIDE) for pixels in (start, _CROP_SIDE - end))
    top, bottom = (round(pixels * height / _CROP_SIDE) for pixels in (start, _CROP_SIDE - end))
    return crop(film, (left, top, right, bottom))


def _crop_lungs(film: Radiograph) -> Radiograph:
    """The lungs' bounding box with a margin."""
    if film.lung_mask is None or not film.lung_mask.any():
        raise refuse("no_lungs")
    rows, columns = (np.flatnonzero(film.lung_mask.any(axis=axis)) for axis in (1, 0))
    margin = round(_MARGIN * max(rows[-1] - rows[0], columns[-1] - columns[0]))
    height, width = film.pixels.shape
    left, top = max(columns[0] - margin, 0), max(rows[0] - margin, 0)
    right, bottom = min(columns[-1] + 1 + margin, width), min(rows[-1] + 1 + margin, height)
    return crop(film, (int(left), int(top), int(right), int(bottom)))


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
