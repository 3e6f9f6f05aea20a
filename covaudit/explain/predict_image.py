"""Probabilities and heat map of images that were not part of a run."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from covaudit.explain.heatmaps import draw_heatmaps
from covaudit.explain.lungs import lungs_of
from covaudit.sources.radiograph import Radiograph
from covaudit.training.device import resolve_device
from covaudit.training.network_file import NetworkFile, load_network
from covaudit.training.predict import name_answers, predict_logits, probabilities
from covaudit.training.prepare import prepare


class ImagePrediction(NamedTuple):
    """`probabilities` (K,) in the order of `classes`; `heatmap` (s, s) is of the likeliest class, `explained`.

    It lies on `view`: the image itself, or what the network was given where that is a part of it.
    """

    name: str
    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]
    predicted: str
    heatmap: NDArray[np.uint8]
    explained: str
    view: NDArray[np.uint8]


def predict_images(
    run_folder: Path, images: Sequence[tuple[str, NDArray[np.uint8]]], device: str = "auto"
) -> list[ImagePrediction]:
    """Predict named grey images (H, W) with the trained network of a run folder.

    Raises:
        MissingArtifact: the run has no usable weights.
    """
    if not images:
        return []
    chosen = resolve_device(device)
    weights = run_folder / "weights.safetensors"
    changed = weights.stat().st_mtime_ns if weights.exists() else 0
    network, described = _loaded(run_folder, chosen, changed)
    needs_lungs = described.recipe.preparation.lungs != "as they are"
    films = [Radiograph(image, lungs_of(image) if needs_lungs else None) for _, image in images]
    pixels = np.stack([prepare(film, described.recipe).pixels for film in films])
    rows = np.arange(len(pixels))
    found = probabilities(predict_logits(network, pixels, rows, chosen), described.is_multi_label)
    answers = name_answers(found, described.classes, described.is_multi_label)
    targets = found.argmax(axis=1)
    views = pixels if described.preparation.is_cropped else [image for _, image in images]
    maps = draw_heatmaps(network, described, pixels, rows, targets, chosen)
    return [
        ImagePrediction(name, described.classes, row, answer, heatmap, described.classes[int(target)], view)
        for (name, _), row, answer, heatmap, target, view in zip(
            images, found, answers, maps, targets, views, strict=True
        )
    ]


@lru_cache(maxsize=4)
def _loaded(folder: Path, device: torch.device, changed: int) -> tuple[nn.Module, NetworkFile]:
    return load_network(folder, device)
