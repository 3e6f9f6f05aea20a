"""Where on the image a cell of a feature map looks, and heat maps put there.

A map is usually stretched over the image. That is off by up to half a cell, 16 pixels for ResNet at 224, and more where
a network pools without padding (`efficient`): enough to put the heat of a marker beside it. Here the centre of each
cell's receptive field is measured instead, once for a network and size.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from covaudit.explain.grid import Grid

# Wide enough for the field of a cell in the middle; a multiple of every stride in use.
_FIELD, _STRIDES = 512, 64
_NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)
# What scales channels by something seen anywhere on the image says nothing of where a cell looks.
_GATES = {
    "CbamModule", "EcaModule", "EffectiveSEModule", "GatherExcite", "GlobalContext", "SEModule", "SqueezeExcite",
}  # fmt: skip


def measure_grid(network: nn.Module, layer: str, size: int, in_chans: int = 1) -> Grid:
    """The grid of a layer for square images of `size` pixels.

    On a copy of the network whose convolutions average their input, the gradient of one cell is its receptive field;
    its centre of mass is where the cell looks. The cell is taken from the middle of an image where no edge cuts the
    field, and whose side leaves the same remainder, so that paddings fall as they do at the size itself.
    """
    averaging = _averaging(network)
    side = _FIELD + size % _STRIDES
    images = torch.ones(1, in_chans, side, side, requires_grad=True)
    with _AveragePools():
        with torch.no_grad():
            cells, more = (
                _maps(averaging, layer, torch.ones(1, in_chans, one, one)).shape[-1] for one in (size, side + _STRIDES)
            )
        maps = _maps(averaging, layer, images)
    stride = _STRIDES / (more - maps.shape[-1])
    middle = maps.shape[-1] // 2
    return Grid(_centre(maps, images, middle) - stride * middle, stride, cells)


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
    """A copy that passes positive input on as local averages: no sign, no bend, no normalisation, no gate."""
    twin = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    for name, module in list(twin.named_modules()):
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, _NORMS) or _is_bend_or_gate(module):
            _replace(twin, name, nn.Identity())
    return twin


def _is_bend_or_gate(module: nn.Module) -> bool:
    """An activation of torch, or one of timm's attention modules for channels."""
    return type(module).__module__ == nn.ReLU.__module__ or type(module).__name__ in _GATES


class _AveragePools(TorchFunctionMode):
    """Where a maximum would pick one pixel, the mean of its window; also where no module does it (Inception)."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        if func is not functional.max_pool2d:
            return func(*args, **(kwargs or {}))
        return _average_pool(*args, **{key: value for key, value in (kwargs or {}).items() if key in _POOL_KEYS})


_POOL_KEYS = ("kernel_size", "stride", "padding", "ceil_mode")


def _average_pool(
    maps: Tensor, kernel_size: int, stride: int | None = None, padding: int = 0, dilation: int = 1,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    return functional.avg_pool2d(maps, kernel_size, stride, padding, ceil_mode)


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    network.get_submodule(parent).register_module(child, module)


def _centre(maps: Tensor, images: Tensor, cell: int) -> float:
    """Centre of mass along the columns, in pixels, of what cell (cell, cell) sees."""
    (gradient,) = torch.autograd.grad(maps[0, :, cell, cell].sum(), images)
    profile = gradient[0].abs().sum(dim=(0, 1))
    return float((profile * torch.arange(len(profile))).sum() / profile.sum())
