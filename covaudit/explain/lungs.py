"""Where the lungs are, for films whose source does not say: a small U-Net that also says "not found".

Lungs are outlined as annotators do it, with what lies behind the heart. How the network was trained, and its Dice on
patients kept out, is in `models/weights/lung_unet.json`; `python -m covaudit lungs` does both again. Where the weights
of torchxrayvision's PSPNet are at hand the outlines are PSPNet's; the U-Net still says whether there is such a film.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

import models
from covaudit.explain.pspnet import load_pspnet, score_pspnet, weights_at_hand
from covaudit.training.loaders import MEAN, SPREAD
from models.lung_unet import SIZE, LungUNet

WEIGHTS = Path(models.__file__).parent / "weights" / "lung_unet.safetensors"
RECORD = WEIGHTS.with_suffix(".json")

# A mask is shown where the product of both is at least this: chosen on validation patients, not on the test.
FOUND = 0.5
# Lungs cover 13 to 75 % of the annotated films; far outside of that the mask is wrong.
_LEAST_AREA, _MOST_AREA = 0.06, 0.85
# Of the image's area, and of its side: chosen on validation patients too.
_SPECK, _SHRED = 0.01, 0.04

Bytes = NDArray[np.uint8]


class Lungs(NamedTuple):
    """`masks` (N, H, W), empty where not found; `confidence` (N,) in [0, 1]; `found` (N,)."""

    masks: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    found: NDArray[np.bool_]


def find_lungs(
    pixels: Bytes,
    device: torch.device | None = None,
    batch_size: int = 32,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    weights: Path | None = None,
) -> Lungs:
    """The lungs of grey films (N, H, W), each stretched to a square or not, at the films' own size.

    By the network that `finder` names, or, where `weights` are given, by the U-Net with those.
    """
    device = device or torch.device("cpu")
    network = load_lung_unet(device, weights or WEIGHTS)
    folder = weights_at_hand() if weights is None else None
    masks = np.zeros(pixels.shape, dtype=np.bool_)
    confidence = np.zeros(len(pixels), np.float32)
    for start in range(0, len(pixels), batch_size):
        stop = min(start + batch_size, len(pixels))
        lung, film = score_lungs(network, prepare(pixels[start:stop]))
        if folder is not None:
            lung = score_pspnet(load_pspnet(folder, device), pixels[start:stop])
        for place, probability in enumerate(lung, start):
            confidence[place] = film[place - start] * certainty(probability)
            masks[place] = to_mask(probability, pixels.shape[1:])
        on_progress(stop, len(pixels))
    area = masks.mean(axis=(1, 2)) if len(masks) else np.zeros(0)
    found = (confidence >= FOUND) & (area >= _LEAST_AREA) & (area <= _MOST_AREA)
    masks[~found] = False
    return Lungs(masks, confidence, found)


def finder() -> str:
    """Who outlines the lungs that a source does not give, in words."""
    return "CovAudit's U-Net" if weights_at_hand() is None else "torchxrayvision's PSPNet"


def lungs_of(film: Bytes) -> NDArray[np.bool_] | None:
    """The lungs of one film (H, W), None where they are not found."""
    found = find_lungs(film[None])
    return found.masks[0] if found.found[0] else None


@lru_cache(maxsize=2)
def load_lung_unet(device: torch.device, weights: Path = WEIGHTS) -> LungUNet:
    """The network as shipped or as just trained, in evaluation mode."""
    network = LungUNet()
    network.load_state_dict({name: tensor.float() for name, tensor in load_file(weights).items()})
    network.to(memory_format=torch.channels_last)
    return network.to(device).eval()


def prepare(pixels: Bytes) -> torch.Tensor:
    """Grey films (N, H, W) as the network takes them, (N, 1, 96, 96): the exposure of a film must not matter."""
    scaled = np.stack([_small(image) for image in pixels]).astype(np.float32)
    low, high = np.quantile(scaled, [0.01, 0.99], axis=(1, 2), keepdims=True)
    stretched = np.clip((scaled - low) / np.maximum(high - low, 1.0), 0, 1)
    return torch.from_numpy((stretched - MEAN) / SPREAD).float().unsqueeze(1)


def _small(image: Bytes) -> Bytes:
    if image.shape == (SIZE, SIZE):
        return image
    interpolation = cv2.INTER_AREA if min(image.shape) >= SIZE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(image), (SIZE, SIZE), interpolation=interpolation), np.uint8)


def score_lungs(network: LungUNet, images: torch.Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probability of lung (N, 96, 96) and of a frontal chest film (N,)."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        lung, film = network(images.to(device, memory_format=torch.channels_last))
        return lung.sigmoid().cpu().numpy(), film.sigmoid().cpu().numpy()


def certainty(probability: NDArray[np.float32]) -> float:
    """The Dice that a map of probabilities expects of its own mask: 1 where every pixel is certain, 0 for no lung."""
    mask = probability > 0.5
    total = float(probability.sum() + mask.sum())
    return 2 * float(probability[mask].sum()) / total if mask.any() else 0.0


def to_mask(probability: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Probabilities (h, w) as a mask (H, W) without specks, shreds and holes: the two largest parts at most."""
    larger = cv2.resize(probability, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    shred = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, [round(_SHRED * side) | 1 for side in larger.shape[::-1]])
    smooth = cv2.morphologyEx((larger > 0.5).astype(np.uint8), cv2.MORPH_OPEN, shred)
    n, labels, stats, _ = cv2.connectedComponentsWithStats(smooth)
    areas = stats[1:, cv2.CC_STAT_AREA]
    largest = [part + 1 for part in np.argsort(-areas)[:2] if areas[part] >= _SPECK * larger.size] if n > 1 else []
    outlines, _ = cv2.findContours(np.isin(labels, largest).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(larger.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    return np.asarray(filled > 0)
