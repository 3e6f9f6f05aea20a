"""Offline augmentation as in paper 2: each image of one label gives way to changed copies of itself.

Copies are made after the split, so that a family, the copies of one `base_image`, is never on two sides of it.
"""

import math

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.domain.labels import is_a
from covaudit.domain.seeds import derive_seed
from covaudit.domain.training import Copies
from covaudit.sources.radiograph import Radiograph

# Vertical shift (share of the height), rotation (degrees), and how far brightness and zoom go from 1: in train and val,
# and in the test (paper 2, section "augmentation", and its code).
_REACH = {"train": (0.05, 5.0, 0.1, 0.1), "test": (0.05, 2.5, 0.05, 0.05)}
_KIND = {"train": "train", "val": "train", "internal": "test"}


def add_copies(samples: pd.DataFrame, asked: Copies | None, seed: int) -> pd.DataFrame:
    """The samples with `base_image`, the image that each was made from, and `copy`: empty for an image itself, else how
    and from which seed `change` makes it. The external test is left as it is."""
    samples = samples.assign(base_image=samples["image_id"], copy="")
    if asked is None:
        return samples
    is_copied = samples["label"].map(lambda label: is_a(str(label), asked.label)) & samples["split"].isin(list(_KIND))
    n_copies = {"train": asked.train, "test": asked.test}
    rows = []
    for row, is_changed in zip(samples.to_dict("records"), is_copied, strict=True):
        kind = _KIND.get(row["split"], "")
        n = n_copies.get(kind, 0) if is_changed else 0
        for number in range(1, n + 1):
            own = derive_seed(seed, "copy", row["source"], row["image_id"], number)
            rows.append(row | {"image_id": f"{row['image_id']}#{number}", "copy": f"{kind}:{own}"})
        if not n:
            rows.append(row)
    return pd.DataFrame(rows, columns=samples.columns).astype(samples.dtypes.to_dict())


def change(film: Radiograph, copy: str) -> Radiograph:
    """The copy of a film that `copy` of `add_copies` names: shifted, turned, perhaps mirrored, zoomed and brightened as
    Keras' ImageDataGenerator does, edges repeated; masks move with it."""
    kind, seed = copy.split(":")
    shift, degrees, brightness, zoom = _REACH[kind]
    draws = np.random.default_rng(int(seed))
    angle, down = math.radians(draws.uniform(-degrees, degrees)), draws.uniform(-shift, shift)
    wide, high = draws.uniform(1 - zoom, 1 + zoom, 2)
    mirror, light = draws.choice([1.0, -1.0]), draws.uniform(1 - brightness, 1 + brightness)
    height, width = film.pixels.shape
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = turn @ np.diag([wide * mirror, high])
    # From a place in the copy to the place in the film that it shows.
    moves = np.column_stack([linear, middle + np.array([0, down * height]) - linear @ middle])
    pixels = _warp(film.pixels, moves, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    masks = (None if m is None else _warp(m.astype(np.uint8), moves, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT) > 0
             for m in film[1:])  # fmt: skip
    return Radiograph(np.clip(np.rint(pixels * light), 0, 255).astype(np.uint8), *masks)


def _warp(image: NDArray[np.uint8], moves: NDArray[np.float64], interpolation: int, border: int) -> NDArray[np.uint8]:
    flags = interpolation | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, moves, image.shape[::-1], flags=flags, borderMode=border), dtype=np.uint8)
