"""The light network, layer by layer (networks.md, section 3)."""

import torch

from models.efficient import SameConv
from models.registry import build_network


def test_the_maps_have_the_published_sizes_at_768_pixels() -> None:
    with torch.device("meta"):
        network = build_network("efficient", 5, 3).eval()
    sides: list[tuple[int, ...]] = []
    for number in range(1, 5):
        block = network.get_submodule(f"block{number}")
        block.register_forward_hook(lambda module, inputs, output: sides.append(tuple(network.pool(output).shape[1:])))
    network.block5.register_forward_hook(lambda module, inputs, output: sides.append(tuple(output.shape[1:])))
    network(torch.zeros(1, 3, 768, 768, device="meta"))
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
