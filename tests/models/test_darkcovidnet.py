"""DarkCovidNet's maps (networks.md, section 4)."""

import pytest
import torch

from models.registry import build_network


@pytest.mark.parametrize(("size", "sides"), [(256, [66, 35, 19, 11, 13]), (224, [58, 31, 17, 10, 12])])
def test_padded_1x1_convolutions_make_the_maps_larger(size: int, sides: list[int]) -> None:
    with torch.device("meta"):
        network = build_network("darkcovidnet", 2, 3, image_size=size)
        found, maps = [], torch.zeros(1, 3, size, size)
        for number, layer in enumerate(network.layers[:12]):
            maps = layer(maps)
            found += [maps.shape[-1]] if number in (4, 6, 8, 10, 11) else []
    assert found == sides


def test_the_last_convolution_is_rectified_before_it_is_normed() -> None:
    network = build_network("darkcovidnet", 2)
    assert [type(one).__name__ for one in network.layers[13]] == ["Conv2d", "ReLU", "BatchNorm2d"]
