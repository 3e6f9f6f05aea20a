"""Probabilities, heat map and trust panel of images that were not part of a run."""

from collections.abc import Sequence
from functools import lru_cache
from math import nan
from pathlib import Path
from threading import RLock
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from covaudit.explain.heatmaps import choose_maps, explain_classes
from covaudit.explain.lungs import Lungs, find_lungs, lungs_of
from covaudit.explain.manipulate import blank, erase
from covaudit.explain.markers import marker_mask
from covaudit.explain.regions import share_in
from covaudit.explain.trust import Trust, cautions, contradictions, look_alike
from covaudit.sources.radiograph import Radiograph
from covaudit.training.device import resolve_device
from covaudit.training.network_file import NetworkFile, load_network
from covaudit.training.predict import name_answers, predict_logits, probabilities
from covaudit.training.prepare import prepare

Bytes = NDArray[np.uint8]

ANSWERING = RLock()
"""Held while a network that threads share is asked: maps hang hooks on it."""


class ImagePrediction(NamedTuple):
    """`probabilities` (K,) in the order of `classes`; `heatmap` (s, s) is of the likeliest class, `explained`.

    It lies on `view`: the image itself, or what the network was given where that is a part of it.
    """

    name: str
    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]
    predicted: str
    heatmap: Bytes
    explained: str
    view: Bytes
    trust: Trust


def predict_images(
    run_folder: Path, images: Sequence[tuple[str, Bytes]], device: str = "auto"
) -> list[ImagePrediction]:
    """Predict named grey images (H, W) with the trained network of a run folder.

    Raises:
        MissingArtifact: the run has no usable weights.
    """
    if not images:
        return []
    with ANSWERING:
        return _predict(run_folder, images, resolve_device(device))


def _predict(run_folder: Path, images: Sequence[tuple[str, Bytes]], chosen: torch.device) -> list[ImagePrediction]:
    network, described = loaded_network(run_folder, chosen)
    changed = _changed(run_folder)
    pixels = prepare_images(described, [image for _, image in images])
    maps = explain_classes(network, described, pixels, np.arange(len(pixels)), chosen)
    found = probabilities(maps.logits, described.is_multi_label)
    answers = name_answers(found, described.classes, described.is_multi_label)
    targets = found.argmax(axis=1)
    views = pixels if described.preparation.is_cropped else [image for _, image in images]
    heatmaps = choose_maps(maps, described, targets)
    panels = _trust(run_folder, changed, network, described, pixels, found, heatmaps, chosen)
    return [
        ImagePrediction(name, described.classes, row, answer, heatmap, described.classes[int(target)], view, trust)
        for (name, _), row, answer, heatmap, target, view, trust in zip(
            images, found, answers, heatmaps, targets, views, panels, strict=True
        )
    ]


def _trust(
    folder: Path, changed: int, network: nn.Module, described: NetworkFile, pixels: Bytes,
    found: NDArray[np.float32], heatmaps: Bytes, device: torch.device,
) -> list[Trust]:  # fmt: skip
    lungs = find_lungs(pixels, device)
    markers = [
        marker_mask(film, mask) if is_found else np.zeros_like(mask)
        for film, mask, is_found in zip(pixels, lungs.masks, lungs.found, strict=True)
    ]
    bare = np.stack([blank(f, m, _level(f, m)) if m.any() else f for f, m in zip(pixels, lungs.masks, strict=True)])
    clean = np.stack([erase(f, m) if m.any() else f for f, m in zip(pixels, markers, strict=True)])
    both = np.concatenate([bare, clean])
    logits = predict_logits(network, both, np.arange(len(both)), device)
    without = probabilities(logits, described.is_multi_label).reshape(2, len(pixels), -1)
    return [
        _panel(folder, changed, place, pixels[place], lungs, bool(markers[place].any()), without[:, place],
               found[place], heatmaps[place])
        for place in range(len(pixels))
    ]  # fmt: skip


def _panel(
    folder: Path, changed: int, place: int, film: Bytes, lungs: Lungs, has_markers: bool,
    without: NDArray[np.float32], found: NDArray[np.float32], heatmap: Bytes,
) -> Trust:  # fmt: skip
    mask, is_found = lungs.masks[place], bool(lungs.found[place])
    source, p, neighbours, is_far = look_alike(folder, film, changed)
    return Trust(
        lungs=mask,
        outside_lungs=share_in(heatmap, ~mask) if is_found else nan,
        without_lungs=without[0] if is_found else None,
        without_markers=without[1] if has_markers else None,
        source=source,
        source_p=p,
        neighbours=neighbours,
        cautions=cautions(is_found, is_far, contradictions(folder, found, changed)),
    )


def _level(film: Bytes, mask: NDArray[np.bool_]) -> int:
    """The grey of healthy lung, nearly: a low quantile, for the mean would tell how white the lungs were."""
    return round(float(np.quantile(film[mask], 0.25)))


def prepare_images(described: NetworkFile, images: Sequence[Bytes]) -> Bytes:
    """Grey images (H, W) as the network takes them, (N, S, S)."""
    needs_lungs = described.recipe.preparation.lungs != "as they are"
    films = [Radiograph(image, lungs_of(image) if needs_lungs else None) for image in images]
    return np.stack([prepare(film, described.recipe).pixels for film in films])


def loaded_network(run_folder: Path, device: torch.device) -> tuple[nn.Module, NetworkFile]:
    """The trained network of a run folder, kept for the next question. Raises MissingArtifact."""
    return _loaded(run_folder, device, _changed(run_folder))


def _changed(run_folder: Path) -> int:
    weights = run_folder / "weights.safetensors"
    return weights.stat().st_mtime_ns if weights.exists() else 0


@lru_cache(maxsize=4)
def _loaded(folder: Path, device: torch.device, changed: int) -> tuple[nn.Module, NetworkFile]:
    return load_network(folder, device)
