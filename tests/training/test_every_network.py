"""Every network learns from phantoms for an epoch, is saved, and predicts the same when it is loaded again."""

from pathlib import Path

import numpy as np
import pytest
import torch

from covaudit.domain.training import Training
from covaudit.explain.heatmaps import describe_network, draw_heatmaps
from covaudit.sources.phantom import STYLES, render
from covaudit.training.learner import TrainingData
from covaudit.training.loop import fit
from covaudit.training.network_file import load_network, weights_bytes
from covaudit.training.predict import predict_logits, probabilities
from models.registry import NETWORKS, build_network

CPU = torch.device("cpu")
LIGHT = ("efficient", "darkcovidnet")


@pytest.fixture(scope="module")
def films() -> dict[int, np.ndarray]:
    """Twelve phantoms, every second one with disease, at the sizes that the networks need."""
    style = next(iter(STYLES.values()))
    return {
        size: np.stack([render("CVP" if seed % 2 else "NOR", seed, style, size).image for seed in range(12)])
        for size in (64, 96, 128)
    }


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in LIGHT else pytest.mark.slow) for name in NETWORKS]
)
def test_it_learns_is_saved_and_predicts_the_same(name: str, films: dict[int, np.ndarray], tmp_path: Path) -> None:
    size = next(size for size in films if NETWORKS[name].minimum_size <= size)
    rows = np.arange(12)
    data = TrainingData(films[size], rows % 2, rows[:8], rows[8:], 2)
    torch.manual_seed(0)
    network = build_network(name, 2, image_size=size)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    training = Training(image_size=size, epochs=1, batch_size=4, lr=1e-4)
    (record,) = fit(network, data, training, seed=1, device=CPU)
    assert np.isfinite(record.train_loss)
    moved = [key for key, tensor in network.named_parameters() if not torch.equal(tensor, before[key])]
    assert len(moved) == len(list(network.named_parameters())), "every weight gets a gradient"

    described = describe_network(network, name, ("NOR", "CVP"), size)
    (tmp_path / "weights.safetensors").write_bytes(weights_bytes(network))
    (tmp_path / "network.json").write_text(described.model_dump_json())
    again, read = load_network(tmp_path, CPU)
    assert read == described
    first, second = (probabilities(predict_logits(one, films[size], rows, CPU)) for one in (network, again))
    np.testing.assert_allclose(first, second, atol=1e-6)
    heat = draw_heatmaps(again, read, films[size], rows[:2], np.array([0, 1]), CPU)
    assert heat.shape[0] == 2
    assert heat.dtype == np.uint8
