"""Captum's methods behind one function: the same numbers image by image, hand-worked networks, and refusals."""

import numpy as np
import pytest
import torch
from captum.attr import GuidedBackprop, GuidedGradCam, IntegratedGradients, Occlusion, Saliency
from torch import Tensor, nn

from covaudit.domain.explanation import METHOD_CARDS, MapOptions
from covaudit.errors import CannotExplain, UnknownName
from covaudit.explain.gradcam import log_odds
from covaudit.explain.grid import Grid
from covaudit.explain.methods import MAPS, Question, Scores, explain
from covaudit.explain.rectifiers import refusal
from models.registry import NETWORKS, build_network

SIDE = 16
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:captum")


class Plain(nn.Module):
    """Two convolutions without stride, so that a layer's cells are the image's pixels; in-place ReLUs as timm has."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1)
        self.act1, self.act2 = nn.ReLU(inplace=True), nn.ReLU(inplace=True)
        self.head = nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.act2(self.second(self.act1(self.first(images))))
        return self.head((maps * maps).mean(dim=(2, 3)))


def ask(network: nn.Module, images: Tensor, targets: Tensor, layer: str = "act2", **options) -> Question:
    return Question(network, images, targets, layer, Grid(0.0, 1.0, SIDE), options=MapOptions(**options))


@pytest.fixture
def question() -> Question:
    torch.manual_seed(3)
    return ask(Plain().eval(), torch.randn(5, 1, SIDE, SIDE), torch.tensor([0, 1, 2, 0, 1]))


def test_batches_agree_with_captum_image_by_image(question: Question) -> None:
    scores = Scores(question.network, is_multi_label=False)
    cam = GuidedGradCam(scores, question.network.act2)
    window = ((1, 2, 2), (1, 1, 1))
    reference = {
        "saliency": lambda x, t: Saliency(scores).attribute(x, target=t)[:, 0],
        "guided-backprop": lambda x, t: GuidedBackprop(scores).attribute(x, target=t)[:, 0].abs(),
        "guided-grad-cam": lambda x, t: cam.attribute(x, target=t)[:, 0].abs(),
        "integrated-gradients": lambda x, t: IntegratedGradients(scores).attribute(x, target=t, n_steps=64)[:, 0],
        "occlusion": lambda x, t: Occlusion(scores).attribute(x, *window, baselines=0, target=t)[:, 0],
    }
    for method, captum in reference.items():
        maps = explain(method, question)
        assert maps.shape == (5, SIDE, SIDE) and (maps.abs().amax(dim=(1, 2)) > 0).sum() >= 3
        for row, target in enumerate(question.targets):
            alone = captum(question.images[row : row + 1].clone().requires_grad_(), int(target))[0].detach()
            np.testing.assert_allclose(maps[row], alone, atol=1e-5, err_msg=method)


def test_the_pixels_of_a_map_add_up_to_the_score(question: Question) -> None:
    """Completeness: score of the image minus that of the baseline (Sundararajan et al. 2017)."""
    network, images, targets = question[:3]
    for name, level in (("grey", 0.0), ("black", -2.0)):
        maps = explain("integrated-gradients", ask(network, images, targets, steps=256, baseline=name))
        with torch.no_grad():
            gained = log_odds(network(images)) - log_odds(network(torch.full_like(images, level)))
        np.testing.assert_allclose(maps.sum(dim=(1, 2)), gained[torch.arange(5), targets], atol=2e-3)


class Corner(nn.Module):
    """Class 1 is how bright the patch at rows 8..11, columns 4..7 is."""

    def __init__(self) -> None:
        super().__init__()
        self.act2 = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        score = self.act2(images[:, 0, 8:12, 4:8]).mean(dim=(1, 2))
        return torch.stack([torch.zeros_like(score), score], dim=1)


@pytest.mark.parametrize("method", ["occlusion", "integrated-gradients", "saliency", "guided-backprop"])
def test_the_planted_patch_is_found_and_nothing_else(method: str) -> None:
    images = torch.rand(2, 1, SIDE, SIDE) + 0.5
    maps = explain(method, ask(Corner(), images, torch.tensor([1, 1])))
    inside = maps[:, 8:12, 4:8].sum(dim=(1, 2)) / maps.sum(dim=(1, 2))
    # A patch of occlusion, 2 px that move by 1, reaches one pixel past the patch.
    assert inside.min() > (0.6 if method == "occlusion" else 0.999)
    assert float(maps[:, 6, 10].abs().max()) == 0
    against = explain(method, ask(Corner(), images, torch.tensor([0, 0])))
    if method in ("occlusion", "integrated-gradients"):
        assert against.max() <= 0 and against.min() < 0


class Shortcut(nn.Module):
    """Class 0 is 3 relu(x) - 2x, summed: the slope at a positive x is 1. The guided one is 3 - 2 as well, for the
    shortcut is no ReLU; cutting both together at 0 would not show in the sum, so class 1 is relu(x) - 2x: -1."""

    def __init__(self) -> None:
        super().__init__()
        self.act2 = nn.ReLU(inplace=False)

    def forward(self, images: Tensor) -> Tensor:
        summed, plain = self.act2(images).sum(dim=(1, 2, 3)), images.sum(dim=(1, 2, 3))
        return torch.stack([3 * summed - 2 * plain, summed - 2 * plain], dim=1)


def test_a_shortcut_around_a_relu_keeps_its_own_gradient() -> None:
    images = torch.ones(1, 1, 4, 4)
    question = Question(Shortcut(), images, torch.tensor([1]), "act2", Grid(0.0, 1.0, 4), is_multi_label=True)
    assert explain("guided-backprop", question).unique().tolist() == [1.0]
    assert explain("saliency", question).unique().tolist() == [1.0]
    hooked = GuidedBackprop(Scores(question.network, True)).attribute(images, target=1)
    assert hooked.unique().tolist() == [0.0]  # the trap: Captum alone cuts the shortcut too


class TwoRelus(nn.Module):
    """Class 0 is relu(relu(x) - 2 relu(-x)), one pixel each; worked out by hand below."""

    def __init__(self) -> None:
        super().__init__()
        self.act1, self.act2 = nn.ReLU(), nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        one = self.act2(2 * images[:, 0, 0, 0] - self.act1(images[:, 0, 0, 1])) + 0 * images.sum(dim=(1, 2, 3))
        return torch.stack([one, torch.zeros_like(one)], dim=1)


def test_guided_backpropagation_drops_what_lowers_the_score() -> None:
    """At (3, 1) the score is 6 - 1: slopes 2 and -1. The second comes through a ReLU and is dropped."""
    images = torch.zeros(1, 1, 2, 2)
    images[0, 0, 0] = torch.tensor([3.0, 1.0])
    question = Question(TwoRelus(), images, torch.tensor([0]), "act2", Grid(0.0, 1.0, 2), is_multi_label=True)
    assert explain("saliency", question)[0].tolist() == [[2, 1], [0, 0]]
    assert explain("guided-backprop", question)[0].tolist() == [[2, 0], [0, 0]]


class Functional(Plain):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.relu(self.second(self.act1(self.first(images)))).mean(dim=(2, 3)))


@pytest.mark.parametrize(
    ("network", "word"),
    [
        (
            lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            "SiLU",
        ),
        (lambda: build_network("darkcovidnet", 2, image_size=64), "LeakyReLU"),
        (lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), "has none"),
        (Functional, "not modules"),
    ],
)
def test_guided_methods_refuse_a_network_without_relus_in_words(network, word: str) -> None:
    images = torch.zeros(1, 1, 64, 64)
    for method in ("guided-backprop", "guided-grad-cam"):
        with pytest.raises(CannotExplain, match=word):
            explain(method, ask(network(), images, torch.tensor([0])))


REFUSED = {"efficientnet_b1", "darkcovidnet"}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_which_of_the_networks_are_refused(name: str) -> None:
    size = max(NETWORKS[name].minimum_size, 64)
    found = refusal(build_network(name, 2, image_size=size), torch.zeros(1, 1, size, size))
    assert (found is not None) == (name in REFUSED)


def test_nothing_is_left_behind_in_the_network(question: Question) -> None:
    """Weights want their gradients again, no hook stays, and the ReLUs are the network's own."""
    before = explain("saliency", question)
    wanted = [parameter.requires_grad for parameter in question.network.parameters()]
    for method in MAPS:
        explain(method, question)
    assert [parameter.requires_grad for parameter in question.network.parameters()] == wanted == [True] * len(wanted)
    assert all(parameter.grad is None for parameter in question.network.parameters())
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in question.network.modules())
    assert isinstance(question.network.act1, nn.ReLU) and question.network.act1.inplace
    torch.testing.assert_close(explain("saliency", question), before)


def test_every_card_has_a_method_and_every_method_a_card() -> None:
    assert list(MAPS) == list(METHOD_CARDS)


def test_an_unknown_method_is_refused(question: Question) -> None:
    with pytest.raises(UnknownName, match=r"Allowed: .*occlusion"):
        explain("magic", question)
