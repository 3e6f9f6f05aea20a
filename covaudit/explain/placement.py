"""Where on the image a cell of a feature map looks, and heat maps put there.

A map is usually stretched over the image. That is off by up to half a cell, 16 pixels for ResNet at 224, and more where
a network pools without padding (`efficient`): enough to put the heat of a marker beside it. Here the centre of each
cell's receptive field is measured instead, once for a network and size.
"""

import copy
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_FINE = 4
# A multiple of every stride in use, so that paddings fall as they do at the size itself.
_MARGIN = 512


class Grid(NamedTuple):
    """Centre of cell i in pixels, the same for rows and columns: `offset + stride * i`; cells a side of the map."""

    offset: float
    stride: float
    cells: int


def measure_grid(network: nn.Module, layer: str, size: int, in_chans: int = 1) -> Grid:
    """The grid of a layer for square images of `size` pixels.

    On a copy of the network whose convolutions average their input, the gradient of one cell is its receptive field;
    the centres of mass of two neighbours give offset and stride. They are taken from the middle of a larger image,
    where no edge cuts the field.
    """
    averaging = _averaging(network)
    cells = _maps(averaging, layer, torch.ones(1, in_chans, size, size)).shape[-1]
    images = torch.ones(1, in_chans, size + _MARGIN, size + _MARGIN, requires_grad=True)
    maps = _maps(averaging, layer, images)
    middle = maps.shape[-1] // 2
    first, second = (_centre(maps, images, cell) for cell in (middle, middle + 1))
    stride = second - first
    return Grid(first - stride * middle, stride, cells)


class _Reached(Exception):
    """The layer has been computed; what follows it may not fit the larger image."""


def _maps(network: nn.Module, layer: str, images: Tensor) -> Tensor:
    kept: list[Tensor] = []

    def stop(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        kept.append(output)
        raise _Reached

    hook = network.get_submodule(layer).register_forward_hook(stop)
    try:
        network(images)
    except _Reached:
        return kept[0]
    finally:
        hook.remove()
    raise ValueError(f"the network has no layer '{layer}' on its way from image to logits")


def _averaging(network: nn.Module) -> nn.Module:
    """A copy that passes positive input on as local averages: no sign, no normalisation, no maximum that picks one."""
    twin = copy.deepcopy(network).cpu().float().eval()
    for name, module in list(twin.named_modules()):
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            _replace(twin, name, nn.Identity())
        elif isinstance(module, nn.MaxPool2d):
            sizes = (module.kernel_size, module.stride, module.padding)
            _replace(twin, name, nn.AvgPool2d(*sizes, ceil_mode=module.ceil_mode))
    return twin


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    network.get_submodule(parent).register_module(child, module)


def _centre(maps: Tensor, images: Tensor, cell: int) -> float:
    """Centre of mass along the columns, in pixels, of what cell (cell, cell) sees."""
    (gradient,) = torch.autograd.grad(maps[0, :, cell, cell].sum(), images, retain_graph=True)
    profile = gradient[0].abs().sum(dim=(0, 1))
    return float((profile * torch.arange(len(profile))).sum() / profile.sum())


def place(maps: NDArray[np.float32], grid: Grid, size: int) -> NDArray[np.float32]:
    """Maps (N, h, w) put where their cells look: (N, s, s), s = size / 4, right when stretched over the image."""
    side = max(size // _FINE, grid.cells)
    pixels = (np.arange(side) + 0.5) * size / side - 0.5
    cells = ((pixels - grid.offset) / grid.stride).astype(np.float32)
    columns, rows = np.meshgrid(cells, cells)
    return np.stack(
        [cv2.remap(heat, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for heat in maps]
    ).astype(np.float32)
