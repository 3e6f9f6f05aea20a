"""Gradients added up over batches are those of one large batch, whatever weighs the images."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from covaudit.domain.training import Training
from covaudit.training import loop
from covaudit.training.learner import Learner, TrainingData
from covaudit.training.loaders import normalise, to_images

CPU = torch.device("cpu")


def make_plain(seed: int = 0, outputs: int = 2) -> nn.Module:
    """A network without batch norm: what it says of an image does not depend on the others."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 8, 5, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(288, outputs))


def ask(**fields: Any) -> Training:
    usual = {"batch_size": 8, "accumulate": 4, "augment": False, "lr": 1e-3, "schedule": "constant"}
    return Training.model_validate({**usual, **fields})


def unequal(data: TrainingData) -> TrainingData:
    """Three quarters of class 0; 53 images train: a step of 32 and an incomplete one of 21."""
    kept = np.concatenate([np.flatnonzero(data.targets == 0)[:40], np.flatnonzero(data.targets == 1)[:13]])
    return data._replace(train=kept)


def gradients(network: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])


@pytest.mark.parametrize("weighted_mean", ["weights", "images"])
def test_a_step_has_the_gradient_of_one_large_batch(weighted_mean: str, make_data: Any) -> None:
    """The whole group and the incomplete last one, against torch's own weighted loss of all images at once."""
    data, network = unequal(make_data()), make_plain()
    learner = Learner(network, data, ask(weighted_mean=weighted_mean), 3, CPU)
    steps = learner.batches(0)
    assert [len(rows) for rows in steps] == [32, 21]
    assert [[len(part) for part in learner.parts_of(rows)] for rows in steps] == [[8, 8, 8, 8], [7, 7, 7]]
    weights = torch.tensor([1.0, 40 / 13])
    for rows in steps:
        loss = loop._add_gradients(learner, rows)
        found = gradients(network)
        network.zero_grad()
        targets = torch.from_numpy(data.targets[rows])
        summed = functional.cross_entropy(
            network(normalise(to_images(data.pixels[rows], CPU))), targets, weights, reduction="sum"
        )
        expected = summed / (weights[targets].sum() if weighted_mean == "weights" else len(rows))
        expected.backward()  # type: ignore[no-untyped-call]
        torch.testing.assert_close(found, gradients(network), atol=1e-6, rtol=1e-5)
        assert loss == pytest.approx(float(expected.detach()), rel=1e-5)


@pytest.mark.parametrize("is_multi_label", [False, True])
def test_a_training_ends_with_the_weights_of_large_batches(is_multi_label: bool, make_data: Any) -> None:
    data = unequal(make_data())
    if is_multi_label:
        data = data._replace(targets=np.stack([data.targets, np.arange(len(data.targets)) % 2], axis=1))
    small, large, steps = make_plain(), make_plain(), list[tuple[int, int]]()
    records = list(loop.fit(small, data, ask(epochs=2), 3, CPU, lambda *step: steps.append(step)))
    expected = list(loop.fit(large, data, ask(epochs=2, batch_size=32, accumulate=1), 3, CPU))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for name, tensor in small.state_dict().items():
        torch.testing.assert_close(tensor, large.state_dict()[name], atol=1e-6, rtol=0)
    assert [one.train_loss for one in records] == pytest.approx([one.train_loss for one in expected], rel=1e-5)


def test_memory_that_runs_out_halves_what_is_accumulated_too(make_data: Any) -> None:
    """Room for 4 images: groups of 4 batches of 8 become 8 halves, and give the step that one batch of 32 gives."""
    data, small, large, sizes, notes = make_data(64), make_plain(), make_plain(), list[int](), list[str]()

    def room_for_four(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        sizes.append(len(inputs[0]))
        if len(inputs[0]) > 4:
            raise torch.OutOfMemoryError("no room")

    small.register_forward_pre_hook(room_for_four)
    list(loop.fit(small, data, ask(epochs=1), 3, CPU, on_note=notes.append))
    list(loop.fit(large, data, ask(epochs=1, batch_size=32, accumulate=1), 3, CPU))
    assert sizes[0] == 8 and set(sizes[1:]) == {4}
    assert len(notes) == 1 and "batches of 8 images" in notes[0]
    for name, tensor in small.state_dict().items():
        torch.testing.assert_close(tensor, large.state_dict()[name], atol=1e-6, rtol=0)


def test_no_part_is_a_single_image(make_data: Any) -> None:
    """Batch norm cannot learn from one: a part may hold one image more than a batch instead."""
    learner = Learner(make_plain(), make_data(), ask(batch_size=4), 3, CPU)
    for n in range(2, 40):
        sizes = [len(part) for part in learner.parts_of(np.arange(n))]
        assert sum(sizes) == n and min(sizes) >= 2 and max(sizes) <= 5, sizes
