"""Losses and group weights against numbers worked by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from covaudit.domain.training import Training
from covaudit.errors import JobFailed
from covaudit.training.loaders import balanced_rows
from covaudit.training.loop import fit
from covaudit.training.objective import Objective, class_weights

CPU = torch.device("cpu")


def objective(targets: list[int], n_groups: int = 1, **fields: Any) -> Objective:
    return Objective(Training(**fields), np.array(targets), 2, n_groups, CPU)


def logits_of(probabilities: list[float]) -> torch.Tensor:
    """Logits of two classes whose second has these probabilities."""
    p = torch.tensor(probabilities)
    return torch.stack([torch.zeros_like(p), torch.logit(p)], dim=1)


def test_class_weights_are_the_papers() -> None:
    # Paper 1's released notebook prints {0: 1.0, 1: 11.7} for 4,680 and 400 images; the paper's formula is N_j / N.
    targets = np.repeat([0, 1], [4680, 400])
    assert class_weights(targets, 2, "minority").tolist() == pytest.approx([1.0, 11.7])
    assert class_weights(targets, 2, "literal").tolist() == pytest.approx([4680 / 5080, 400 / 5080])
    assert class_weights(targets, 2, "none").tolist() == [1.0, 1.0]


def test_the_weighted_mean_is_torchs_or_keras() -> None:
    """Weights 1 and 3: torch divides by their sum, Keras by the number of images."""
    targets, logits = torch.tensor([0, 0, 0, 1]), logits_of([0.1, 0.2, 0.3, 0.4])
    each = functional.cross_entropy(logits, targets, reduction="none")
    weighted = float(each[:3].sum() + 3 * each[3])
    torchs, keras = (objective([0, 0, 0, 1], weighted_mean=rule) for rule in ("weights", "images"))
    assert float(torchs.plain_loss(logits, targets)) == pytest.approx(weighted / 6)
    assert float(keras.plain_loss(logits, targets)) == pytest.approx(weighted / 4)


@pytest.mark.parametrize("rule", ["weights", "images"])
def test_parts_of_a_batch_add_up_to_the_whole(rule: str) -> None:
    made = objective([0, 0, 0, 1], weighted_mean=rule)
    targets, logits = torch.tensor([0, 1, 0, 0]), logits_of([0.1, 0.2, 0.3, 0.4])
    parts = [
        made.plain_loss(logits[part], targets[part]) * made.mass(targets[part]) / made.mass(targets)
        for part in (slice(0, 3), slice(3, 4))
    ]
    assert float(sum(parts)) == pytest.approx(float(made.plain_loss(logits, targets)))


def test_group_weights_move_to_the_worst_group_by_hand_worked_numbers() -> None:
    """Group losses log 2 and log 4, step 1: weights 1/2 x (2, 4), normed 1/3 and 2/3. Then group 1 alone with log 2:
    (1/3, 2/3 x 2) is (1/5, 4/5), and its loss counts by 4/5."""
    made = objective([0, 1], 2, group_dro=True, group_dro_step=1.0)
    targets = torch.tensor([1, 1, 1])
    loss = made.loss(logits_of([0.5, 0.25, 0.25]), targets, torch.tensor([0, 1, 1]))
    assert made.group_weights.tolist() == pytest.approx([1 / 3, 2 / 3])
    assert float(loss) == pytest.approx(np.log(2) / 3 + np.log(4) * 2 / 3)
    loss = made.loss(logits_of([0.5]), targets[:1], torch.tensor([1]))
    assert made.group_weights.tolist() == pytest.approx([1 / 5, 4 / 5])
    assert float(loss) == pytest.approx(np.log(2) * 4 / 5)


def test_balanced_sampling_draws_each_source_of_a_class_equally_often() -> None:
    """Class 0: 900 films of source 0 and 100 of source 1; class 1: 200 of source 1 alone."""
    label_sets = np.repeat([0, 0, 1], [900, 100, 200])
    sources = np.repeat([0, 1, 1], [900, 100, 200])
    drawn = np.concatenate([balanced_rows(np.arange(1200), label_sets, sources, seed) for seed in range(20)])
    cells = np.bincount(2 * label_sets[drawn] + sources[drawn], minlength=4) / len(drawn)
    # 24,000 draws: a standard error of 0.003.
    assert cells == pytest.approx([1000 / 2400, 1000 / 2400, 0, 200 / 1200], abs=0.012)


def test_memory_that_runs_out_halves_the_batch_once_and_says_so(make_data: Any, make_network: Any) -> None:
    """A network that has room for 8 images only: batches of 16 are computed in halves, and learn all the same."""
    network, notes = make_network(), list[str]()
    network.register_forward_pre_hook(_room_for(8))
    training = Training(epochs=4, batch_size=16, lr=0.01)
    records = list(fit(network, make_data(), training, 3, CPU, on_note=notes.append))
    assert len(notes) == 1 and "two halves" in notes[0]
    assert max(record.val_balanced_accuracy for record in records) > 0.9


def test_memory_that_runs_out_again_fails_with_a_cure(make_data: Any, make_network: Any) -> None:
    network = make_network()
    network.register_forward_pre_hook(_room_for(4))
    with pytest.raises(JobFailed, match=r"batches of 16 images of 128 px, and with half of that too. Use a smaller"):
        list(fit(network, make_data(), Training(epochs=1, batch_size=16), 3, CPU))


def _room_for(n: int) -> Any:
    def check(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if len(inputs[0]) > n:
            raise torch.OutOfMemoryError("no room")

    return check
