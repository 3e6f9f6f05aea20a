"""Keras' counting, worked by hand from its rules: when the learning rate falls and when the training ends."""

import pytest
import torch

from covaudit.domain.training import EarlyStopping, Plateau, Training
from covaudit.training.schedule import PlateauCounter, StoppingCounter, build_optimiser


def rates(rule: Plateau, losses: list[float], lr: float = 1.0) -> list[float]:
    """The learning rate after each epoch's loss."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    counter, found = PlateauCounter(rule), []
    for loss in losses:
        counter.step(-loss, optimiser)
        found.append(optimiser.param_groups[0]["lr"])
    return found


def stops(rule: EarlyStopping, figures: list[float]) -> int | None:
    """The epoch, from 1, after which training ends."""
    counter = StoppingCounter(rule)
    for epoch, figure in enumerate(figures, start=1):
        counter.step(figure)
        if counter.is_over:
            return epoch
    return None


@pytest.mark.parametrize(
    ("rule", "losses", "expected"),
    [
        # Two epochs that are not better lower the rate at the second of them, and the count starts again.
        (Plateau(factor=0.5, patience=2), [1, 1, 1, 1, 1], [1, 1, 0.5, 0.5, 0.25]),
        # Torch's scheduler with the same patience would wait for the third.
        (Plateau(factor=0.5, patience=2), [1, 0.9, 0.95, 0.8, 0.85, 0.85], [1, 1, 1, 1, 1, 0.5]),
        # A gain of exactly min_delta or less is none; the best stays where it was, so small gains add up.
        (Plateau(factor=0.5, patience=2, min_delta=0.25), [1, 0.75, 0.5, 0.5, 0.5], [1, 1, 1, 1, 0.5]),
        # Cooldown 2: the rate falls at epoch 2. Epoch 3 is still cooling; epoch 4, where the cooling ends, counts.
        (Plateau(factor=0.5, patience=1, cooldown=2), [1, 1, 1, 1, 1, 1], [1, 0.5, 0.5, 0.25, 0.25, 0.125]),
        # Never under min_lr, and there the wait goes on counting without effect.
        (Plateau(factor=0.1, patience=1, min_lr=0.05), [1, 1, 1, 1], [1, 0.1, 0.05, 0.05]),
    ],
)
def test_the_rate_falls_where_keras_lowers_it(rule: Plateau, losses: list[float], expected: list[float]) -> None:
    assert rates(rule, losses) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rule", "accuracies", "expected"),
    [
        (EarlyStopping(patience=3), [0.5, 0.5, 0.5, 0.5, 0.5], 4),
        (EarlyStopping(patience=3), [0.5, 0.5, 0.5, 0.6, 0.5, 0.5, 0.5], 7),
        (EarlyStopping(patience=2, min_delta=0.25), [0.5, 0.75, 0.75], 3),
        (EarlyStopping(patience=2, min_delta=0.25), [0.5, 0.8, 0.8], None),
        (EarlyStopping(patience=2), [0.1, 0.2, 0.3, 0.4], None),
    ],
)
def test_training_ends_where_keras_ends_it(rule: EarlyStopping, accuracies: list[float], expected: int | None) -> None:
    assert stops(rule, accuracies) == expected


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("adamax", torch.optim.Adamax)]
)
def test_optimisers_are_what_they_are_called(name: str, kind: type[torch.optim.Optimizer]) -> None:
    built = build_optimiser(iter([torch.nn.Parameter(torch.zeros(1))]), Training(optimiser=name, amsgrad=True))
    assert type(built) is kind
    assert built.param_groups[0].get("amsgrad", True) is True
