"""Heat maps lie where their cells look: offsets by hand from strides and paddings."""

import numpy as np
import pytest
import torch
from torch import nn

from covaudit.explain.grid import Grid, place
from covaudit.explain.heatmaps import describe_network, draw_heatmaps
from covaudit.explain.placement import measure_grid
from models.registry import build_network


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        # Kernel 4, stride 4, no padding: cell i covers pixels 4i .. 4i + 3.
        (nn.Sequential(nn.Conv2d(1, 1, 4, stride=4)), Grid(1.5, 4, 16)),
        # Kernel 3, stride 2, padding 1: cell i is centred on pixel 2i.
        (nn.Sequential(nn.Conv2d(1, 1, 3, stride=2, padding=1)), Grid(0, 2, 32)),
        # Then a pool of 3 by 2 without padding: cell j covers cells 2j .. 2j + 2, centred on 2j + 1, on pixel 4j + 2.
        (nn.Sequential(nn.Sequential(nn.Conv2d(1, 1, 3, stride=2, padding=1), nn.MaxPool2d(3, 2))), Grid(2, 4, 15)),
    ],
)
def test_the_grid_follows_from_strides_and_paddings(network: nn.Module, expected: Grid) -> None:
    found = measure_grid(network, "0", 64)
    assert found.cells == expected.cells
    assert found.offset == pytest.approx(expected.offset, abs=0.01)
    assert found.stride == pytest.approx(expected.stride, abs=0.01)


def test_the_grid_of_the_light_network_is_that_of_its_valid_pools() -> None:
    """Block 1 looks at 4i + 3 on its main path (two windows of 3 by 2, padded on the right: 2i + 1, twice) and at 4i on
    its shortcut: 4i + 1.5 on average. A pool of 3 by 2 without padding maps j to 2j + 1: 8j + 5.5, then 16k + 13.5."""
    grid = measure_grid(build_network("efficient", 2), "block3", 160)
    assert grid.offset == pytest.approx(13.5, abs=0.01)
    assert grid.stride == pytest.approx(16, abs=0.01)
    assert grid.cells == 9


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("resnet18", 64, {"layer3": (0, 16)}),
        # Squeeze and excitation sees the whole image; it says nothing of where a cell looks.
        pytest.param(
            "efficientnet_b1", 240, {"bn2": (0, 32), "blocks.4": (0, 16), "blocks.2": (0, 8)}, marks=pytest.mark.slow
        ),
        # The unpadded stem: 2i + 1, 2i + 3, pooled 4i + 5, 4i + 9, pooled 8i + 13; then 16i + 21 and 32i + 37, each a
        # window of 3 by 2, in one of the branches a pool that is no module.
        pytest.param(
            "inception_v3",
            299,
            {"Mixed_7c": (37, 32), "Mixed_6e": (21, 16), "Mixed_5d": (13, 8)},
            marks=pytest.mark.slow,
        ),
        # The unpadded stem of Xception: 2i + 1, 2i + 3.
        pytest.param(
            "legacy_xception", 150, {"act4": (3, 32), "block11": (3, 16), "block2": (3, 8)}, marks=pytest.mark.slow
        ),
        # A transition pools 2 by 2: half a cell to the right each time, 0 + 2 + 4 + 8.
        pytest.param(
            "densenet121", 224, {"features.norm5": (14, 32), "features.denseblock3": (6, 16)}, marks=pytest.mark.slow
        ),
        # A padded 1x1 convolution starts one cell before its input; a pool of 2 by 2 adds half a cell.
        ("darkcovidnet", 256, {"layers.6": (-8.5, 8), "layers.8": (-20.5, 16), "layers.12": (-76.5, 32)}),
        # The paddings of ResNet and those of Xception (3 px apart) are seen together.
        pytest.param(
            "cvrnet",
            64,
            {"resnet.layer4": (0, 32), "xception.act4": (3, 32), "joined": (1.5, 32)},
            marks=pytest.mark.slow,
        ),
        pytest.param("vgg19", 64, {"features.35": (7.5, 16), "features.26": (3.5, 8)}, marks=pytest.mark.slow),
        pytest.param("resnet50", 64, {"layer4": (0, 32), "layer2": (0, 8)}, marks=pytest.mark.slow),
        pytest.param("resnet152", 64, {"layer4": (0, 32)}, marks=pytest.mark.slow),
        pytest.param("densenet169", 64, {"features.norm5": (14, 32)}, marks=pytest.mark.slow),
        pytest.param("coronet", 150, {"xception.act4": (3, 32)}, marks=pytest.mark.slow),
    ],
)
def test_the_grid_of_each_network_follows_from_its_paddings(
    name: str, size: int, expected: dict[str, tuple[float, float]]
) -> None:
    network = build_network(name, 2, image_size=size)
    for layer, (offset, stride) in expected.items():
        grid = measure_grid(network, layer, size)
        assert grid.stride == stride
        assert grid.offset == pytest.approx(offset, abs=1.5 if layer == "joined" else 0.7)


def test_measuring_leaves_the_network_as_it_was() -> None:
    network = build_network("efficient", 2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    measure_grid(network, "block3", 128)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_a_layer_that_is_not_on_the_way_is_refused() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 3))
    network.register_module("unused", nn.Conv2d(1, 1, 3))
    network.forward = lambda images: network[0](images)  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="no layer 'unused'"):
        measure_grid(network, "unused", 32)


def test_heat_is_put_on_the_pixel_that_its_cell_looks_at() -> None:
    maps = np.zeros((1, 8, 8), np.float32)
    maps[0, 0, 5] = 1
    placed = place(maps, Grid(offset=0, stride=8, cells=8), size=64)[0]
    row, column = np.unravel_index(placed.argmax(), placed.shape)
    # 16 cells of 4 pixels: pixel 40 is the left edge of cell 10; a plain stretch would say pixel 44.
    assert placed.shape == (16, 16)
    assert (row, column) in {(0, 9), (0, 10)}


@pytest.mark.parametrize("corner", [(10, 10), (10, 130), (130, 10), (130, 130)])
def test_the_heat_of_a_patch_lies_on_the_patch(corner: tuple[int, int]) -> None:
    """One network, one bright patch; what is explained is the mean of a feature map that passes brightness on."""
    network = build_network("efficient", 2)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.fill_(1 / module.weight[0].numel())
        network.head.weight[0].fill_(-1)
        network.head.weight[1].fill_(1)
    pixels = np.full((1, 160, 160), 127, np.uint8)
    top, left = corner
    pixels[0, top : top + 16, left : left + 16] = 255
    # Grad-CAM, whose one weight a channel leaves the map as the patch made it.
    described = describe_network(network, "efficient", ("a", "b"), 160, "grad-cam")
    heat = draw_heatmaps(network, described, pixels, np.array([0]), np.array([1]), torch.device("cpu"))[0].astype(float)
    heat[heat < 128] = 0
    rows, columns = np.indices(heat.shape)
    centre = [(axis * heat).sum() / heat.sum() * 4 + 1.5 for axis in (rows, columns)]
    assert centre[0] == pytest.approx(top + 7.5, abs=6)
    assert centre[1] == pytest.approx(left + 7.5, abs=6)
