"""Grad-CAM on networks whose maps can be worked out by hand, and against Captum one image at a time."""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

from covaudit.explain.gradcam import choose_layer, grad_cam, log_odds, to_heatmaps
from covaudit.explain.regions import share_in
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


def test_the_heat_lies_where_the_evidence_is() -> None:
    pixels = np.zeros((1, 32, 32), np.uint8)
    pixels[0, :8, :8] = 255
    maps = grad_cam(Brightness(), "maps", pixels, np.array([0]), np.array([1]), CPU)
    heatmap = to_heatmaps(maps)[0]
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
    assert grad_cam(network, "maps", pixels, np.array([0]), np.array([1]), CPU).max() > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_batches_agree_with_captum_image_by_image(name: str) -> None:
    torch.manual_seed(0)
    network = build_network(name, 3).eval()
    size = max(NETWORKS[name].minimum_size, 64)
    pixels = np.random.default_rng(0).integers(0, 255, (5, size, size)).astype(np.uint8)
    targets = np.array([0, 1, 2, 0, 1])
    layer = choose_layer(network, NETWORKS[name].cam_layers, size)
    found = grad_cam(network, layer, pixels, np.arange(5), targets, CPU, batch_size=4)
    reference = LayerGradCam(lambda images: log_odds(network(images)), network.get_submodule(layer))
    for row, target in enumerate(targets):
        image = normalise(to_images(pixels[row : row + 1], CPU))
        alone = reference.attribute(image, target=int(target), relu_attributions=True)[0, 0].detach().numpy()
        np.testing.assert_allclose(found[row], alone, atol=1e-5)


@pytest.mark.parametrize(("size", "layer"), [(224, "layer4"), (128, "layer3"), (96, "layer2"), (32, "layer2")])
def test_the_deepest_layer_with_a_map_fine_enough_is_explained(size: int, layer: str) -> None:
    """ResNet-18 strides by 32, 16 and 8 at layer4, layer3 and layer2: 7, 8, 12 cells; at 32 px none has 7."""
    assert choose_layer(build_network("resnet18", 2), NETWORKS["resnet18"].cam_layers, size) == layer


def test_a_map_without_evidence_stays_empty() -> None:
    maps = np.stack([np.zeros((2, 2)), np.full((2, 2), np.nan), np.array([[0, 1], [2, 4]])]).astype(np.float32)
    heatmaps = to_heatmaps(maps)
    assert heatmaps[0].tolist() == heatmaps[1].tolist() == [[0, 0], [0, 0]]
    assert heatmaps[2].tolist() == [[0, 64], [128, 255]]


def test_share_in_a_region() -> None:
    heatmap = np.array([[255, 0], [0, 255]], np.uint8)
    region = np.zeros((2, 2), bool)
    region[0, 0] = True
    assert share_in(heatmap, region) == pytest.approx(0.5)
    assert np.isnan(share_in(np.zeros((2, 2), np.uint8), region))
