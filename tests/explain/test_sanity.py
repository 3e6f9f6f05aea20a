"""The sanity gate with planted truth both ways: methods that read the network, and methods that read the image."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from covaudit.audit.sanity import judge
from covaudit.explain.grid import Grid
from covaudit.explain.methods import Question, explain
from covaudit.explain.sanity import DRAWS, STAGES, cascade, layers_from_the_head, likeness
from models.registry import build_network

SIDE, N = 32, 16


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        widths = (1, 8, 16, 16)
        self.maps = nn.Sequential(*(part for a, b in pairwise(widths) for part in self.block(a, b)))
        self.head = nn.Linear(16, 2)

    def block(self, inputs: int, outputs: int) -> tuple[nn.Module, ...]:
        return nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.maps(images).mean(dim=(2, 3)))


def _films(n: int, draws: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Noise like tissue, ribs across it, and in every second film a soft opacity somewhere."""
    rows = np.arange(SIDE)[:, None] / SIDE
    films, labels = [], np.arange(n) % 2
    for label in labels:
        film = cv2.GaussianBlur(draws.normal(0, 4, (SIDE, SIDE)), (0, 0), 3) + 0.8 * np.sin(
            40 * rows + draws.uniform(0, 6)
        )
        if label:
            y, x = draws.uniform(0.2, 0.8, 2) * SIDE
            film += 1.5 * np.exp(-((np.mgrid[:SIDE, :SIDE] - np.array([y, x])[:, None, None]) ** 2).sum(0) / 40)
        films.append(film)
    return torch.tensor(np.stack(films), dtype=torch.float32)[:, None], torch.tensor(labels)


def _train(seed: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A trained network, with films that it was not trained on and their classes."""
    torch.manual_seed(seed)
    draws = np.random.default_rng(seed)
    network, (films, labels) = Small().train(), _films(256, draws)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for step in range(80):
        part = slice(32 * (step % 8), 32 * (step % 8) + 32)
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(films[part]), labels[part]).backward()
        optimiser.step()
    network.eval()
    films, labels = _films(N, draws)
    with torch.no_grad():
        right = (network(films).argmax(dim=1) == labels).float().mean()
    assert right >= 0.75  # it has something to forget
    return network, films, labels


def _draw(method: str, films: Tensor, labels: Tensor):
    def draw(network: nn.Module, part: np.ndarray) -> np.ndarray:
        asked = Question(network, films[part], labels[part], "maps.10", Grid(1.5, 4.0, 8))
        return explain(method, asked).numpy()[None]

    return draw


def _draw_edges(films: Tensor):
    """Sobel's edges of the image: a map that asks no network."""

    def draw(network: nn.Module, part: np.ndarray) -> np.ndarray:
        edges = [np.hypot(cv2.Sobel(one, -1, 1, 0), cv2.Sobel(one, -1, 0, 1)) for one in films[part, 0].numpy()]
        return np.stack(edges)[None]

    return draw


def _judge(draw, network: nn.Module, films: Tensor, seed: int):
    found = cascade(network, lambda: Small().eval(), draw, films[:1], N, seed)
    assert found.shape == (1, len(STAGES), N)
    return judge(found[0], np.arange(N).astype(str), seed)


CAMS = ("grad-cam", "hires-cam")
seeds = pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))])


@seeds
def test_grad_cam_passes_and_an_edge_detector_fails(seed: int) -> None:
    """On a network that learnt to see an opacity between ribs; guided backpropagation is nearer to the edges."""
    network, films, labels = _train(seed)
    found = {name: _judge(_draw(name, films, labels), network, films, seed) for name in (*CAMS, "guided-backprop")}
    assert all(found[name].passes and found[name].value < 0.45 for name in CAMS), found
    assert found["guided-backprop"].value > found["grad-cam"].high
    edges = _judge(_draw_edges(films), network, films, seed)
    assert edges.fails and edges.value == pytest.approx(1) and edges.n == N


def test_likeness_is_the_rank_correlation_of_positive_evidence() -> None:
    """Ranks 1 2 3 4 against 4 3 2 1 correlate by -1, against 1 3 2 4 by 1 - 6 * 2 / (4 * 15) = 0.8."""
    one = np.array([[[[1, 2], [3, 4]]] * 4], np.float32)
    others = np.array([[[[9, 7], [5, 3]], [[1, 5], [3, 6]], [[-1, -1], [-2, -3]], [[np.nan, 0], [0, 0]]]], np.float32)
    np.testing.assert_allclose(likeness(one, others)[0], [-1, 0.8, 0, 0])
    assert np.isnan(likeness(np.zeros_like(one), one)).all()


def test_empty_maps_say_nothing() -> None:
    likenesses = np.full((3, 16), np.nan)
    likenesses[:, :3] = 1.0
    judged = judge(likenesses, np.arange(16).astype(str), 0)
    assert judged.n == 3 and not judged.fails and not judged.passes


def test_the_cascade_goes_from_the_head_down() -> None:
    """CVR-Net's head is the last layer of each of its five heads; one alone would leave the map as it was."""
    image = torch.zeros(1, 1, 64, 64)
    order, n_head = layers_from_the_head(build_network("cvrnet", 2, image_size=64), image)
    assert sorted(order[:n_head]) == [f"heads.{number}.8" for number in range(5)]
    assert order[-1] == "resnet.conv1"
    order, n_head = layers_from_the_head(Small(), torch.zeros(1, 1, SIDE, SIDE))
    assert (order, n_head) == (["head", "maps.9", "maps.8", "maps.5", "maps.4", "maps.1", "maps.0"], 1)


def test_layers_forget_one_stage_after_the_other_and_the_network_keeps_what_it_knows() -> None:
    network, seen = Small().eval(), []
    before = {name: value.clone() for name, value in network.state_dict().items()}

    def draw(asked: nn.Module, part: np.ndarray) -> np.ndarray:
        state = asked.state_dict()
        seen.append(sum(not torch.equal(state[name], before[name]) for name in before if name.endswith("weight")))
        return np.random.default_rng(0).random((1, len(part), 3, 3)).astype(np.float32)

    def build() -> nn.Module:
        made = Small().eval()
        for module in made.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight)
        return made

    found = cascade(network, build, draw, torch.zeros(1, 1, SIDE, SIDE), 5, 0)
    assert seen == [0, 1, 3, 7] * DRAWS  # of seven layers: none, the head, the upper half, all
    np.testing.assert_allclose(found, 1)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
