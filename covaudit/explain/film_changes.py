"""A film changed in one part, and its control: as much changed without the cue. Grey levels (S, S) in and out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from covaudit.domain.regions import LUNG, MARKER
from covaudit.explain.manipulate import RING, boxes_of, erase, letter, paste, with_border, with_curve
from covaudit.explain.markers import Box

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

ON_MARKED_FILMS = ("erase", "move", "swap")
ON_ALL_FILMS = ("insert", "border", "curve")
_TRIALS = 30


class Donor(NamedTuple):
    """A film to take a part from, its region bits, and the box of its largest marker."""

    pixels: Bytes
    regions: Bytes
    mark: Box | None


class Film(NamedTuple):
    """A test film, its region bits, the boxes of its markers, and a donor of another and of the same class."""

    pixels: Bytes
    regions: Bytes
    marks: list[Box]
    other: Donor
    same: Donor


class Changed(NamedTuple):
    """The film with the cue changed, and with as much changed elsewhere."""

    film: Bytes
    control: Bytes


def donor_of(pixels: Bytes, regions: Bytes) -> Donor:
    boxes = boxes_of((regions & MARKER) > 0)
    return Donor(pixels, regions, boxes[0] if boxes else None)


def change(what: str, film: Film, draws: np.random.Generator) -> Changed | None:
    """One of `ON_MARKED_FILMS` or `ON_ALL_FILMS`; None where there is nothing to change."""
    if what in ON_MARKED_FILMS and not film.marks:
        return None
    if what == "erase":
        return Changed(_without_marks(film), _erase_elsewhere(film, draws))
    if what == "move":
        box = film.marks[0]
        return Changed(_moved(film.pixels, box), _moved(film.pixels, _elsewhere(film, box, draws)))
    if what == "border":
        return Changed(*(with_border(film.pixels, donor.pixels) for donor in (film.other, film.same)))
    if what == "curve":
        return Changed(*(_curved(film, donor) for donor in (film.other, film.same)))
    onto = _without_marks(film) if what == "swap" else film.pixels
    source, box = _mark_for(film)
    return Changed(paste(onto, source, box), paste(onto, film.other.pixels, _elsewhere(film, box, draws)))


def _mark_for(film: Film) -> tuple[Bytes, Box]:
    if film.other.mark is not None:
        return film.other.pixels, film.other.mark
    return letter(len(film.pixels), left=not film.marks)


def _without_marks(film: Film) -> Bytes:
    return erase(film.pixels, (film.regions & MARKER) > 0)


def _erase_elsewhere(film: Film, draws: np.random.Generator) -> Bytes:
    """As much inpainted as the markers cover, at random places outside the lungs."""
    return erase(film.pixels, _mask_of(film.pixels, *(_elsewhere(film, box, draws) for box in film.marks)))


def _moved(pixels: Bytes, box: Box) -> Bytes:
    """What is in a box at its mirrored place, and its own place filled."""
    mirrored = (pixels.shape[1] - box.right, box.top)
    return paste(erase(pixels, _mask_of(pixels, box)), pixels, box, mirrored)


def _mask_of(pixels: Bytes, *boxes: Box) -> Mask:
    mask = np.zeros(pixels.shape, dtype=np.bool_)
    for box in boxes:
        mask[box.top : box.bottom, box.left : box.right] = True
    return mask


def _elsewhere(film: Film, box: Box, draws: np.random.Generator) -> Box:
    """A box of the same size at random that keeps off lungs and markers of film and donor, as far as there is one."""
    side, width, height = len(film.pixels), box.right - box.left, box.bottom - box.top
    x = y = 0
    for _ in range(_TRIALS):
        x, y = int(draws.integers(0, side - width + 1)), int(draws.integers(0, side - height + 1))
        seen = film.regions[y : y + height, x : x + width] | film.other.regions[y : y + height, x : x + width]
        if not (seen & (LUNG | MARKER)).any():
            break
    return Box(x, y, x + width, y + height)


def _curved(film: Film, donor: Donor) -> Bytes:
    # The border is another change: its black frame must not bend the curve.
    inside, ring = np.zeros(film.pixels.shape, dtype=np.bool_), max(1, round(RING * len(film.pixels)))
    inside[ring:-ring, ring:-ring] = True
    counted, donor_counted = (inside & ((bits & (LUNG | MARKER)) == 0) for bits in (film.regions, donor.regions))
    return with_curve(film.pixels, donor.pixels, counted, donor_counted)
