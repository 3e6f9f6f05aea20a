"""Networks that timm has; random weights unless asked for."""

import timm
from torch import nn


def build_resnet18(n_classes: int, in_chans: int, pretrained: bool) -> nn.Module:
    """ResNet-18; Grad-CAM target `layer4`, or `layer3` where the last map is too coarse."""
    return _build("resnet18", n_classes, in_chans, pretrained)


def _build(name: str, n_classes: int, in_chans: int, pretrained: bool) -> nn.Module:
    network: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=n_classes, in_chans=in_chans)
    return network
