"""Networks that timm has, with weights drawn at random."""

import timm
from torch import nn

from models.specs import NetworkSpec


def build_timm(spec: NetworkSpec, n_classes: int, in_chans: int, image_size: int) -> nn.Module:
    """The network of that name in timm."""
    network: nn.Module = timm.create_model(spec.name.removeprefix("timm:"), num_classes=n_classes, in_chans=in_chans)
    return network
