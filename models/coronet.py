"""CoroNet (Khan et al. 2020): Xception, its maps flattened, one hidden layer of 256."""

from typing import Any

import timm
from torch import Tensor, nn

from models.specs import NetworkSpec

_CHANNELS = 2048


class CoroNet(nn.Module):
    """Logits (N, n_classes) of images (N, in_chans, image_size, image_size)."""

    def __init__(self, n_classes: int, in_chans: int, image_size: int) -> None:
        super().__init__()
        self.xception: Any = timm.create_model("legacy_xception", num_classes=0, in_chans=in_chans)
        cells = _CHANNELS * _side(image_size) ** 2
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(cells, 256), nn.ReLU(), nn.Linear(256, n_classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.xception.forward_features(images))
        return logits


def _side(image_size: int) -> int:
    """Cells a side of Xception's last map: a convolution of stride 2 and one of 1, both unpadded, and four halvings."""
    side = (image_size - 1) // 2 - 2
    for _ in range(4):
        side = (side + 1) // 2
    return side


def build_coronet(spec: NetworkSpec, n_classes: int, in_chans: int, image_size: int) -> nn.Module:
    """CoroNet for images of one size."""
    return CoroNet(n_classes, in_chans, image_size)
