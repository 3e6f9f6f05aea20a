"""Random changes of a training batch that leave the anatomy plausible; every image gets its own draw.

By default no film is flipped, for a mirrored one shows the heart on the wrong side; and exposure changes (contrast,
brightness, gamma) are as wide as those between real machines.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from covaudit.domain.training import Augmentation

USUAL = Augmentation()


def augment(images: Tensor, generator: torch.Generator, reach: Augmentation = USUAL) -> Tensor:
    """Grey levels (N, 1, H, W) in [0, 1], geometrically and photometrically changed; same shape and range."""
    return _expose(_move(images, generator, reach), generator, reach)


def _uniform(n: int, reach: float, generator: torch.Generator, device: torch.device) -> Tensor:
    """(N,) draws in [-reach, reach]."""
    return ((torch.rand(n, generator=generator) * 2 - 1) * reach).to(device)


def _move(images: Tensor, generator: torch.Generator, reach: Augmentation) -> Tensor:
    n, device = len(images), images.device
    angle = _uniform(n, math.radians(reach.rotation), generator, device)
    scale = 1 + _uniform(n, reach.scale, generator, device)
    shift_x, shift_y = (_uniform(n, 2 * reach.shift, generator, device) for _ in range(2))
    # As Keras shears: the angle of the vertical axis alone.
    slant = angle + _uniform(n, math.radians(reach.shear), generator, device) if reach.shear else angle
    across, down = (_flips(n, chance, generator, device) for chance in (reach.horizontal_flip, reach.vertical_flip))
    rows = torch.stack(
        [
            torch.stack([across * scale * angle.cos(), -down * scale * slant.sin(), shift_x], dim=1),
            torch.stack([across * scale * angle.sin(), down * scale * slant.cos(), shift_y], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(rows, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False, padding_mode="border")


def _normal(shape: torch.Size, generator: torch.Generator, device: torch.device) -> Tensor:
    """Standard normal draws, made on the device: a batch has millions."""
    if device.type == "cpu":
        return torch.randn(shape, generator=generator)
    seed = int(torch.randint(2**31, (1,), generator=generator))
    return torch.randn(shape, generator=torch.Generator(device).manual_seed(seed), device=device)


def _flips(n: int, chance: float, generator: torch.Generator, device: torch.device) -> Tensor:
    """(N,) of 1 and, with this chance, -1."""
    if not chance:
        return torch.ones(n, device=device)
    return torch.where(torch.rand(n, generator=generator) < chance, -1.0, 1.0).to(device)


def _expose(images: Tensor, generator: torch.Generator, reach: Augmentation) -> Tensor:
    n, device = len(images), images.device
    gamma = torch.exp(_uniform(n, reach.gamma, generator, device)).view(-1, 1, 1, 1)
    contrast = (1 + _uniform(n, reach.contrast, generator, device)).view(-1, 1, 1, 1)
    brightness = _uniform(n, reach.brightness, generator, device).view(-1, 1, 1, 1)
    strength = reach.noise * torch.rand((n, 1, 1, 1), generator=generator).to(device)
    noise = _normal(images.shape, generator, device) * strength
    return ((images.clamp(0, 1) ** gamma - 0.5) * contrast + 0.5 + brightness + noise).clamp(0, 1)
