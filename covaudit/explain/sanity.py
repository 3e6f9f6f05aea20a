"""Does a map depend on what the network learnt? (Adebayo et al., Sanity checks for saliency maps, NeurIPS 2018)

The layers are given back untrained weights from the head down, a cascade of stages. A map that shows what the network
learnt becomes another; one that hardly changes would have been drawn of any network, and proves nothing.
"""

import copy
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor, nn

from covaudit.domain.explanation import MapOptions
from covaudit.explain.gradcam import METHODS, explain_batch
from covaudit.explain.methods import explain, question_of
from covaudit.training.intensity import feed
from covaudit.training.loaders import normalise, to_images
from covaudit.training.network_file import NetworkFile
from models.registry import build_network

Maps = NDArray[np.float32]
DrawMaps = Callable[[nn.Module, NDArray[np.int64]], Maps]
"""The maps (M, n, h, w) by M methods that a network has of these `n` of the images that are asked about."""

STAGES: Final = ("head", "half", "all")
"""Which layers forget: the last, the upper half, all of them."""
DRAWS: Final = 4


class Cascade(NamedTuple):
    """Rank correlation (M, stages, N) of maps with those after layers forgot, by `methods`, of images of `patients`."""

    methods: tuple[str, ...]
    likeness: NDArray[np.float64]
    patients: NDArray[np.str_]
    seconds: float = 0.0

    @property
    def n_maps(self) -> int:
        """How many maps were drawn for it."""
        return int(self.likeness.shape[-1] * (1 + self.likeness.shape[-2]))


def cam_cascade(
    network: nn.Module, described: NetworkFile, films: NDArray[np.uint8], targets: NDArray[np.int64],
    patients: NDArray[np.str_], device: torch.device, seed: int,
) -> Cascade:  # fmt: skip
    """The cascade of the heat maps of a run, by both of its methods, for the classes (N,) of films (N, S, S)."""
    images = normalise(to_images(films, device))
    layer = described.cam_layer

    def draw(asked: nn.Module, part: NDArray[np.int64]) -> Maps:
        found = explain_batch(asked, (layer,), images[part], is_multi_label=described.is_multi_label).maps[layer]
        chosen = found[torch.arange(len(part)), :, targets[part]]
        return chosen.float().cpu().numpy().swapaxes(0, 1)

    found = cascade(network, untrained_builder(described, device), draw, images[:1], len(films), seed)
    return Cascade(METHODS, found, patients)


def untrained_builder(described: NetworkFile, device: torch.device) -> Callable[[], nn.Module]:
    """Makes the network of a file with weights that have learnt nothing."""

    def build() -> nn.Module:
        classes, size = len(described.classes), described.image_size
        network = build_network(described.network, classes, described.in_chans, image_size=size)
        return feed(network, described.intensity).to(device).eval()

    return build


def cascade(
    network: nn.Module, build: Callable[[], nn.Module], draw_maps: DrawMaps, image: Tensor, n_images: int, seed: int
) -> NDArray[np.float64]:
    """Rank correlation (M, stages, n_images) of the maps of a network with those that it has after layers forgot.

    `build` makes the network with untrained weights; there are `DRAWS` of it, each for a part of the images, for one
    may resemble the trained network by chance. `image` (1, C, H, W) tells the order of the layers.
    """
    order, n_head = layers_from_the_head(network, image)
    ends = (n_head, max(n_head + 1, len(order) // 2), len(order))
    found: list[NDArray[np.float64]] = []
    for number, part in enumerate(np.array_split(np.arange(n_images), min(DRAWS, n_images))):
        kept, twin, stages, done = draw_maps(network, part), copy.deepcopy(network), [], 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + number)
            untrained = build()
        for end in ends:
            for name in order[done:end]:
                _forget(twin.get_submodule(name), untrained.get_submodule(name))
            done = end
            stages.append(likeness(kept, draw_maps(twin, part)))
        found.append(np.stack(stages, axis=1))
    return np.concatenate(found, axis=2)


def layers_from_the_head(network: nn.Module, image: Tensor) -> tuple[list[str], int]:
    """Names of the layers with weights, those that give one number a class first (CVR-Net has five) and then the one
    that is computed last, and how many of them are the head."""
    reached: dict[str, int] = {}
    layers = {name: module for name, module in network.named_modules() if any(True for _ in module.parameters(False))}
    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: reached.update({name: output.numel()}))
        for name, module in layers.items()
    ]
    network.eval()
    try:
        with torch.no_grad():
            n_classes = network(image).numel()
    finally:
        for hook in hooks:
            hook.remove()
    order = list(reached)[::-1]
    head = [name for name in order if reached[name] == n_classes] or order[:1]
    return [*head, *(name for name in order if name not in head)], len(head)


def _forget(layer: nn.Module, untrained: nn.Module) -> None:
    """Weights, and what batch norm remembers."""
    own, fresh = layer.state_dict(), untrained.state_dict()
    for name, value in own.items():
        value.copy_(fresh[name])


def likeness(maps: Maps, others: Maps) -> NDArray[np.float64]:
    """Spearman's rank correlation (M, N) of positive evidence, map by map (M, N, h, w).

    NaN where the first map is empty, for there is nothing to forget; 0 where the other is, for nothing of it is left.
    """
    before, after = (np.nan_to_num(one, nan=0, posinf=0, neginf=0).clip(min=0) for one in (maps, others))
    found = np.full(before.shape[:2], np.nan)
    for place in np.ndindex(*found.shape):
        one, other = before[place].ravel(), after[place].ravel()
        if one.min() < one.max():
            found[place] = spearmanr(one, other).statistic if other.min() < other.max() else 0.0
    return found


def draw_by(method: str, described: NetworkFile, images: Tensor, targets: Tensor, options: MapOptions) -> DrawMaps:
    """Draws the maps of one method for the classes (N,) of normalised images (N, C, H, W)."""

    def draw(asked: nn.Module, part: NDArray[np.int64]) -> Maps:
        question = question_of(asked, described, images[part], targets[part], options)
        return explain(method, question).numpy()[None]

    return draw
