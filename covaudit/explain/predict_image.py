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

from covaudit.errors import BadImage
from covaudit.explain.heatmaps import choose_maps, explain_classes
from covaudit.explain.lungs import Lungs, find_lungs, finder, lungs_of
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
    """`probabilities` (K,) in the order of `classes`, the mean of `n_networks` (one, or one of each fold); `heatmap`
    (s, s) is of the likeliest class, `explained`, by the first of them.

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
    n_networks: int = 1


class _Asked(NamedTuple):
    """A network and what it was given: films (N, S, S)."""

    network: nn.Module
    described: NetworkFile
    films: Bytes

    def answer(self, films: Bytes, device: torch.device) -> NDArray[np.float32]:
        """Probabilities (M, K) of films (M, S, S)."""
        logits = predict_logits(self.network, films, np.arange(len(films)), device)
        return probabilities(logits, self.described.is_multi_label)


def predict_images(
    run_folder: Path, images: Sequence[tuple[str, Bytes]], device: str = "auto"
) -> list[ImagePrediction | str]:
    """Predict named grey images (H, W) with the trained network of a run folder, or with those of all its folds, as the
    run's external test was. Of an image that they cannot be given, a sentence why, in its place.

    Raises:
        MissingArtifact: the run has no usable weights.
    """
    if not images:
        return []
    chosen = resolve_device(device)
    with ANSWERING:
        loaded = [loaded_network(folder, chosen) for folder in network_folders(run_folder)]
        prepared = [_prepared([described for _, described in loaded], image) for _, image in images]
        fit = [place for place, films in enumerate(prepared) if not isinstance(films, str)]
        asked = [
            _Asked(network, described, np.stack([prepared[place][fold] for place in fit]))
            for fold, (network, described) in enumerate(loaded)
            if fit
        ]
        answers = dict(zip(fit, _predict(run_folder, [images[place] for place in fit], asked, chosen), strict=True))
    return [answers.get(place) or str(films) for place, films in enumerate(prepared)]


def network_folders(run_folder: Path) -> list[Path]:
    """The folders with the trained networks of a run: its own, or those of its folds in their order."""
    folds = [file.parent for file in run_folder.glob("fold-*/weights.safetensors")]
    return sorted(folds, key=lambda folder: int(folder.name.removeprefix("fold-"))) or [run_folder]


def _prepared(described: Sequence[NetworkFile], image: Bytes) -> list[Bytes] | str:
    """The image (H, W) as each network takes it, or why it cannot be. Recipes of folds differ in grey levels alone."""
    needs_lungs = described[0].recipe.preparation.lungs != "as they are"
    film = Radiograph(image, lungs_of(image) if needs_lungs else None)
    try:
        return [prepare(film, one.recipe).pixels for one in described]
    except BadImage as error:
        return str(error)


def _predict(
    folder: Path, images: Sequence[tuple[str, Bytes]], asked: Sequence[_Asked], device: torch.device
) -> list[ImagePrediction]:
    if not images:
        return []
    first = asked[0]
    described, pixels = first.described, first.films
    maps = explain_classes(first.network, described, pixels, np.arange(len(pixels)), device)
    said = [probabilities(maps.logits, described.is_multi_label)]
    found = _mean([*said, *(one.answer(one.films, device) for one in asked[1:])])
    answers = name_answers(found, described.classes, described.is_multi_label)
    targets = found.argmax(axis=1)
    views = pixels if described.preparation.is_cropped else [image for _, image in images]
    heatmaps = choose_maps(maps, described, targets)
    panels = _trust(folder, asked, found, heatmaps, device)
    return [
        ImagePrediction(
            name, described.classes, row, answer, heatmap, described.classes[int(target)], view, trust, len(asked)
        )
        for (name, _), row, answer, heatmap, target, view, trust in zip(
            images, found, answers, heatmaps, targets, views, panels, strict=True
        )
    ]


def _trust(
    folder: Path, asked: Sequence[_Asked], found: NDArray[np.float32], heatmaps: Bytes, device: torch.device
) -> list[Trust]:
    pixels = asked[0].films
    lungs = find_lungs(pixels, device)
    markers = [
        marker_mask(film, mask) if is_found else np.zeros_like(mask)
        for film, mask, is_found in zip(pixels, lungs.masks, lungs.found, strict=True)
    ]
    changed = [np.concatenate([_blanked(one.films, lungs.masks), _erased(one.films, markers)]) for one in asked]
    answered = [one.answer(films, device) for one, films in zip(asked, changed, strict=True)]
    without = _mean(answered).reshape(2, len(pixels), -1)
    return [
        _panel(folder, place, pixels[place], lungs, bool(markers[place].any()), without[:, place], found[place],
               heatmaps[place])
        for place in range(len(pixels))
    ]  # fmt: skip


def _mean(answers: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.asarray(np.stack(answers).mean(axis=0), np.float32)


def _blanked(films: Bytes, lungs: NDArray[np.bool_]) -> Bytes:
    return np.stack([blank(f, m, _level(f, m)) if m.any() else f for f, m in zip(films, lungs, strict=True)])


def _erased(films: Bytes, markers: Sequence[NDArray[np.bool_]]) -> Bytes:
    return np.stack([erase(f, m) if m.any() else f for f, m in zip(films, markers, strict=True)])


def _panel(
    folder: Path, place: int, film: Bytes, lungs: Lungs, has_markers: bool, without: NDArray[np.float32],
    found: NDArray[np.float32], heatmap: Bytes,
) -> Trust:  # fmt: skip
    mask, is_found = lungs.masks[place], bool(lungs.found[place])
    alike = look_alike(folder, film, _changed(folder))
    return Trust(
        lungs=mask,
        outside_lungs=share_in(heatmap, ~mask) if is_found else nan,
        without_lungs=without[0] if is_found else None,
        without_markers=without[1] if has_markers else None,
        source=alike.source,
        source_p=alike.p,
        neighbours=alike.neighbours,
        cautions=cautions(is_found, alike.is_far, contradictions(folder, found, _changed(folder))),
        lungs_by=finder(),
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


@lru_cache(maxsize=12)
def _loaded(folder: Path, device: torch.device, changed: int) -> tuple[nn.Module, NetworkFile]:
    return load_network(folder, device)
