"""From a trained network to heat maps as they are stored and drawn."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from covaudit.explain.gradcam import METHODS, choose_layer, predict_with_maps
from covaudit.explain.grid import Grid, place, to_bytes
from covaudit.explain.placement import measure_grid
from covaudit.training.loaders import Rows
from covaudit.training.network_file import CamView, NetworkFile
from models.registry import spec_of


class ClassMaps(NamedTuple):
    """Logits (N, K), and by view the maps of every class by each of `METHODS`, (N, M, K, h, w), 0..255 of the maximum
    of each."""

    logits: NDArray[np.float32]
    maps: tuple[NDArray[np.uint8], ...]


def describe_network(
    network: nn.Module,
    name: str,
    classes: tuple[str, ...],
    image_size: int,
    method: str = "hires-cam",
    is_multi_label: bool = False,
) -> NetworkFile:
    """What is needed to predict and explain with the network later."""
    views = [_view(network, view, layers, image_size) for view, layers in spec_of(name).cam_targets.items()]
    whole = views[0]
    return NetworkFile(
        network=name,
        classes=classes,
        image_size=image_size,
        cam_method=method,
        cam_layer=whole.layer,
        cam_offset=whole.offset,
        cam_stride=whole.stride,
        cam_cells=whole.cells,
        cam_branches=tuple(views[1:]),
        is_multi_label=is_multi_label,
    )


def _view(network: nn.Module, name: str, layers: tuple[str, ...], image_size: int) -> CamView:
    layer = choose_layer(network, layers, image_size)
    grid = measure_grid(network, layer, image_size)
    return CamView(name=name, layer=layer, offset=grid.offset, stride=grid.stride, cells=grid.cells)


def explain_classes(
    network: nn.Module,
    described: NetworkFile,
    pixels: NDArray[np.uint8],
    rows: Rows,
    device: torch.device,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ClassMaps:
    """Prediction and the maps of all classes of the images `rows`, by all methods and views, from one pass."""
    layers = tuple(view.layer for view in described.views)
    found = list(
        predict_with_maps(
            network, layers, pixels, rows, device, is_multi_label=described.is_multi_label, on_progress=on_progress
        )
    )
    n_classes = len(described.classes)
    if not found:
        empty = [np.zeros((0, len(METHODS), n_classes, view.cells, view.cells), np.uint8) for view in described.views]
        return ClassMaps(np.zeros((0, n_classes), np.float32), tuple(empty))
    maps = [np.concatenate([to_bytes(batch[layer]) for _, _, batch in found]) for layer in layers]
    return ClassMaps(np.concatenate([logits for _, logits, _ in found]), tuple(maps))


def place_maps(maps: NDArray[np.uint8], view: CamView, image_size: int) -> NDArray[np.uint8]:
    """Maps (N, h, w) of a view put where they belong: (N, s, s), 0..255 of the maximum of each."""
    grid = Grid(view.offset, view.stride, view.cells)
    return to_bytes(place(maps.astype(np.float32), grid, image_size)) if len(maps) else np.zeros((0, 1, 1), np.uint8)


def choose_maps(found: ClassMaps, described: NetworkFile, targets: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The placed map (N, s, s) of class `targets[i]` of each image, by the method of the network's file."""
    method = METHODS.index(described.cam_method)
    return place_maps(found.maps[0][np.arange(len(targets)), method, targets], described.views[0], described.image_size)


def draw_heatmaps(
    network: nn.Module,
    described: NetworkFile,
    pixels: NDArray[np.uint8],
    rows: Rows,
    targets: NDArray[np.int64],
    device: torch.device,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[np.uint8]:
    """Heat of class `targets[i]` on image `rows[i]`, where it belongs: (len(rows), s, s), 0..255 of its maximum."""
    return choose_maps(explain_classes(network, described, pixels, rows, device, on_progress), described, targets)
