"""The networks by name. Importing this module costs nothing: torch and timm are loaded by `build_network`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class NetworkSpec:
    """What must be known of a network before it is built.

    `builder` is `module:function`, called with (n_classes, in_chans, pretrained). `cam_layers` are module names for
    Grad-CAM, the deepest first. `parameters` counts the trainable ones with two classes and one input channel.
    """

    name: str
    title: str
    builder: str
    cam_layers: tuple[str, ...]
    parameters: int
    native_size: int
    minimum_size: int
    has_imagenet_weights: bool
    publication: str


_SPECS = (
    NetworkSpec(
        name="resnet18",
        title="ResNet-18",
        builder="models.timm_networks:build_resnet18",
        cam_layers=("layer4", "layer3", "layer2"),
        parameters=11_171_266,
        native_size=224,
        minimum_size=32,
        has_imagenet_weights=True,
        publication="He et al., Deep residual learning for image recognition, CVPR 2016",
    ),
    NetworkSpec(
        name="efficient",
        title="Efficient (Pasa et al.)",
        builder="models.efficient:build_efficient",
        cam_layers=("block5", "block4", "block3"),
        parameters=231_602,
        native_size=512,
        minimum_size=121,
        has_imagenet_weights=False,
        publication="Pasa et al., Efficient deep network architectures for fast chest X-ray tuberculosis screening and "
        "visualization, Scientific Reports 2019",
    ),
)

NETWORKS: Mapping[str, NetworkSpec] = {spec.name: spec for spec in _SPECS}


def build_network(name: str, n_classes: int, in_chans: int = 1, *, pretrained: bool = False) -> nn.Module:
    """A network that maps (N, in_chans, H, W) to logits (N, n_classes).

    Raises:
        KeyError: `name` is not in `NETWORKS`.
    """
    module, function = NETWORKS[name].builder.split(":")
    build = getattr(import_module(module), function)
    network: nn.Module = build(n_classes, in_chans, pretrained)
    return network
