"""DarkCovidNet (Ozturk et al. 2020), as the authors' notebook builds it; the layers have its numbers.

Every convolution is padded by 1, the 1x1 ones too: each of those makes the map larger by two, and the flattened size
depends on it (13 cells a side at 256 px).
"""

from torch import Tensor, nn

from models.specs import NetworkSpec


class DarkCovidNet(nn.Module):
    """Logits (N, n_classes) of images (N, in_chans, image_size, image_size)."""

    def __init__(self, n_classes: int, in_chans: int, image_size: int) -> None:
        super().__init__()
        maps = [
            _conv(in_chans, 8, 3), nn.MaxPool2d(2), _conv(8, 16, 3), nn.MaxPool2d(2),
            _triple(16, 32), nn.MaxPool2d(2), _triple(32, 64), nn.MaxPool2d(2),
            _triple(64, 128), nn.MaxPool2d(2), _triple(128, 256),
            _conv(256, 128, 1), _conv(128, 256, 3), _last(256, n_classes),
        ]  # fmt: skip
        self.layers = nn.Sequential(*maps, nn.Flatten(), nn.Linear(n_classes * _side(image_size) ** 2, n_classes))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images)
        return logits


def _conv(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1, inplace=True))


def _triple(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(_conv(inputs, outputs, 3), _conv(outputs, inputs, 1), _conv(inputs, outputs, 3))


def _last(inputs: int, n_classes: int) -> nn.Sequential:
    """fastai's `conv_layer`: the ReLU comes before the batch norm."""
    convolution = nn.Conv2d(inputs, n_classes, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight)
    return nn.Sequential(convolution, nn.ReLU(inplace=True), nn.BatchNorm2d(n_classes))


def _side(image_size: int) -> int:
    """Cells a side of the map that is flattened."""
    side = image_size // 4
    for _ in range(3):
        side = (side + 2) // 2
    return side + 4


def build_darkcovidnet(spec: NetworkSpec, n_classes: int, in_chans: int, image_size: int) -> nn.Module:
    """DarkCovidNet for images of one size."""
    return DarkCovidNet(n_classes, in_chans, image_size)
