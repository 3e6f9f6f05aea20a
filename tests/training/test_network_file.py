"""A network that is loaded again prepares images and feeds itself as it did in its run: uploads get the same answer."""

from pathlib import Path

import numpy as np
import pytest
import torch

from covaudit.domain.protocols import PROTOCOLS
from covaudit.domain.training import Preparation
from covaudit.explain import predict_image
from covaudit.explain.heatmaps import describe_network
from covaudit.explain.predict_image import predict_images
from covaudit.sources.radiograph import open_radiograph
from covaudit.sources.readers import phantoms
from covaudit.training.intensity import feed
from covaudit.training.network_file import weights_bytes
from covaudit.training.pixels import build_pixels
from covaudit.training.predict import predict_logits, probabilities
from covaudit.training.prepare import Recipe, levels_of
from models.registry import build_network

CPU = torch.device("cpu")
CLASSES = ("Normal", "COVID")


@pytest.mark.parametrize(
    ("preparation", "intensity", "is_matched"),
    [
        (PROTOCOLS["albert-c"].training.preparation, "unit", False),
        (PROTOCOLS["cvrnet-paper"].training.preparation, "raw", False),
        (Preparation(remove_borders=True, inpaint_markers=True), "standard", True),
    ],
    ids=["albert", "cvrnet", "mitigated"],
)
def test_an_upload_is_answered_as_in_the_run(
    preparation: Preparation, intensity: str, is_matched: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What an answer rests on needs the tables of a whole run; it has tests of its own.
    monkeypatch.setattr(predict_image, "_trust", lambda *given: [None] * 4)
    table = phantoms.read("phantom-b").groupby("label").head(1)
    levels = levels_of(build_pixels(table, Recipe(128), tmp_path / "cache").pixels // 2) if is_matched else ()
    recipe = Recipe(128, preparation, levels)
    pixels = build_pixels(table, recipe, tmp_path / "cache").pixels
    torch.manual_seed(0)
    network = feed(build_network("efficient", 2, image_size=128), intensity).eval()
    found = probabilities(predict_logits(network, pixels, np.arange(len(pixels)), CPU), is_multi_label=True)
    described = describe_network(network, "efficient", CLASSES, 128, is_multi_label=True).model_copy(
        update={"preparation": preparation, "levels": levels, "intensity": intensity}
    )
    (tmp_path / "network.json").write_text(described.model_dump_json())
    (tmp_path / "weights.safetensors").write_bytes(weights_bytes(network))
    # As an upload: no marker mask of the source's.
    films = [(row["image_id"], open_radiograph(row).pixels) for row in table.to_dict("records")]
    answers = predict_images(tmp_path, films, "cpu")
    assert all((answer.view.shape == (128, 128)) is preparation.is_cropped for answer in answers)
    if not preparation.inpaint_markers:  # there the source knew its markers, and an upload's are found
        np.testing.assert_allclose([answer.probabilities for answer in answers], found, atol=1e-6)
    else:
        np.testing.assert_allclose([answer.probabilities for answer in answers], found, atol=0.02)


@pytest.mark.parametrize(("intensity", "low", "high"), [("standard", -2, 2), ("unit", 0, 1), ("raw", 0, 255)])
def test_a_network_is_fed_what_its_protocol_says(intensity: str, low: float, high: float) -> None:
    """Black and white as a first layer sees them."""
    seen: list[torch.Tensor] = []
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))
    network[0].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    pixels = np.stack([np.zeros((4, 4)), np.full((4, 4), 255)]).astype(np.uint8)
    predict_logits(feed(network, intensity), pixels, np.arange(2), CPU)
    assert (float(seen[0][0, 0, 0, 0]), float(seen[0][1, 0, 0, 0])) == pytest.approx((low, high), abs=1e-5)
