"""What the lung network learns from: annotated films, made-up films, films without masks, and things that are no film.

Every example is grey levels (160, 160) with a mask; the mask is None where nobody drew one. Patients of the annotated
films are split once, by their names, so that those kept out for the measurement never change sides.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images

from covaudit.domain.seeds import derive_seed
from covaudit.sources import phantom
from covaudit.sources.phantom.anatomy import whole_lungs
from covaudit.sources.phantom.patient import make_patient
from covaudit.sources.radiograph import open_radiograph
from covaudit.sources.readers import READERS
from covaudit.sources.readers.cidc_masks import first_sizes
from covaudit.training.prepare import scale

SIDE = 160
HELD_OUT = 0.3
_FILMS = ("cxri", "chestxray8", "hannover")
_PER_COLLECTION = 240
_SLICES = "mgc"

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class Example(NamedTuple):
    """Grey levels (H, W), the lungs (H, W) if known, whether it is a frontal chest film, and whose it is."""

    pixels: Bytes
    mask: Mask | None
    is_film: bool
    patient: str = ""


def is_held_out(patient: str) -> bool:
    """Whether a patient is kept out of the training: 3 of 10, by the name alone."""
    return int(hashlib.sha256(patient.encode()).hexdigest()[:8], 16) / 16**8 < HELD_OUT


def annotated(folder: Path, side: int = SIDE) -> list[Example]:
    """The films of a `cidc` folder whose lung mask is known to lie on them (`readers/cidc_masks.py`)."""
    table = READERS["cidc"].read(folder, {}).table
    known = table["mask_path"].notna() & table["image_id"].isin(list(first_sizes()))
    found = []
    for row in table[known].to_dict("records"):
        film = open_radiograph(row)
        if film.lung_mask is None:
            continue
        mask = scale(film.lung_mask.astype(np.uint8) * 255, side) > 127
        found.append(Example(scale(film.pixels, side), mask, True, str(row["patient"])))
    return found


def made_up(n: int, seed: int) -> list[Example]:
    """Phantoms of every label and machine."""
    draws = np.random.default_rng(derive_seed(seed, "phantoms"))
    found = []
    for number in range(n):
        label, style = str(draws.choice(phantom.LABELS)), phantom.STYLES[str(draws.choice(list(phantom.STYLES)))]
        # Far from the numbers of the phantom sources: none of their patients is trained on.
        patient = derive_seed(seed, "lungs", number)
        drawn = phantom.render(label, patient, style, SIDE)
        found.append(Example(drawn.image, whole_lungs(make_patient(patient), SIDE), True))
    return found


def unmarked(root: Path, held_out: bool, per_collection: int = _PER_COLLECTION) -> list[Example]:
    """Frontal films without masks and CT slices of the collections below `root`, of either side of the split."""
    return [*_collection(root, _FILMS, True, held_out, per_collection),
            *_collection(root, (_SLICES,), False, held_out, 2 * per_collection)]  # fmt: skip


def _collection(root: Path, names: Iterable[str], is_film: bool, held_out: bool, most: int) -> list[Example]:
    found = []
    for name in names:
        if not (root / name).is_dir():
            continue
        table = READERS[name].read(root / name, {}).table
        chosen = table[[is_held_out(f"{name}/{patient}") == held_out for patient in table["patient"]]]
        chosen = chosen.sample(min(most, len(chosen)), random_state=0)
        films = [scale(open_radiograph(row).pixels, SIDE) for row in chosen.to_dict("records")]
        found += [Example(film, None if is_film else _nothing(), is_film) for film in films]
    return found


def oddities(n: int, seed: int) -> list[Example]:
    """Photographs in part, noise, shapes and letters: what a person may upload that is no film."""
    draws = np.random.default_rng(derive_seed(seed, "oddities"))
    photos = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in load_sample_images().images]
    return [Example(_oddity(draws, photos), _nothing(), False) for _ in range(n)]


def _oddity(draws: np.random.Generator, photos: list[Bytes]) -> Bytes:
    kind = draws.integers(4)
    if kind == 0:
        photo = photos[draws.integers(len(photos))]
        side = int(draws.integers(100, min(photo.shape)))
        y, x = (int(draws.integers(0, length - side)) for length in photo.shape)
        return scale(photo[y : y + side, x : x + side], SIDE)
    if kind == 1:
        return _noise(draws, int(draws.choice([4, 12, 40, SIDE])))
    page = _noise(draws, 3) if draws.random() < 0.5 else np.full((SIDE, SIDE), draws.integers(256), np.uint8)
    for _ in range(int(draws.integers(1, 12))):
        colour, thickness = int(draws.integers(256)), int(draws.choice([cv2.FILLED, 1, 4, 9]))
        first, second = (tuple(int(v) for v in draws.integers(0, SIDE, 2)) for _ in range(2))
        if kind == 2:
            cv2.rectangle(page, first, second, colour, thickness)
        elif draws.random() < 0.5:
            cv2.ellipse(page, first, second, float(draws.uniform(0, 180)), 0, 360, colour, thickness)
        else:
            words = "".join(draws.choice(list("ABCRLPX1234567890"), 6))
            cv2.putText(page, words, first, cv2.FONT_HERSHEY_SIMPLEX, float(draws.uniform(0.4, 2.5)), colour, 2)
    return page


def _noise(draws: np.random.Generator, cells: int) -> Bytes:
    coarse = draws.normal(128, 50, (cells, cells)).astype(np.float32)
    return np.asarray(np.clip(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), 0, 255), np.uint8)


def _nothing() -> Mask:
    return np.zeros((SIDE, SIDE), dtype=np.bool_)
