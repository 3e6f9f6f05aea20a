"""CVR-Net (Hasan et al. 2020): ResNet-50 and Xception side by side, and five heads whose answers are averaged.

Heads P1 and P2 read ResNet's third and fourth stage, P3 both ends joined (ResNet's channels first), P4 and P5 Xception.
Where P4 and P5 read, notebook and paper differ: the notebook taps blocks 13 and 4 before their pools (1024 and 728
channels), the text names the ends of middle and entry flow (728 and 728).
"""

import math
from itertools import pairwise
from typing import Any, Literal

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.specs import NetworkSpec

Taps = Literal["authors", "paper"]

_MIDDLE_FLOW = range(4, 12)
_TAP_CHANNELS = {"authors": (512, 1024, 4096, 1024, 728), "paper": (512, 1024, 4096, 728, 728)}


class CVRNet(nn.Module):
    """Log of the mean of the heads' five softmaxes (N, n_classes), of images (N, in_chans, H, W).

    The softmax of the answer is that mean, and its cross entropy is -log of the mean at the true class: the paper's
    loss, neither the mean of five losses nor the cross entropy of probabilities. H and W are multiples of 32.
    """

    def __init__(self, n_classes: int, in_chans: int, taps: Taps) -> None:
        super().__init__()
        self.taps = taps
        self.resnet: Any = timm.create_model("resnet50", num_classes=0, in_chans=in_chans)
        self.xception: Any = timm.create_model("legacy_xception", num_classes=0, in_chans=in_chans)
        self.joined = nn.Identity()
        self.heads = nn.ModuleList(_head(channels, n_classes) for channels in _TAP_CHANNELS[taps])

    def forward(self, images: Tensor) -> Tensor:
        # In float32 also under autocast: the mean of probabilities must not lose the small ones.
        answers = [
            functional.log_softmax(head(maps).float(), dim=-1)
            for head, maps in zip(self.heads, self.tapped(images), strict=True)
        ]
        return torch.logsumexp(torch.stack(answers), dim=0) - math.log(len(answers))

    def tapped(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The maps (N, C, h, w) that heads P1 to P5 read."""
        p1, p2, deep_resnet = self._resnet_maps(images)
        p4, p5, deep_xception = self._xception_maps(images)
        return p1, p2, self.joined(torch.cat([deep_resnet, deep_xception], dim=1)), p4, p5

    def _resnet_maps(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        net = self.resnet
        maps = net.layer1(net.maxpool(net.act1(net.bn1(net.conv1(images)))))
        third = net.layer2(maps)
        fourth = net.layer3(third)
        return third, fourth, net.layer4(fourth)

    def _xception_maps(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """P4, P5 and the end of the exit flow."""
        net = self.xception
        maps = net.act1(net.bn1(net.conv1(images)))
        maps = net.act2(net.bn2(net.conv2(maps)))
        inner_entry, entry = _both(net.block3, net.block2(net.block1(maps)))
        middle = entry
        for number in _MIDDLE_FLOW:
            middle = net.get_submodule(f"block{number}")(middle)
        inner_exit, maps = _both(net.block12, middle)
        maps = net.act3(net.bn3(net.conv3(maps)))
        deep = net.act4(net.bn4(net.conv4(maps)))
        return (inner_exit, inner_entry, deep) if self.taps == "authors" else (middle, entry, deep)


def _both(block: nn.Module, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Of a block of timm's Xception with a pool: the maps before the pool, and its output."""
    *convolutions, pool = block.get_submodule("rep").children()
    inner = maps
    for module in convolutions:
        inner = module(inner)
    output: Tensor = pool(inner) + block.get_submodule("skipbn")(block.get_submodule("skip")(maps))
    return inner, output


def _head(channels: int, n_classes: int) -> nn.Sequential:
    """The paper's FCL block; Keras' defaults: Glorot uniform weights, no bias at the start."""
    widths = (channels, 512, 128, 64, n_classes)
    layers: list[nn.Module] = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    for inputs, outputs in pairwise(widths):
        linear = nn.Linear(inputs, outputs)
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def build_with_authors_taps(spec: NetworkSpec, n_classes: int, in_chans: int, image_size: int) -> nn.Module:
    """CVR-Net as the authors' notebook builds it."""
    return CVRNet(n_classes, in_chans, "authors")


def build_with_paper_taps(spec: NetworkSpec, n_classes: int, in_chans: int, image_size: int) -> nn.Module:
    """CVR-Net as the paper's text reads."""
    return CVRNet(n_classes, in_chans, "paper")
