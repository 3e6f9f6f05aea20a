"""Small data and a small network with everything that a checkpoint must hold: batch norm and dropout."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from covaudit.training.learner import TrainingData


def make_data(n: int = 120, size: int = 16, seed: int = 0) -> TrainingData:
    """Class 1 has a bright upper half; half of the images train, half validate."""
    draws = np.random.default_rng(seed)
    targets = draws.integers(0, 2, n)
    pixels = draws.integers(60, 120, (n, size, size)).astype(np.uint8)
    pixels[targets == 1, : size // 2] += 100
    return TrainingData(pixels, targets, np.arange(n // 2), np.arange(n // 2, n), 2)


def make_network(seed: int = 0, dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(32, 2),
    )


@pytest.fixture(name="make_data")
def _make_data() -> Callable[..., TrainingData]:
    return make_data


@pytest.fixture(name="make_network")
def _make_network() -> Callable[..., nn.Module]:
    return make_network


@pytest.fixture
def same_weights() -> Callable[[nn.Module, nn.Module], None]:
    """Equal to the last bit, buffers too."""

    def compare(one: nn.Module, other: nn.Module) -> None:
        for name, tensor in one.state_dict().items():
            assert torch.equal(tensor, other.state_dict()[name]), name

    return compare
