"""torchxrayvision's PSPNet as a finder of lungs: an optional extra, used where its weights are at hand.

Lian et al., A structure-aware relation network for thoracic diseases detection and segmentation, IEEE TMI 2021,
arXiv:2104.10326; Cohen et al., TorchXRayVision, MIDL 2022. It is used where torchxrayvision is installed and the folder
that COVAUDIT_WEIGHTS names holds `pspnet_chestxray_best_model_4.pth`; nothing is downloaded. Its lungs are those that
are seen, without what lies behind the heart, and it takes seconds an image on a processor.
"""

import os
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

WEIGHTS_NAME = "pspnet_chestxray_best_model_4.pth"
_SIDE = 512
_BATCH = 4
# What torchxrayvision takes as black and white.
_LOW, _HIGH = -1024.0, 1024.0
_LUNGS = ("Left Lung", "Right Lung")


def weights_at_hand() -> Path | None:
    """The folder of the weights where both they and torchxrayvision are there."""
    folder = os.environ.get("COVAUDIT_WEIGHTS")
    if not folder or not (Path(folder) / WEIGHTS_NAME).is_file() or find_spec("torchxrayvision") is None:
        return None
    return Path(folder)


@lru_cache(maxsize=2)
def load_pspnet(folder: Path, device: torch.device) -> nn.Module:
    """The network with the weights of a folder, in evaluation mode; torchxrayvision reads them as data only."""
    from torchxrayvision.baseline_models.chestx_det import PSPNet

    network: nn.Module = PSPNet(cache_dir=str(folder))
    return network.to(device).eval()


def score_pspnet(network: nn.Module, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probability of lung (N, 512, 512) of grey films (N, H, W): the larger of the left lung's and the right lung's."""
    device = next(network.parameters()).device
    targets = list(getattr(network, "targets"))  # noqa: B009, a class attribute that nn.Module's types hide
    channels = [targets.index(name) for name in _LUNGS]
    found = []
    with torch.inference_mode():
        for start in range(0, len(pixels), _BATCH):
            batch = np.stack([cv2.resize(film, (_SIDE, _SIDE)) for film in pixels[start : start + _BATCH]])
            images = torch.from_numpy(batch.astype(np.float32) / 255 * (_HIGH - _LOW) + _LOW)[:, None].to(device)
            found.append(network(images)[:, channels].sigmoid().amax(dim=1).cpu().numpy())
    return np.concatenate(found) if found else np.zeros((0, _SIDE, _SIDE), np.float32)
