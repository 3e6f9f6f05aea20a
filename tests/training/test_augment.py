"""Augmentation keeps shape and range, draws for each image on its own, and repeats itself."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from covaudit.domain.training import Augmentation
from covaudit.training.augment import augment, draw, move_batch, move_bytes
from covaudit.training.loaders import to_images

CPU = torch.device("cpu")


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(n: int, size: int = 24) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (n, size, size), dtype=np.uint8)


def test_each_image_gets_its_own_draw() -> None:
    changed = augment(noise(1).repeat(6, axis=0), CPU, draws(1))
    assert changed.shape == (6, 1, 24, 24)
    assert all(not torch.allclose(changed[i], changed[j]) for i in range(6) for j in range(i))


def test_grey_levels_stay_in_range() -> None:
    changed = augment(noise(16), CPU, draws(1))
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1


def test_the_same_generator_gives_the_same_images() -> None:
    assert torch.equal(augment(noise(4), CPU, draws(7)), augment(noise(4), CPU, draws(7)))
    assert not torch.equal(augment(noise(4), CPU, draws(7)), augment(noise(4), CPU, draws(8)))


def test_no_reach_changes_nothing() -> None:
    still = Augmentation.model_validate(dict.fromkeys(Augmentation.model_fields, 0))
    torch.testing.assert_close(augment(noise(4), CPU, draws(1), still), to_images(noise(4), CPU), atol=1e-6, rtol=0)


def test_films_are_never_mirrored() -> None:
    """A bright left half stays on the left: a mirrored film shows the heart on the wrong side."""
    pixels = np.zeros((64, 32, 32), np.uint8)
    pixels[..., :16] = 255
    changed = augment(pixels, CPU, draws(2))
    assert bool((changed[..., :12].mean(dim=(1, 2, 3)) > changed[..., 20:].mean(dim=(1, 2, 3))).all())


def test_the_processors_way_is_the_other_devices() -> None:
    """Flips, turns, shears, shifts and exposure of smooth films by OpenCV on bytes and by torch in floating point: they
    differ by the rounding of places to 1/32 px and of grey levels, which gamma and contrast stretch."""
    pixels = np.stack([cv2.GaussianBlur(one, (0, 0), 4) for one in noise(12, 96)])
    pixels = cv2.normalize(pixels, None, 40, 220, cv2.NORM_MINMAX)
    reach = Augmentation(rotation=30, shift=0.2, scale=0.3, shear=15, horizontal_flip=0.5, vertical_flip=0.5)
    drawn = draw(12, draws(3), reach)
    one, other = move_bytes(pixels, drawn), move_batch(to_images(pixels, CPU), drawn)
    assert float((one - other).abs().max()) < 3 / 255
    assert float((one - to_images(pixels, CPU)).abs().mean()) > 15 / 255, "they were moved"
