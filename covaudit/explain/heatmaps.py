"""From a trained network to heat maps as they are stored and drawn."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from covaudit.explain.gradcam import attribute, choose_layer
from covaudit.explain.placement import Grid, measure_grid, place
from covaudit.training.loaders import Rows
from covaudit.training.network_file import NetworkFile
from models.registry import spec_of


def describe_network(
    network: nn.Module,
    name: str,
    classes: tuple[str, ...],
    image_size: int,
    method: str = "hires-cam",
    is_multi_label: bool = False,
) -> NetworkFile:
    """What is needed to predict and explain with the network later."""
    layer = choose_layer(network, spec_of(name).cam_layers, image_size)
    grid = measure_grid(network, layer, image_size)
    return NetworkFile(
        network=name,
        classes=classes,
        image_size=image_size,
        cam_method=method,
        cam_layer=layer,
        cam_offset=grid.offset,
        cam_stride=grid.stride,
        cam_cells=grid.cells,
        is_multi_label=is_multi_label,
    )


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
    layer, method = described.cam_layer, described.cam_method
    maps = attribute(network, layer, method, pixels, rows, targets, device, on_progress=on_progress)
    grid = Grid(described.cam_offset, described.cam_stride, described.cam_cells)
    return to_bytes(place(maps, grid, described.image_size))


def to_bytes(maps: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Each map divided by its own maximum, as 0..255; an empty or infinite one becomes all zeros ("no evidence")."""
    positive = np.where(np.isfinite(maps), maps, 0).clip(min=0)
    peak = positive.max(axis=(-2, -1), keepdims=True)
    return np.asarray(np.rint(np.divide(positive, peak, out=np.zeros_like(positive), where=peak > 0) * 255), np.uint8)
