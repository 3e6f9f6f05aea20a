"""The training loop learns what is there, repeats itself, and stops when it diverges."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from covaudit.domain.experiment import Training
from covaudit.domain.run import EpochRecord
from covaudit.errors import JobFailed
from covaudit.training.learner import TrainingData
from covaudit.training.loaders import batches
from covaudit.training.loop import fit
from covaudit.training.objective import Objective
from covaudit.training.predict import name_answers, predict_logits, probabilities

CPU = torch.device("cpu")


def train(network: nn.Module, data: TrainingData, **fields: float) -> list[EpochRecord]:
    training = Training(**{"epochs": 6, "batch_size": 16, "lr": 0.01, **fields})
    return list(fit(network, data, training, seed=3, device=CPU))


def test_it_learns_a_separable_class(make_data: Any, make_network: Any) -> None:
    records = train(make_network(), make_data())
    assert [record.epoch for record in records] == [1, 2, 3, 4, 5, 6]
    assert max(record.val_balanced_accuracy for record in records) == 1.0
    assert records[-1].train_loss < records[0].train_loss


def test_shuffled_labels_are_not_learned(make_data: Any, make_network: Any) -> None:
    data = make_data(400)
    shuffled = data._replace(targets=np.random.default_rng(9).permutation(data.targets))
    records = train(make_network(), shuffled, epochs=3)
    assert all(0.3 < record.val_balanced_accuracy < 0.7 for record in records)


def test_the_same_seed_gives_the_same_weights(make_data: Any, make_network: Any) -> None:
    first, second = make_network(), make_network()
    train(first, make_data())
    train(second, make_data())
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


def test_the_network_ends_with_the_weights_of_the_best_epoch(make_data: Any, make_network: Any) -> None:
    network, data = make_network(), make_data()
    states: list[dict[str, torch.Tensor]] = []
    best = -1
    for record in fit(network, data, Training(epochs=5, batch_size=16, lr=0.01), seed=3, device=CPU):
        states.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        best = record.epoch - 1 if record.is_best else best
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, states[best][name]), name


def test_divergence_stops_the_run_with_a_cure(make_data: Any, make_network: Any) -> None:
    data = make_data()
    network = make_network()
    with torch.no_grad():
        network[0].weight.fill_(float("inf"))
    with pytest.raises(JobFailed, match=r"Training diverged.*epoch 1, step 1. Lower the learning rate"):
        train(network, data)


def test_batches_cover_every_row_once_and_never_end_with_a_single_image() -> None:
    found = list(batches(np.arange(33), 8, seed=1))
    assert [len(batch) for batch in found] == [8, 8, 8, 9]
    assert sorted(np.concatenate(found)) == list(range(33))
    assert [len(batch) for batch in batches(np.arange(9), 8)] == [8, 1]
    assert np.concatenate(list(batches(np.arange(9), 8))).tolist() == list(range(9))


def test_prediction_does_not_depend_on_the_batch(make_data: Any, make_network: Any) -> None:
    data, network = make_data(), make_network()
    whole = predict_logits(network, data.pixels, np.arange(40), CPU, batch_size=40)
    parts = predict_logits(network, data.pixels, np.arange(40), CPU, batch_size=7)
    np.testing.assert_allclose(whole, parts, atol=1e-5)
    np.testing.assert_allclose(probabilities(whole).sum(axis=1), 1, atol=1e-6)


def test_two_outputs_are_learned_apart(make_network: Any) -> None:
    """The first output tells a bright upper half, the second a bright left half; an image may have both."""
    draws = np.random.default_rng(0)
    targets = draws.integers(0, 2, (200, 2))
    pixels = draws.integers(60, 120, (200, 16, 16)).astype(np.uint8)
    pixels[targets[:, 0] == 1, :8] += 60
    pixels[targets[:, 1] == 1, :, :8] += 60
    data = TrainingData(pixels, targets, np.arange(120), np.arange(120, 200), 2)
    network = make_network()
    records = train(network, data)
    assert max(record.val_balanced_accuracy for record in records) > 0.95
    found = probabilities(predict_logits(network, pixels, data.val, CPU), is_multi_label=True)
    assert ((found > 0.5) == targets[120:]).mean() > 0.95
    assert {*name_answers(found, ("up", "left"), True)} == {"up", "left", "left+up", "none"}


def test_the_multi_label_loss_is_keras_binary_cross_entropy() -> None:
    # One image, outputs 0.8 and 0.3, truth 1 and 0: the mean of -log .8 and -log .7.
    logits = torch.logit(torch.tensor([[0.8, 0.3]]))
    objective = Objective(Training(), np.array([[1, 0]]), 2, 1, CPU)
    loss = objective.loss(logits, torch.tensor([[1, 0]]), torch.tensor([0]))
    assert float(loss) == pytest.approx(-(np.log(0.8) + np.log(0.7)) / 2, rel=1e-6)
