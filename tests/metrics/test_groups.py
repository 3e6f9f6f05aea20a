"""Groups of images, augmented copies, multi-label runs, design effect."""

from math import isnan

import numpy as np
import pandas as pd
import pytest

from covaudit.domain.estimate import Place
from covaudit.metrics.answers import read_patients
from covaudit.metrics.attributes import age_bands, groups_of
from covaudit.metrics.scores import evaluate


def at(estimates, split, metric, **place):
    (found,) = [one for one in estimates if one.place == Place(split, metric, **place)]
    return found


def test_age_bands():
    years = pd.Series([0, 17.9, 18, 39, 40, 79.5, 80, 101, np.nan])
    assert list(age_bands(years)) == [
        "0-17", "0-17", "18-39", "18-39", "40-59", "60-79", "80 or more", "80 or more", "not known",
    ]  # fmt: skip


def test_an_attribute_with_one_value_makes_no_group():
    rows = pd.DataFrame({"sex": ["F", "F", "M"], "view": ["PA"] * 3, "age": [np.nan] * 3})
    assert [(name, len(part)) for name, part in groups_of(rows)] == [("sex: F", 2), ("sex: M", 1)]


def test_rare_views_are_put_together():
    rows = pd.DataFrame({"view": [*"AAABBBCCCDDDEEE", "F", "G"]})
    assert {name: len(part) for name, part in groups_of(rows)} == {
        "view: A": 3, "view: B": 3, "view: C": 3, "view: D": 3, "view: E": 3, "view: other": 2,
    }  # fmt: skip


def test_groups_are_measured_by_hand(table):
    rows = table([("A", "A")] * 6 + [("B", "B")] * 4 + [("A", "B")] * 2).assign(sex=["F"] * 6 + ["M"] * 6)
    estimates = evaluate(rows, ("A", "B"), seed=0, n_resamples=50)
    assert at(estimates, "internal", "accuracy", group="sex: F").value == 1
    men = at(estimates, "internal", "accuracy", group="sex: M")
    assert (men.value, men.n) == (pytest.approx(4 / 6), 6)
    assert at(estimates, "internal", "sensitivity", group="sex: M", class_name="A").value == 0
    assert isnan(at(estimates, "internal", "auroc", group="sex: F").value)
    assert len({one.place for one in estimates}) == len(estimates)


def test_copies_of_an_image_are_one_patients():
    rows = pd.DataFrame({"source": "s", "patient": list("abcdef"), "base_image": ["1", "1", None, "2", None, "2"]})
    patients = read_patients(rows)
    assert patients[0] == patients[1] and patients[3] == patients[5]
    assert len(set(patients)) == 4


def test_twelve_copies_of_twelve_films_are_twelve_films(table):
    """Paper 2, experiment B: 11 of 12 base images right in all their 12 copies is no 91.67 +/- 4.51 of 144."""
    rows = table([("B", "B")] * 132 + [("B", "A")] * 12 + [("A", "A")] * 50)
    copies = [f"film-{n // 12}" for n in range(144)] + [None] * 50
    plain = at(evaluate(rows, ("A", "B"), 0), "internal", "sensitivity", class_name="B")
    honest = at(evaluate(rows.assign(base_image=copies), ("A", "B"), 0), "internal", "sensitivity", class_name="B")
    assert plain.value == honest.value == pytest.approx(11 / 12)
    assert plain.high - plain.low < 0.1 < 0.25 < honest.high - honest.low
    effect = at(evaluate(rows.assign(base_image=copies), ("A", "B"), 0), "internal", "design_effect")
    # Whole films of 12 answers all alike: each of the 144 copies tells a twelfth; the 50 others tell all.
    assert 5 < effect.value < 13


def test_a_multi_label_run_is_measured_by_its_labels():
    truth = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 1]])
    chance = np.array([[0.9, 0.1, 0.1], [0.9, 0.6, 0.1], [0.2, 0.8, 0.3], [0.1, 0.9, 0.4]])
    names = ("Normal", "Pneumonia", "Virus")
    columns = {f"p_{name}": chance[:, k] for k, name in enumerate(names)}
    columns |= {f"t_{name}": truth[:, k].astype("int8") for k, name in enumerate(names)}
    rows = pd.DataFrame(
        {"source": "s", "image_id": list("abcd"), "patient": list("abcd"), "split": "internal", **columns}
    )
    rows = rows.assign(class_name=["x"] * 4, predicted=["x"] * 4)
    estimates = evaluate(rows, names, seed=0, n_resamples=50)
    assert at(estimates, "internal", "exact_match").value == 0.5
    assert at(estimates, "internal", "hamming_loss").value == pytest.approx(2 / 12)
    assert at(estimates, "internal", "contradictions").value == 0.25
    # One image was given Normal and Pneumonia; labels that the task lacks cannot contradict each other.
    assert at(estimates, "internal", "normal_and_pneumonia").value == 0.25
    assert not [one for one in estimates if one.metric == "virus_and_bacteria"]
    virus = at(estimates, "internal", "ppv", class_name="Virus")
    assert isnan(virus.value) and virus.method == "undefined: no image was given Virus"
    assert at(estimates, "internal", "sensitivity", class_name="Virus").value == 0
    assert at(estimates, "internal", "exact_match").method == "wilson"
    assert at(estimates, "gap", "exact_match").method == "undefined: no image (external)"
