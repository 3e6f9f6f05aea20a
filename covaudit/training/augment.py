"""Random changes of a training batch that leave the anatomy plausible; every image gets its own draw.

By default no film is flipped, for a mirrored one shows the heart on the wrong side; and exposure changes (contrast,
brightness, gamma) are as wide as those between real machines. A processor moves bytes and looks grey levels up in a
table, four times as fast as the same in floating point; another device has whole batches in floating point instead.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from covaudit.domain.training import Augmentation
from covaudit.training.loaders import to_images

USUAL = Augmentation()


class Draws(NamedTuple):
    """What each of N images is changed by: `moves` (N, 2, 3) from places in the outcome to places in the image, both
    from -1 to 1; the others (N,)."""

    moves: Tensor
    gamma: Tensor
    contrast: Tensor
    brightness: Tensor
    noise: Tensor

    def expose(self, levels: Tensor) -> Tensor:
        """Grey levels (N, ...) in [0, 1] after gamma, contrast and brightness, which may leave the range."""
        shape = (-1, *[1] * (levels.dim() - 1))
        gamma, contrast, brightness = (
            one.to(levels.device).view(shape) for one in (self.gamma, self.contrast, self.brightness)
        )
        return (levels**gamma - 0.5) * contrast + 0.5 + brightness


def augment(
    pixels: NDArray[np.uint8], device: torch.device, generator: torch.Generator, reach: Augmentation = USUAL
) -> Tensor:
    """Grey levels (N, S, S) in 0..255, geometrically and photometrically changed, as (N, 1, S, S) in [0, 1]."""
    drawn = draw(len(pixels), generator, reach)
    images = move_bytes(pixels, drawn) if device.type == "cpu" else move_batch(to_images(pixels, device), drawn)
    if reach.noise:
        strength = drawn.noise.to(device).view(-1, 1, 1, 1)
        images.add_(_normal(images.shape, generator, device).mul_(strength))
    return images.clamp_(0, 1)


def draw(n: int, generator: torch.Generator, reach: Augmentation) -> Draws:
    """For each of `n` images its own."""
    angle = _uniform(n, math.radians(reach.rotation), generator)
    scale = 1 + _uniform(n, reach.scale, generator)
    shift_x, shift_y = (_uniform(n, 2 * reach.shift, generator) for _ in range(2))
    # As Keras shears: the angle of the vertical axis alone.
    slant = angle + _uniform(n, math.radians(reach.shear), generator) if reach.shear else angle
    across, down = (_flips(n, chance, generator) for chance in (reach.horizontal_flip, reach.vertical_flip))
    moves = torch.stack(
        [
            torch.stack([across * scale * angle.cos(), -down * scale * slant.sin(), shift_x], dim=1),
            torch.stack([across * scale * angle.sin(), down * scale * slant.cos(), shift_y], dim=1),
        ],
        dim=1,
    )
    gamma = torch.exp(_uniform(n, reach.gamma, generator))
    contrast = 1 + _uniform(n, reach.contrast, generator)
    brightness = _uniform(n, reach.brightness, generator)
    return Draws(moves, gamma, contrast, brightness, reach.noise * torch.rand(n, generator=generator))


def move_batch(images: Tensor, drawn: Draws) -> Tensor:
    """Images (N, 1, S, S) in [0, 1] moved and exposed on their device."""
    grid = functional.affine_grid(drawn.moves.to(images.device), list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, align_corners=False, padding_mode="border")
    return drawn.expose(moved.clamp_(0, 1))


def move_bytes(pixels: NDArray[np.uint8], drawn: Draws) -> Tensor:
    """The same of grey levels (N, S, S) on the processor, rounded to whole grey levels once moved."""
    size = pixels.shape[-1]
    # In pixels, whose first centre is at 0.
    turns, shifts = drawn.moves[:, :, :2].double().numpy(), drawn.moves[:, :, 2:].double().numpy()
    middle = np.full((2, 1), (size - 1) / 2)
    moves = np.concatenate([turns, shifts * size / 2 + middle - turns @ middle], axis=2)
    tables = drawn.expose((torch.arange(256) / 255).expand(len(pixels), -1)).numpy()
    images = torch.empty(len(pixels), 1, size, size)
    for film, move, table, image in zip(pixels, moves, tables, images.numpy(), strict=True):
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.LUT(cv2.warpAffine(film, move, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE), table, image[0])
    return images


def _uniform(n: int, reach: float, generator: torch.Generator) -> Tensor:
    """(N,) draws in [-reach, reach]."""
    return (torch.rand(n, generator=generator) * 2 - 1) * reach


def _normal(shape: torch.Size, generator: torch.Generator, device: torch.device) -> Tensor:
    """Standard normal draws, made on the device: a batch has millions."""
    if device.type == "cpu":
        return torch.randn(shape, generator=generator)
    seed = int(torch.randint(2**31, (1,), generator=generator))
    return torch.randn(shape, generator=torch.Generator(device).manual_seed(seed), device=device)


def _flips(n: int, chance: float, generator: torch.Generator) -> Tensor:
    """(N,) of 1 and, with this chance, -1."""
    if not chance:
        return torch.ones(n)
    return torch.where(torch.rand(n, generator=generator) < chance, -1.0, 1.0)
