"""Prediction with the maps of all classes against the prediction alone, and against Captum one image at a time."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from captum.attr import LayerGradCam
from torch import Tensor

from benchmarks.table import Row, Table
from covaudit.explain.gradcam import choose_layer, explain_batch, log_odds
from covaudit.training.pace import pace_of
from models.registry import NETWORKS, build_network

CPU = torch.device("cpu")
N_IMAGES, REPETITIONS = 8, 5


class Setting(NamedTuple):
    network: str
    size: int


_SETTINGS = {
    "ResNet-18, 128 px": Setting("resnet18", 128),
    "ResNet-18, 224 px": Setting("resnet18", 224),
    "ResNet-50, 224 px": Setting("resnet50", 224),
    "DenseNet-121, 224 px": Setting("densenet121", 224),
}


def measure(row: str, is_quick: bool = False) -> Row:
    """One row of the table."""
    name, size = _SETTINGS[row]
    torch.manual_seed(0)
    torch.set_num_threads(1)
    plain = build_network(name, 2, image_size=size).eval()
    network = build_network(name, 2, image_size=size).eval()
    network.load_state_dict(plain.state_dict())
    pace_of(network, CPU).lay_out_network(network)
    images = torch.randn(N_IMAGES, 1, size, size)
    layer = choose_layer(network, NETWORKS[name].cam_layers, size)
    captum = LayerGradCam(lambda one: log_odds(plain(one)), plain.get_submodule(layer))

    def alone() -> None:
        with torch.inference_mode():
            network(images)

    def one_by_one(classes: tuple[int, ...]) -> list[Tensor]:
        """(len(classes), h, w) of each image; of the likeliest class where none is named."""
        maps = []
        for image in images:
            with torch.inference_mode():
                likeliest = int(plain(image[None]).argmax())
            own = [captum.attribute(image[None], target=target)[0, 0] for target in classes or (likeliest,)]
            maps.append(torch.stack(own).clamp(min=0).detach())
        return maps

    ways: dict[str, Callable[[], object]] = {
        "alone": alone,
        "maps": lambda: explain_batch(network, (layer,), images, ("grad-cam",)),
        "one class": lambda: one_by_one(()),
        "each class": lambda: one_by_one((0, 1)),
    }
    found = explain_batch(network, (layer,), images, ("grad-cam",)).maps[layer][:, 0]
    difference = float((_scaled(found) - _scaled(torch.stack(one_by_one((0, 1))))).abs().max())
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(2 if is_quick else REPETITIONS):
        for way, call in ways.items():
            seconds[way].append(_timed(call))
    prediction, maps, one, each = (statistics.median(taken) for taken in seconds.values())
    return layer, f"{maps / prediction:.2f}", f"{one / maps:.1f}", f"{each / maps:.1f}", f"{difference:.0e}"


def _scaled(maps: Tensor) -> Tensor:
    return maps / maps.amax(dim=(-2, -1), keepdim=True).clamp(min=1e-12)


def _timed(call: Callable[[], object]) -> float:
    begun = time.process_time()
    call()
    return time.process_time() - begun


TABLE = Table(
    "Heat maps",
    "Prediction with the Grad-CAM maps of both classes, 8 images: its time as a multiple of the prediction alone; how "
    "many times faster it is than Captum one image at a time with its prediction, for the likeliest class alone and "
    "for both, which is what ours gives; and the largest difference of the maps, each divided by its maximum. At a "
    "layer before the last, which small images need, more is differentiated. float32, processor time of one thread, "
    "medians of five interleaved repetitions.",
    ("network", "layer", "of the prediction", "against Captum, one class", "both classes", "difference"),
    tuple(_SETTINGS),
    measure,
)
