"""Networks to the parameter (networks.md, sections 1 to 6)."""

import subprocess
import sys

import pytest
import timm
import torch
from torch import nn

from models.registry import NETWORKS, build_network


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def build_on_meta(name: str, n_classes: int, in_chans: int = 3, image_size: int | None = None) -> nn.Module:
    """Shapes without memory."""
    with torch.device("meta"):
        return build_network(name, n_classes, in_chans, image_size=image_size)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_spec_counts_the_parameters(name: str) -> None:
    assert count(build_on_meta(name, 2)) == NETWORKS[name].parameters


@pytest.mark.parametrize(
    ("name", "n_classes", "in_chans", "image_size", "expected"),
    [
        ("cvrnet", 2, 3, 224, 48_468_402),
        ("cvrnet", 3, 3, 224, 48_468_727),
        ("cvrnet", 4, 3, 224, 48_469_052),
        ("cvrnet:paper", 2, 3, 224, 48_316_850),
        ("cvrnet:paper", 3, 3, 224, 48_317_175),
        ("efficient", 5, 3, 768, 232_165),
        ("efficient", 2, 1, 512, 231_602),
        ("densenet121", 5, 3, 768, 6_958_981),
        ("resnet50", 5, 3, 768, 23_518_277),
        ("darkcovidnet", 2, 3, 256, 1_164_434),
        ("darkcovidnet", 3, 3, 256, 1_167_586),
        ("darkcovidnet", 2, 3, 224, 1_164_334),
        ("darkcovidnet", 4, 3, 224, 1_170_676),
        ("coronet", 4, 3, 150, 33_915_436),
        ("coronet", 2, 3, 224, 46_497_834),
        ("coronet", 4, 3, 224, 46_498_348),
    ],
)
def test_published_numbers_of_parameters(
    name: str, n_classes: int, in_chans: int, image_size: int, expected: int
) -> None:
    assert count(build_on_meta(name, n_classes, in_chans, image_size)) == expected


@pytest.mark.parametrize(
    ("name", "agrees"),
    [
        ("cvrnet", True), ("efficientnet_b1", True), ("darkcovidnet", False), ("coronet", False), ("vgg19", False),
        ("legacy_xception", False), ("densenet169", False), ("resnet152", False), ("inception_v3", False),
    ],
)  # fmt: skip
def test_which_of_the_printed_numbers_agree(name: str, agrees: bool) -> None:
    spec = NETWORKS[name]
    assert spec.printed is not None
    assert spec.printed.agrees_with(spec.parameters) is agrees


HEAVY = {"resnet50", "resnet152", "densenet121", "densenet169", "legacy_xception", "coronet", "efficientnet_b1"}
"""Seconds each on the meta device; in the quick suite `test_the_deepest_layers...` runs them once, at 224 px."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in HEAVY else ()) for name in NETWORKS]
)
def test_the_smallest_size_works_in_training_and_in_evaluation(name: str) -> None:
    size = NETWORKS[name].minimum_size
    network = build_on_meta(name, 3, 1, size)
    images = torch.zeros(2, 1, size, size, device="meta")
    assert network.train()(images).shape == (2, 3)
    assert network.eval()(images).shape == (2, 3)


@pytest.mark.parametrize(("name", "size", "why"), [("inception_v3", 64, "at least 75"), ("cvrnet", 65, "multiple of")])
def test_a_size_that_does_not_fit_is_refused(name: str, size: int, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        build_network(name, 2, image_size=size)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_deepest_layers_for_heat_maps_have_the_published_maps(name: str) -> None:
    """networks.md section 6, at 224 px: channels and cells a side of what Grad-CAM reads."""
    channels = {
        "vgg19": (512, 14), "legacy_xception": (2048, 7), "efficientnet_b1": (1280, 7), "densenet169": (1664, 7),
        "densenet121": (1024, 7), "resnet152": (2048, 7), "resnet50": (2048, 7), "inception_v3": (2048, 5),
        "cvrnet": (4096, 7), "cvrnet:paper": (4096, 7), "darkcovidnet": (256, 12), "coronet": (2048, 7),
        "efficient": (80, 2), "resnet18": (512, 7),
    }  # fmt: skip
    network = build_on_meta(name, 2, image_size=224).eval()
    shapes: dict[str, tuple[int, ...]] = {}
    for view, layers in NETWORKS[name].cam_targets.items():
        for layer in layers:
            keep = lambda module, inputs, output, key=(view, layer): shapes.__setitem__(key, tuple(output.shape[1:]))  # noqa: E731
            network.get_submodule(layer).register_forward_hook(keep)
    network(torch.zeros(1, 3, 224, 224, device="meta"))
    views = NETWORKS[name].cam_targets
    assert next(iter(views)) == "whole"
    depth, side = channels[name]
    assert shapes["whole", NETWORKS[name].cam_layers[0]] == (depth, side, side)
    for view, layers in views.items():
        sides = [shapes[view, layer][-1] for layer in layers]
        assert sides == sorted(set(sides)), "deepest first, each finer than the one before"
    if name == "cvrnet":
        assert list(views) == ["whole", "ResNet branch", "Xception branch"]


@pytest.mark.parametrize("name", NETWORKS)
def test_timm_knows_the_backbones(name: str) -> None:
    spec = NETWORKS[name]
    for backbone in spec.backbones:
        published = timm.get_pretrained_cfg(backbone.timm_name)
        assert backbone.origin == (published.hf_hub_id or published.url)
        if len(spec.backbones) == 1:
            assert (spec.normalisation.mean, spec.normalisation.spread) == (published.mean, published.std)


def test_listing_the_networks_loads_no_torch() -> None:
    code = "import sys, models.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
