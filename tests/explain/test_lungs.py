"""The lung network as shipped, the marker detector, and the regions made from both."""

import json
import sys
from functools import partial
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_images

from covaudit.domain.regions import LUNG, LUNGS_FOUND, LUNGS_KNOWN, MARKER, MARKERS_KNOWN
from covaudit.explain.known_regions import find_regions
from covaudit.explain.lung_examples import is_held_out, made_up, oddities
from covaudit.explain.lungs import RECORD, WEIGHTS, certainty, find_lungs, finder, to_mask
from covaudit.explain.markers import find_markers
from covaudit.explain.measure_lungs import dice, measure
from covaudit.explain.pspnet import WEIGHTS_NAME, load_pspnet, score_pspnet, weights_at_hand
from covaudit.explain.regions import REGIONS, partition
from covaudit.sources import phantom
from covaudit.sources.phantom.anatomy import whole_lungs
from covaudit.sources.phantom.patient import make_patient
from covaudit.training.device import resolve_device

REAL = Path(__file__).parents[3] / "shared" / "data"


def test_lungs_of_phantoms_are_found_where_they_are() -> None:
    films = made_up(12, seed=7)
    found = find_lungs(np.stack([film.pixels for film in films]))
    assert found.found.all()
    assert np.mean([dice(mask, film.mask) for mask, film in zip(found.masks, films, strict=True)]) > 0.9
    assert ((found.confidence > 0.5) & (found.confidence <= 1)).all()


def test_what_is_no_film_has_no_lungs() -> None:
    odd = np.stack([one.pixels for one in oddities(40, seed=7)])
    photos = np.stack([image[:400, :400].mean(axis=2).astype(np.uint8) for image in load_sample_images().images])
    blank = np.zeros((1, 64, 64), np.uint8)
    for films in (odd, photos, blank):
        found = find_lungs(films)
        assert found.found.mean() <= 0.05
        assert not found.masks[~found.found].any()


def test_the_weights_are_those_of_the_record_and_small() -> None:
    import hashlib

    record = json.loads(RECORD.read_text())
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() == record["sha256"]
    assert WEIGHTS.stat().st_size <= 4_000_000
    assert record["measured"]["dice"]["low"] < record["measured"]["dice"]["mean"] < record["measured"]["dice"]["high"]


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.skipif(not (REAL / "cidc" / "lung_masks").is_dir(), reason="the real sources are not here")
def test_the_record_says_what_is_measured() -> None:
    record = json.loads(RECORD.read_text())["measured"]
    found = measure(REAL, partial(find_lungs, weights=WEIGHTS))
    assert found["dice"]["mean"] == pytest.approx(record["dice"]["mean"], abs=0.005)
    assert found["dice"]["images"] == record["dice"]["images"]
    assert found["refused"]["CT slices"] >= 0.95
    assert found["phantom_dice"] == pytest.approx(record["phantom_dice"], abs=0.005)


class _LeftIsBright(torch.nn.Module):
    """In PSPNet's place: the left lung is what is brighter than the middle of -1024 to 1024; no other target."""

    targets = ("Heart", "Left Lung", "Right Lung")

    def __init__(self, cache_dir: str) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.load(Path(cache_dir) / WEIGHTS_NAME, weights_only=True)["gain"])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        nothing = torch.full_like(images, -1e4)
        return torch.cat([-nothing, self.gain * images, nothing], dim=1)


def test_pspnet_outlines_the_lungs_where_its_weights_are_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The U-Net's word on whether there is a film stays: of a film, half white, the white half; of noise, nothing."""
    film, noise = made_up(1, seed=7)[0].pixels, oddities(40, seed=7)[0].pixels
    assert finder() == "CovAudit's U-Net" and weights_at_hand() is None
    torch.save({"gain": torch.tensor(1.0)}, tmp_path / WEIGHTS_NAME)
    monkeypatch.setenv("COVAUDIT_WEIGHTS", str(tmp_path))
    assert weights_at_hand() is None or find_spec("torchxrayvision")
    module = ModuleType("torchxrayvision.baseline_models.chestx_det")
    module.PSPNet = _LeftIsBright  # type: ignore[attr-defined]
    package = ModuleType("torchxrayvision")
    package.__spec__ = ModuleSpec("torchxrayvision", None)
    for name, fake in (("torchxrayvision", package), ("torchxrayvision.baseline_models.chestx_det", module)):
        monkeypatch.setitem(sys.modules, name, fake)
    monkeypatch.setitem(sys.modules, "torchxrayvision.baseline_models", ModuleType("torchxrayvision.baseline_models"))
    assert finder() == "torchxrayvision's PSPNet"
    white = score_pspnet(load_pspnet(tmp_path, torch.device("cpu")), np.stack([np.full((40, 30), 200, np.uint8)] * 5))
    assert white.shape == (5, 512, 512) and white.min() > 0.99
    found = find_lungs(np.stack([film, noise]))
    assert found.found.tolist() == [True, False]
    assert dice(found.masks[0], film > 127) > 0.8
    assert dice(find_lungs(film[None], weights=WEIGHTS).masks[0], found.masks[0]) < 0.5


def test_a_patient_never_changes_sides() -> None:
    """The first 8 digits of SHA-256 of '4' are 4b227777, 0.294 of the range; of '1' 6b86b273, 0.420."""
    assert (is_held_out("4"), is_held_out("1")) == (True, False)


def test_certainty_is_the_dice_that_the_probabilities_expect() -> None:
    probability = np.array([[1.0, 0.8], [0.2, 0.0]], np.float32)
    assert certainty(probability) == pytest.approx(2 * 1.8 / (2.0 + 2))
    assert certainty(np.full((2, 2), 0.4, np.float32)) == 0


def test_a_mask_has_two_parts_at_most_no_holes_and_no_shreds() -> None:
    """At 40 px a shred is narrower than a cross of 3 px. To the cross each rectangle loses its four corners, and at the
    rectangle's edge it reaches one pixel of the shred."""
    probability = np.zeros((40, 40), np.float32)
    probability[5:30, 5:15] = probability[5:30, 22:34] = 1
    probability[10:13, 8:10] = 0
    probability[35:37, 35:37] = 1
    probability[20, 34:39] = 1
    mask = to_mask(probability, (40, 40))
    assert mask[11, 9]
    assert not mask[35:37, 35:37].any()
    assert not mask[20, 35:].any()
    assert mask.sum() == 25 * 10 - 4 + 25 * 12 - 4 + 1


@pytest.mark.parametrize(("style", "least"), [("phantom-a", 0.6), ("phantom-b", 0.8), ("phantom-e", 0.6)])
def test_markers_are_found_where_the_lungs_are_known(style: str, least: float) -> None:
    """Recall of laterality markers over ten films of 224 px, and few false ones."""
    hits, false = 0, 0
    for seed in range(10):
        drawn = phantom.render("NOR", seed, phantom.STYLES[style], 224)
        found = find_markers(drawn.image, whole_lungs(make_patient(seed), 224))
        cover = np.zeros(drawn.image.shape, bool)
        truth = np.zeros(drawn.image.shape, bool)
        for box in found:
            cover[box.top : box.bottom, box.left : box.right] = True
        for left, top, right, bottom in drawn.marker_boxes:
            truth[top:bottom, left:right] = True
        left, top, right, bottom = drawn.marker_boxes[0]
        hits += bool(cover[top:bottom, left:right].mean() > 0.5)
        false += sum(truth[box.top : box.bottom, box.left : box.right].mean() < 0.1 for box in found)
    assert hits / 10 >= least
    assert false / 10 <= 1


def test_what_a_source_says_is_never_overwritten() -> None:
    films = made_up(3, seed=3)
    pixels = np.stack([film.pixels for film in films])
    regions = np.zeros(pixels.shape, np.uint8)
    regions[0] = LUNGS_KNOWN | MARKERS_KNOWN
    regions[0, :5] |= LUNG
    found = find_regions(pixels, regions, np.array([0, 1]), resolve_device("cpu"))
    assert (found.asked, found.lungs) == (1, 1)
    assert (found.regions[0] == regions[0]).all()
    assert found.regions[1, 0, 0] & LUNGS_FOUND
    assert not found.regions[2].any()


def test_every_pixel_is_in_one_region() -> None:
    film = np.full((100, 100), 150, np.uint8)
    film[:, :10] = 0
    bits = np.full((100, 100), LUNGS_KNOWN | MARKERS_KNOWN, np.uint8)
    bits[30:70, 25:40] |= LUNG
    bits[30:70, 60:75] |= LUNG
    bits[6, 90] |= MARKER
    parts = partition(film, bits, cell=1)
    names = {
        place: REGIONS[parts[place]] for place in [(50, 30), (50, 50), (85, 50), (50, 7), (50, 1), (10, 9), (6, 90)]
    }
    assert list(names.values()) == [
        "lungs", "mediastinum", "rest of the body", "outside the body", "border", "corners", "markers and text",
    ]  # fmt: skip
