"""Augmentation keeps shape and range, draws for each image on its own, and repeats itself."""

import torch

from covaudit.training.augment import augment


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_each_image_gets_its_own_draw() -> None:
    image = torch.rand(1, 1, 24, 24, generator=draws(0))
    changed = augment(image.expand(6, -1, -1, -1), draws(1))
    assert changed.shape == (6, 1, 24, 24)
    assert all(not torch.allclose(changed[i], changed[j]) for i in range(6) for j in range(i))


def test_grey_levels_stay_in_range() -> None:
    changed = augment(torch.rand(16, 1, 24, 24, generator=draws(0)), draws(1))
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1


def test_the_same_generator_gives_the_same_images() -> None:
    images = torch.rand(4, 1, 24, 24, generator=draws(0))
    assert torch.equal(augment(images, draws(7)), augment(images, draws(7)))
    assert not torch.equal(augment(images, draws(7)), augment(images, draws(8)))


def test_films_are_never_mirrored() -> None:
    """A bright left half stays on the left: a mirrored film shows the heart on the wrong side."""
    images = torch.zeros(64, 1, 32, 32)
    images[..., :16] = 1
    changed = augment(images, draws(2))
    assert bool((changed[..., :12].mean(dim=(1, 2, 3)) > changed[..., 20:].mean(dim=(1, 2, 3))).all())
