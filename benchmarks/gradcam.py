"""Prediction with the maps of all classes against the prediction alone, and against Captum one image at a time."""

import statistics
import time
from collections.abc import Callable

import torch
from captum.attr import LayerGradCam

from benchmarks.table import Row, Table
from covaudit.explain.gradcam import choose_layer, explain_batch, log_odds
from models.registry import NETWORKS, build_network

N_IMAGES, SIZE, REPETITIONS = 8, 224, 5


def measure(name: str, is_quick: bool = False) -> Row:
    """One row of the table."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = build_network(name, 2, image_size=SIZE).eval()
    images = torch.randn(N_IMAGES, 1, SIZE, SIZE)
    layer = choose_layer(network, NETWORKS[name].cam_layers, SIZE)
    captum = LayerGradCam(lambda one: log_odds(network(one)), network.get_submodule(layer))

    def alone() -> None:
        with torch.inference_mode():
            network(images)

    def one_by_one() -> list[torch.Tensor]:
        maps = []
        for image in images:
            with torch.inference_mode():
                target = int(network(image[None]).argmax())
            maps.append(captum.attribute(image[None], target=target).clamp(min=0)[0, 0].detach())
        return maps

    found = explain_batch(network, (layer,), images, ("grad-cam",))
    targets = found.logits.argmax(dim=1)
    gaps = [
        float((mine / mine.max().clamp(min=1e-12) - theirs / theirs.max().clamp(min=1e-12)).abs().max())
        for mine, theirs in zip(found.maps[layer][range(N_IMAGES), 0, targets], one_by_one(), strict=True)
    ]
    seconds: dict[str, list[float]] = {"alone": [], "maps": [], "captum": []}
    for _ in range(2 if is_quick else REPETITIONS):
        seconds["alone"].append(_timed(alone))
        seconds["maps"].append(_timed(lambda: explain_batch(network, (layer,), images, ("grad-cam",))))
        seconds["captum"].append(_timed(one_by_one))
    prediction, maps, theirs = (statistics.median(one) for one in seconds.values())
    return f"{maps / prediction:.2f}", f"{theirs / maps:.1f}", f"{max(gaps):.0e}"


def _timed(call: Callable[[], object]) -> float:
    begun = time.process_time()
    call()
    return time.process_time() - begun


TABLE = Table(
    "Heat maps",
    "Prediction with the Grad-CAM maps of all classes, 8 images of 224 px: its time as a multiple of the prediction "
    "alone, how many times faster than Captum one image at a time with its prediction, and the largest difference of "
    "the maps, each divided by its maximum. Processor time of one thread, medians of five interleaved repetitions.",
    ("network", "of the prediction", "against Captum", "difference"),
    ("resnet18", "densenet121", "resnet50"),
    measure,
)
