"""The light network of Pasa et al. (2019), as paper 2 trained it ("Efficient").

Five blocks of 16, 32, 48, 64 and 80 channels; each averages a main path (two 3x3 convolutions with batch norm and ReLU)
and a 1x1 shortcut, and all but the last end in a 3x3 max pool of stride 2. 232,165 parameters with three input channels
and five outputs; smallest input side 121.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.specs import NetworkSpec

CHANNELS = (16, 32, 48, 64, 80)
# Keras' batch norm: epsilon 1e-3, momentum 0.99 of the old value.
_EPSILON, _MOMENTUM = 1e-3, 0.01


class SameConv(nn.Module):
    """3x3 convolution padded as Keras' 'same': at stride 2 an even side gets its padding right and bottom only."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=stride)

    def forward(self, images: Tensor) -> Tensor:
        top, bottom = self._padding(images.shape[-2])
        left, right = self._padding(images.shape[-1])
        padded: Tensor = self.conv(functional.pad(images, (left, right, top, bottom)))
        return padded

    def _padding(self, side: int) -> tuple[int, int]:
        total = max((-(-side // self.stride) - 1) * self.stride + 3 - side, 0)
        return total // 2, total - total // 2


class Block(nn.Module):
    """(main + shortcut) / 2, no activation after the average; the shortcut strides by the square of `stride`."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            *_normed(SameConv(inputs, outputs, stride), outputs), *_normed(SameConv(outputs, outputs, stride), outputs)
        )
        self.shortcut = nn.Sequential(*_normed(nn.Conv2d(inputs, outputs, 1, stride=stride**2), outputs))

    def forward(self, images: Tensor) -> Tensor:
        average: Tensor = (self.main(images) + self.shortcut(images)) / 2
        return average


def _normed(convolution: nn.Module, channels: int) -> tuple[nn.Module, ...]:
    return convolution, nn.BatchNorm2d(channels, eps=_EPSILON, momentum=_MOMENTUM), nn.ReLU()


class Efficient(nn.Module):
    """Logits (N, n_classes) of images (N, in_chans, H, W), H and W at least 121."""

    def __init__(self, n_classes: int, in_chans: int) -> None:
        super().__init__()
        widths = (in_chans, *CHANNELS)
        for number, (inputs, outputs) in enumerate(zip(widths, CHANNELS, strict=False), start=1):
            self.add_module(f"block{number}", Block(inputs, outputs, stride=2 if number == 1 else 1))
        self.pool = nn.MaxPool2d(3, stride=2)
        self.head = nn.Linear(CHANNELS[-1], n_classes)
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        maps = images
        for number in range(1, 6):
            maps = self.get_submodule(f"block{number}")(maps)
            maps = self.pool(maps) if number < 5 else maps
        logits: Tensor = self.head(torch.mean(maps, dim=(-2, -1)))
        return logits


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def build_efficient(spec: NetworkSpec, n_classes: int, in_chans: int, image_size: int) -> nn.Module:
    """The light network; the authors published no weights."""
    return Efficient(n_classes, in_chans)
