"""Baselines that must win where a shortcut was planted, and be at chance where there is none."""

from math import isnan

import numpy as np
import pandas as pd
import pytest

from covaudit.domain.baselines import BASELINES, LEAD
from covaudit.domain.estimate import Estimate, Place
from covaudit.metrics.baselines import answer_baselines, score_baselines
from covaudit.metrics.features import metadata_features, thumbnail_features

CLASSES = ("NOR", "CVP")


def world(tie: str, n: int = 240, seed: int = 0):
    """Samples, pixels and predictions of a network that is right in 70 %. `tie` is what gives the class away in train
    and internal: "source", "width", "corner", or "" for nothing. External images come from a source never seen."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=n)
    split = np.where(np.arange(n) < n // 2, "train", np.where(np.arange(n) < 3 * n // 4, "internal", "external"))
    side = truth if tie else rng.integers(2, size=n)
    pixels = rng.integers(100, 140, size=(n, 32, 32)).astype(np.uint8)
    if tie == "corner":
        # As bright for either class: only where it is tells.
        pixels[truth == 1, :4, :4] = pixels[truth == 0, -4:, -4:] = 250
    source = np.where(side == 1, "b", "a") if tie == "source" else rng.choice(["a", "b"], size=n)
    samples = pd.DataFrame(
        {
            "source": np.where(split == "external", "c", source),
            "image_id": [str(number) for number in range(n)],
            "patient": [str(number) for number in range(n)],
            "class_name": np.asarray(CLASSES)[truth],
            "split": split,
            "width": np.where(side == 1, 900, 700) if tie == "width" else 800,
            "height": 800,
            "path": "x.png",
            "sex": rng.choice(["F", "M"], size=n),
        }
    )
    answer = np.where(rng.random(n) < 0.7, truth, 1 - truth)
    rows = samples.assign(predicted=np.asarray(CLASSES)[answer], sample_row=np.arange(n))
    rows["p_CVP"] = np.where(answer == 1, 0.8, 0.2)
    rows["p_NOR"] = 1 - rows["p_CVP"]
    return samples, pixels, rows[rows["split"] != "train"].reset_index(drop=True)


def scored(tie: str) -> dict[tuple[str, str, str | None], Estimate]:
    samples, pixels, predictions = world(tie)
    answered = answer_baselines(samples, pixels, predictions, CLASSES)
    found = score_baselines(predictions, answered, CLASSES, seed=0, n_resamples=300)
    assert len({one.place for one in found}) == len(found)
    return {(one.split, one.metric, one.baseline): one for one in found}


@pytest.mark.parametrize(("tie", "reader"), [("source", "source"), ("width", "metadata"), ("corner", "thumbnail")])
def test_a_planted_shortcut_is_read_by_its_baseline_alone(tie, reader):
    found = scored(tie)
    for name in BASELINES:
        value = found["internal", "balanced_accuracy", name].value
        assert value == 1.0 if name == reader else value < 0.7, name
    lead = found["internal", LEAD + "balanced_accuracy", reader]
    assert lead.high < 0 and "paired patient bootstrap" in lead.method


def test_without_a_shortcut_the_network_leads_all_of_them():
    found = scored("")
    for name in BASELINES:
        assert abs(found["internal", "balanced_accuracy", name].value - 0.5) < 0.17, name
        assert found["internal", LEAD + "balanced_accuracy", name].n == 60
    assert found["internal", "balanced_accuracy", "majority"].value == 0.5
    assert found["internal", LEAD + "balanced_accuracy", "majority"].low > 0


def test_a_source_never_seen_says_nothing():
    assert scored("source")["external", "balanced_accuracy", "source"].value == 0.5


def test_the_lead_is_the_difference_of_both():
    predictions = world("corner")[2]
    found = scored("corner")
    internal = predictions[predictions["split"] == "internal"]
    truth, answer = internal["class_name"], internal["predicted"]
    network = np.mean([np.mean(answer[truth == name] == name) for name in CLASSES])
    lead, baseline = (
        found["internal", metric, "thumbnail"] for metric in (LEAD + "balanced_accuracy", "balanced_accuracy")
    )
    assert lead.value == pytest.approx(network - baseline.value)


def test_a_constant_predictor_is_seen():
    samples, pixels, predictions = world("")
    constant = predictions.assign(predicted="NOR")
    answered = answer_baselines(samples, pixels, constant, CLASSES)
    found = score_baselines(constant, answered, CLASSES, seed=0, n_resamples=50)
    assert [one.value for one in found if one.metric == "same_answer_share"] == [1.0, 1.0]


def test_without_an_external_test_its_numbers_are_undefined():
    samples, pixels, predictions = world("")
    predictions = predictions[predictions["split"] == "internal"]
    answered = answer_baselines(samples, pixels, predictions, CLASSES)
    found = score_baselines(predictions, answered, CLASSES, seed=0, n_resamples=50)
    external = [one for one in found if one.split == "external"]
    assert all(isnan(one.value) and one.n == 0 for one in external)


def test_folds_are_pooled_by_putting_the_tables_together():
    parts = [world("corner", seed=seed) for seed in (1, 2)]
    answered = [answer_baselines(*part, CLASSES) for part in parts]
    pooled = pd.concat([part[2] for part in parts])
    found = score_baselines(pooled, pd.concat(answered), CLASSES, seed=0, n_resamples=50)
    place = Place("internal", "balanced_accuracy", baseline="thumbnail")
    (best,) = [one for one in found if one.place == place]
    assert (best.value, best.n) == (1.0, 120)


def test_of_label_sets_the_exact_match_is_measured():
    samples, pixels, predictions = world("corner")
    truth = (predictions["class_name"] == "CVP").astype("int8")
    predictions = predictions.assign(t_NOR=1 - truth, t_CVP=truth)
    predictions.loc[0, "predicted"] = "NOR+CVP"
    answered = answer_baselines(samples, pixels, predictions, CLASSES)
    found = score_baselines(predictions, answered, CLASSES, seed=0, n_resamples=50)
    assert {one.metric for one in found} == {"same_answer_share", "exact_match", LEAD + "exact_match"}
    place = Place("internal", LEAD + "exact_match", baseline="thumbnail")
    (lead,) = [one for one in found if one.place == place]
    internal = predictions[predictions["split"] == "internal"]
    assert lead.value == pytest.approx((internal["class_name"] == internal["predicted"]).mean() - 1)


def test_features_by_hand():
    pixels = np.zeros((1, 32, 32), dtype=np.uint8)
    pixels[0, :2, :2] = 64
    (row,) = thumbnail_features(pixels, np.array([0]))
    assert row.shape == (256,) and row[0] == pytest.approx(64 - 64 / 256) and row[1] == pytest.approx(-64 / 256)
    rows = pd.DataFrame({"width": [200], "height": [100], "age": [np.nan], "path": ["a/b.PNG"]})
    (row,) = metadata_features(rows, pixels, np.array([0]))
    mean = 4 * 64 / 1024
    spread = np.sqrt(4 * 64**2 / 1024 - mean**2)
    assert list(row) == pytest.approx([mean, spread, 2.0, 200, 0, 100, 0, 0, 1, 1])
