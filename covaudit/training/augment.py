"""Random changes of a training batch that leave the anatomy plausible; every image gets its own draw.

Flips are left out: a mirrored film shows a heart on the wrong side. Exposure changes (contrast, brightness, gamma) are
as wide as those between real machines.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

_ROTATION_DEGREES = 7.0
_SHIFT = 0.05
_SCALE = 0.08
_GAMMA = 0.35
_CONTRAST = 0.2
_BRIGHTNESS = 0.1
_NOISE = 0.03


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Grey levels (N, 1, H, W) in [0, 1], geometrically and photometrically changed; same shape and range."""
    return _expose(_move(images, generator), generator)


def _uniform(n: int, reach: float, generator: torch.Generator, device: torch.device) -> Tensor:
    """(N,) draws in [-reach, reach]."""
    return ((torch.rand(n, generator=generator) * 2 - 1) * reach).to(device)


def _move(images: Tensor, generator: torch.Generator) -> Tensor:
    n, device = len(images), images.device
    angle = _uniform(n, math.radians(_ROTATION_DEGREES), generator, device)
    scale = 1 + _uniform(n, _SCALE, generator, device)
    shift_x, shift_y = (_uniform(n, 2 * _SHIFT, generator, device) for _ in range(2))
    rows = torch.stack(
        [
            torch.stack([scale * angle.cos(), -scale * angle.sin(), shift_x], dim=1),
            torch.stack([scale * angle.sin(), scale * angle.cos(), shift_y], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(rows, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False, padding_mode="border")


def _expose(images: Tensor, generator: torch.Generator) -> Tensor:
    n, device = len(images), images.device
    gamma = torch.exp(_uniform(n, _GAMMA, generator, device)).view(-1, 1, 1, 1)
    contrast = (1 + _uniform(n, _CONTRAST, generator, device)).view(-1, 1, 1, 1)
    brightness = _uniform(n, _BRIGHTNESS, generator, device).view(-1, 1, 1, 1)
    strength = _NOISE * torch.rand((n, 1, 1, 1), generator=generator).to(device)
    noise = torch.randn(images.shape, generator=generator).to(device) * strength
    return ((images.clamp(0, 1) ** gamma - 0.5) * contrast + 0.5 + brightness + noise).clamp(0, 1)
