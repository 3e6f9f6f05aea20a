"""Grad-CAM and HiResCAM on networks whose maps can be worked out by hand, and against Captum one image at a time."""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam, LayerGradientXActivation
from torch import nn

from covaudit.domain.experiment import HEAT_METHODS
from covaudit.domain.regions import LUNG, LUNGS_KNOWN, MARKER, MARKERS_KNOWN
from covaudit.explain.gradcam import METHODS, attribute, choose_layer, explain_batch, log_odds
from covaudit.explain.grid import to_bytes
from covaudit.explain.regions import measure_shares, share_in
from covaudit.training.loaders import normalise, to_images
from models.registry import NETWORKS, build_network

CPU = torch.device("cpu")


class Brightness(nn.Module):
    """Class 1 is the mean of what is brighter than mid-grey; its evidence lies where the image is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv2d(1, 1, 4, stride=4, bias=False)
        nn.init.ones_(self.maps.weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        score = torch.relu(self.maps(images)).mean(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(score), score], dim=1)


@pytest.mark.parametrize("method", HEAT_METHODS)
def test_the_heat_lies_where_the_evidence_is(method: str) -> None:
    pixels = np.zeros((1, 32, 32), np.uint8)
    pixels[0, :8, :8] = 255
    maps = attribute(Brightness(), "maps", method, pixels, np.array([0]), np.array([1]), CPU)
    heatmap = to_bytes(maps)[0]
    assert heatmap.shape == (8, 8)
    assert heatmap[:2, :2].tolist() == [[255, 255], [255, 255]]
    assert int(heatmap.astype(int).sum()) == 4 * 255


def test_log_odds_is_that_of_the_softmax() -> None:
    logits = torch.tensor([[0.3, -1.2, 2.0], [5.0, 5.0, -5.0]])
    p = torch.softmax(logits.double(), dim=1)
    torch.testing.assert_close(log_odds(logits).double(), torch.log(p / (1 - p)), atol=1e-5, rtol=1e-5)


def test_a_certain_answer_still_has_evidence() -> None:
    """At a logit gap of 80 the gradient of the probability is 0 in float32; that of the log-odds is not."""
    network = Brightness()
    with torch.no_grad():
        network.maps.weight.mul_(100)
    pixels = np.full((1, 32, 32), 255, np.uint8)
    assert attribute(network, "maps", "hires-cam", pixels, np.array([0]), np.array([1]), CPU).max() > 0


LIGHT = ("resnet18", "efficient", "darkcovidnet")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in LIGHT else pytest.mark.slow) for name in NETWORKS]
)
def test_batches_agree_with_captum_image_by_image(name: str) -> None:
    torch.manual_seed(0)
    size = max(NETWORKS[name].minimum_size, 64)
    network = build_network(name, 3, image_size=size).eval()
    pixels = np.random.default_rng(0).integers(0, 255, (5, size, size)).astype(np.uint8)
    targets = np.array([0, 1, 2, 0, 1])
    layer = choose_layer(network, NETWORKS[name].cam_layers, size)
    images = normalise(to_images(pixels, CPU))
    found = explain_batch(network, (layer,), images)
    np.testing.assert_allclose(found.logits, network(images).detach(), rtol=1e-4, atol=1e-4)
    module = network.get_submodule(layer)
    explainers = {"grad-cam": LayerGradCam, "hires-cam": LayerGradientXActivation}
    for row, target in enumerate(targets):
        by_itself = explain_batch(network, (layer,), images[row : row + 1])
        for place, method in enumerate(METHODS):
            reference = explainers[method](lambda one: log_odds(network(one)), module)
            parts = LayerGradientXActivation(lambda one: log_odds(network(one)), module).attribute(
                images[row : row + 1], target=int(target)
            )
            alone = reference.attribute(images[row : row + 1], target=int(target)).sum(dim=1)[0].clamp(min=0).detach()
            # A map is a sum over channels that all but cancel in a network with random weights: rounding is measured
            # by what was summed, not by what is left of it.
            summed = max(float(parts.abs().sum(dim=1).max()), 1e-12)
            mine = by_itself.maps[layer][0, place, target] / summed
            np.testing.assert_allclose(mine, alone / summed, atol=1e-5)
            # In a batch the convolutions take other kernels, and a hundred layers add up what they round.
            np.testing.assert_allclose(found.maps[layer][row, place, target] / summed, mine, atol=1e-3)


@pytest.mark.parametrize("is_multi_label", [False, True])
def test_two_classes_are_explained_as_one_at_a_time(is_multi_label: bool) -> None:
    """Of two exclusive classes one pass back serves both; two labels of a multi-label task are each their own."""
    torch.manual_seed(1)
    network = build_network("resnet18", 2).eval()
    images = torch.randn(3, 1, 64, 64)
    found = explain_batch(network, ("layer4",), images, is_multi_label=is_multi_label).maps["layer4"]
    score = (lambda one: network(one)) if is_multi_label else (lambda one: log_odds(network(one)))
    for target in range(2):
        alone = LayerGradCam(score, network.layer4).attribute(images, target=target)[:, 0].clamp(min=0).detach()
        np.testing.assert_allclose(found[:, 1, target], alone, atol=1e-5)
    assert not torch.is_grad_enabled() or all(p.grad is None for p in network.parameters())


def test_branches_are_views_of_one_pass() -> None:
    """CVR-Net: the map of the joined layer before it is cut off at 0 is the sum of the branches' (networks.md 6.1)."""
    torch.manual_seed(0)
    network = build_network("cvrnet", 2).eval()
    layers = ("joined", "resnet.layer4", "xception.act4")
    images = torch.randn(1, 1, 64, 64)
    maps = explain_batch(network, layers, images, ("hires-cam",)).maps
    whole, resnet, xception = (maps[layer][0, 0] for layer in layers)
    assert whole.shape == resnet.shape == xception.shape
    both = (resnet > 0) & (xception > 0)
    assert both.any()
    np.testing.assert_allclose(whole[both], (resnet + xception)[both], rtol=1e-3, atol=1e-9)


def test_both_methods_agree_where_a_global_average_pool_follows() -> None:
    torch.manual_seed(0)
    network = build_network("resnet18", 3).eval()
    pixels = np.random.default_rng(0).integers(0, 255, (3, 64, 64)).astype(np.uint8)
    one, other = (
        attribute(network, "layer4", method, pixels, np.arange(3), np.array([0, 1, 2]), CPU) for method in HEAT_METHODS
    )
    assert one.max() > 0
    np.testing.assert_allclose(one, other, atol=1e-6)


class CornerReader(nn.Module):
    """Two steps past the map: class 1 is what lies in the first cell, though the channel is as bright in the last."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv2d(1, 1, 4, stride=4, bias=False)
        nn.init.ones_(self.maps.weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        score = self.maps(images)[:, 0, 0, 0]
        return torch.stack([torch.zeros_like(score), score], dim=1)


def test_only_hires_cam_keeps_the_place_of_the_evidence_at_an_earlier_layer() -> None:
    pixels = np.full((1, 16, 16), 128, np.uint8)
    pixels[0, :4, :4] = pixels[0, 12:, 12:] = 255
    hires, plain = (
        attribute(CornerReader(), "maps", method, pixels, np.array([0]), np.array([1]), CPU)[0]
        for method in HEAT_METHODS
    )
    assert (hires[0, 0] > 0, hires[3, 3]) == (True, 0)
    assert plain[0, 0] == plain[3, 3] > 0


@pytest.mark.parametrize(("size", "layer"), [(224, "layer4"), (128, "layer3"), (96, "layer2"), (32, "layer2")])
def test_the_deepest_layer_with_a_map_fine_enough_is_explained(size: int, layer: str) -> None:
    """ResNet-18 strides by 32, 16 and 8 at layer4, layer3 and layer2: 7, 8, 12 cells; at 32 px none has 7."""
    assert choose_layer(build_network("resnet18", 2), NETWORKS["resnet18"].cam_layers, size) == layer


def test_a_map_without_evidence_stays_empty() -> None:
    maps = np.stack([np.zeros((2, 2)), np.full((2, 2), np.nan), np.array([[0, 1], [2, 4]])]).astype(np.float32)
    heatmaps = to_bytes(maps)
    assert heatmaps[0].tolist() == heatmaps[1].tolist() == [[0, 0], [0, 0]]
    assert heatmaps[2].tolist() == [[0, 64], [128, 255]]


def test_share_in_a_region() -> None:
    heatmap = np.array([[255, 0], [0, 255]], np.uint8)
    region = np.zeros((2, 2), bool)
    region[0, 0] = True
    assert share_in(heatmap, region) == pytest.approx(0.5)
    assert np.isnan(share_in(np.zeros((2, 2), np.uint8), region))


def test_shares_of_the_heat_beside_those_of_the_area() -> None:
    """8 x 8 pixels: lungs are the left half, a marker of one pixel at (6, 6) counts with half a cell around it."""
    regions = np.full((8, 8), LUNGS_KNOWN | MARKERS_KNOWN, np.uint8)
    regions[:, :4] |= LUNG
    regions[6, 6] |= MARKER
    heatmap = np.zeros((8, 8), np.uint8)
    heatmap[6, 7], heatmap[0, 0], heatmap[0, 7] = 100, 50, 50
    shares = measure_shares(heatmap, regions, cell=2)
    assert shares.outside_lungs == pytest.approx(0.75)
    assert shares.outside_lungs_area == pytest.approx(0.5)
    assert shares.on_markers == pytest.approx(0.5)
    assert shares.on_markers_area == pytest.approx(9 / 64)


def test_shares_of_unknown_regions_are_undefined() -> None:
    assert np.isnan(measure_shares(np.full((4, 4), 9, np.uint8), np.zeros((8, 8), np.uint8), cell=2)).all()
