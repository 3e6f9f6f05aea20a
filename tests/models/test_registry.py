"""Networks to the parameter (networks.md, sections 3 and 6)."""

import subprocess
import sys

import pytest
import torch

from models.efficient import SameConv
from models.registry import NETWORKS, build_network


@pytest.mark.parametrize("name", NETWORKS)
def test_the_spec_counts_the_parameters(name: str) -> None:
    network = build_network(name, 2)
    assert sum(parameter.numel() for parameter in network.parameters()) == NETWORKS[name].parameters


@pytest.mark.parametrize(("n_classes", "in_chans", "expected"), [(5, 3, 232_165), (2, 3, 231_922), (2, 1, 231_602)])
def test_efficient_has_the_published_parameters(n_classes: int, in_chans: int, expected: int) -> None:
    network = build_network("efficient", n_classes, in_chans)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_efficient_has_the_published_map_sizes_at_768_pixels() -> None:
    network = build_network("efficient", 5, 3).eval()
    sides: list[tuple[int, ...]] = []
    for number in range(1, 5):
        block = network.get_submodule(f"block{number}")
        block.register_forward_hook(lambda module, inputs, output: sides.append(tuple(network.pool(output).shape[1:])))
    network.block5.register_forward_hook(lambda module, inputs, output: sides.append(tuple(output.shape[1:])))
    with torch.inference_mode():
        network(torch.zeros(1, 3, 768, 768))
    assert sides == [(16, 95, 95), (32, 47, 47), (48, 23, 23), (64, 11, 11), (80, 11, 11)]


def test_a_block_averages_its_two_paths() -> None:
    block = build_network("efficient", 2).eval().get_submodule("block1")
    images = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        expected = (block.main(images) + block.shortcut(images)) / 2
        assert torch.equal(block(images), expected)


def test_stride_two_pads_an_even_side_on_the_right_only() -> None:
    convolution = SameConv(1, 1, stride=2)
    torch.nn.init.ones_(convolution.conv.weight)
    torch.nn.init.zeros_(convolution.conv.bias)
    with torch.inference_mode():
        # Windows start at 0 and 2; the second is 2, 3 and one column of padding: 3 rows x (2 + 3) + padding row.
        sums = convolution(torch.arange(4.0).expand(1, 1, 4, 4))[0, 0]
    assert sums.tolist() == [[9.0, 15.0], [6.0, 10.0]]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_smallest_size_works(name: str) -> None:
    size = NETWORKS[name].minimum_size
    with torch.inference_mode():
        assert build_network(name, 3).eval()(torch.zeros(2, 1, size, size)).shape == (2, 3)


def test_efficient_refuses_weights_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="no published weights"):
        build_network("efficient", 2, pretrained=True)


def test_listing_the_networks_loads_no_torch() -> None:
    code = "import sys, models.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
