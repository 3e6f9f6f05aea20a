"""A small U-Net that finds the lungs on a frontal chest film, and says whether there is such a film at all.

Ronneberger et al., U-Net: convolutional networks for biomedical image segmentation, MICCAI 2015. Four neighbouring
pixels go in as four channels and come out so (Shi et al., CVPR 2016, arXiv:1609.05158): twice the widths at the cost of
a network that begins with all pixels. A second head on the deepest map, for a segmenter alone draws lungs on a
photograph too.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE = 96
WIDTHS = (16, 32, 64, 96, 128)
_BLOCK = 2  # pixels of a side that become channels


def _double(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for source in (inputs, outputs):
        layers += [nn.Conv2d(source, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class LungUNet(nn.Module):
    """Images (N, 1, 96, 96), zero mean and unit spread, to logits of lung (N, 96, 96) and of a chest film (N,)."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(_double(a, b) for a, b in zip((_BLOCK**2, *WIDTHS), WIDTHS, strict=False))
        pairs = zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True)
        self.up = nn.ModuleList(_double(below + beside, beside) for below, beside in pairs)
        self.lung = nn.Conv2d(WIDTHS[0], _BLOCK**2, 1)
        self.film = nn.Linear(2 * WIDTHS[-1], 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps, kept = functional.pixel_unshuffle(images, _BLOCK), []
        for number, block in enumerate(self.down):
            maps = block(functional.max_pool2d(maps, 2) if number else maps)
            kept.append(maps)
        film = self.film(torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1))[:, 0]
        for block, beside in zip(self.up, kept[-2::-1], strict=True):
            above = functional.interpolate(maps, scale_factor=2.0, mode="bilinear", align_corners=False)
            maps = block(torch.cat([above, beside], dim=1))
        return functional.pixel_shuffle(self.lung(maps), _BLOCK)[:, 0], film
