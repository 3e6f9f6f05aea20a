"""One image explained by any method when a person asks: a test image of a run, or a file of theirs."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from covaudit.domain.explanation import OF_PIXELS, MapOptions
from covaudit.errors import UnknownName
from covaudit.explain.gradcam import log_odds
from covaudit.explain.grid import to_bytes
from covaudit.explain.methods import explain, question_of
from covaudit.explain.predict_image import ANSWERING, loaded_network, prepare_images
from covaudit.training.device import resolve_device
from covaudit.training.loaders import normalise, to_images
from covaudit.training.predict import probabilities

Bytes = NDArray[np.uint8]

_SMOOTH_GAIN, _SMOOTH_SIGMA, _PIXEL_SIGMA = 7.5, 5 / 768, 0.01


class ImageMap(NamedTuple):
    """`heat` (S, S) is 0..255 of the hottest place, all zeros where the map has no evidence, on `film` (S, S), what the
    network was given; `probability` is that of the class `target`, `score` its log-odds, which is what is explained."""

    heat: Bytes
    film: Bytes
    target: str
    probability: float
    score: float

    @property
    def is_empty(self) -> bool:
        return not self.heat.any()


def explain_image(
    folder: Path, pixels: Bytes, target: str | None, method: str, options: MapOptions, device: str = "auto"
) -> ImageMap:
    """Explain what the network of a run says of a grey image (H, W); `target` None is the likeliest class."""
    _, described = loaded_network(folder, resolve_device(device))
    return explain_film(folder, prepare_images(described, [pixels])[0], target, method, options, device)


def explain_film(
    folder: Path, film: Bytes, target: str | None, method: str, options: MapOptions, device: str = "auto"
) -> ImageMap:
    """Explain what the network of a run says of an image (S, S) that is prepared for it, as the run keeps its own.

    Raises:
        UnknownName: no such class or method.
        CannotExplain: the method says nothing of this network.
        MissingArtifact: the run has no usable weights.
    """
    with ANSWERING:
        network, described = loaded_network(folder, resolve_device(device))
        if target is not None and target not in described.classes:
            raise UnknownName("class", target, described.classes)
        images = normalise(to_images(film[None], resolve_device(device)))
        with torch.inference_mode():
            logits = network(images).float().cpu()
        found = probabilities(logits.numpy(), described.is_multi_label)[0]
        place = described.classes.index(target) if target is not None else int(found.argmax())
        question = question_of(network, described, images, torch.tensor([place]), options)
        maps = explain(method, question).numpy()
    score = (logits if described.is_multi_label else log_odds(logits))[0, place]
    return ImageMap(finish(maps, method, options)[0], film, described.classes[place], float(found[place]), float(score))


def finish(maps: NDArray[np.float32], method: str, options: MapOptions) -> Bytes:
    """Positive evidence (N, H, W) as 0..255 of the maximum of each, in the papers' variants where asked for."""
    if options.smooth:
        raised = np.minimum(to_bytes(maps).astype(np.float32) * _SMOOTH_GAIN, 255)
        heat = to_bytes(_blurred(raised, _SMOOTH_SIGMA))
    else:
        positive = np.nan_to_num(maps, nan=0, posinf=0, neginf=0).clip(min=0)
        heat = to_bytes(_blurred(positive, _PIXEL_SIGMA) if method in OF_PIXELS else positive)
    return np.where(heat >= round(options.threshold * 255), heat, 0).astype(np.uint8)


def _blurred(maps: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """`sigma` is a share of the side."""
    return np.stack([cv2.GaussianBlur(one, (0, 0), sigma * maps.shape[-1]) for one in maps])
