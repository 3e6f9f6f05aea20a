"""Thresholds by hand, and predictive values by Bayes' rule."""

from math import isnan

import numpy as np
import pandas as pd
import pytest

from covaudit.domain.estimate import Place
from covaudit.metrics.thresholds import at_threshold, choose_threshold, locked_estimates, predictive_value

SCORE = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
TRUE = np.array([0, 0, 0, 1, 0, 1, 1, 1], dtype=bool)


def test_youden_takes_the_highest_of_equal_points():
    # 0.4 gives 1 + 3/4, 0.7 gives 3/4 + 1: equal, so the higher.
    assert choose_threshold(SCORE, TRUE, "youden") == 0.7


def test_a_fixed_sensitivity_and_specificity_are_reached_on_these_images():
    assert choose_threshold(SCORE, TRUE, "sensitivity_95") == 0.4
    assert choose_threshold(SCORE, TRUE, "specificity_95") == 0.7
    mixed = np.array([0.5, 0.9])
    assert choose_threshold(mixed, np.array([True, False]), "specificity_95") > 0.9


def test_nothing_to_choose_from_is_undefined():
    assert isnan(choose_threshold(SCORE, np.ones(8, dtype=bool), "youden"))
    assert isnan(choose_threshold(np.array([0.1, np.nan]), np.array([True, False]), "youden"))


def frame() -> pd.DataFrame:
    parts = []
    for split, shift in (("val", 0.0), ("internal", 0.05)):
        rows = pd.DataFrame({"p_B": SCORE - shift, "class_name": np.where(TRUE, "B", "A")})
        parts.append(rows.assign(p_A=1 - rows["p_B"], split=split, predicted="A"))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(source="s", patient=[str(n) for n in range(16)], image_id=[str(n) for n in range(16)])


def test_the_threshold_of_validation_is_tried_on_the_test():
    found = {one.place: one for one in locked_estimates(frame(), ("A", "B"), seed=0, n_resamples=50)}
    assert found[Place("val", "threshold_youden", class_name="B")].value == 0.7
    # At 0.7 of the shifted scores only 0.75 and 0.85 are called.
    sensitivity = found[Place("internal", "sensitivity_at_youden", class_name="B")]
    assert (sensitivity.value, sensitivity.n, sensitivity.method) == (0.5, 4, "wilson")
    assert found[Place("internal", "specificity_at_youden", class_name="B")].value == 1
    assert isnan(found[Place("external", "sensitivity_at_youden", class_name="B")].value)
    assert not [place for place in found if place.class_name == "A"]


def test_predictive_values_at_a_prevalence():
    # Of 1,000 with 10 sick: 9 found, 99 false alarms.
    assert predictive_value("ppv", 0.9, 0.9, 0.01) == pytest.approx(9 / 108)
    assert predictive_value("npv", 0.9, 0.9, 0.01) == pytest.approx(891 / 892)
    found = {one.metric: one for one in at_threshold(frame(), "val", "B", 0.4, 0.5, seed=0, n_resamples=200)}
    assert found["sensitivity"].value == 1 and found["specificity"].value == 0.75
    assert found["ppv_at_prevalence"].value == pytest.approx(0.8)
    assert found["ppv_at_prevalence"].low < 0.8 < found["ppv_at_prevalence"].high
    assert found["npv_at_prevalence"].value == 1 and found["npv_at_prevalence"].low < 1
    assert found["npv_at_prevalence"].method == "corners of both intervals, prevalence 0.5"
    nobody = {one.metric: one for one in at_threshold(frame(), "val", "B", 2.0, 0.5, seed=0, n_resamples=50)}
    assert isnan(nobody["ppv_at_prevalence"].value) and nobody["npv_at_prevalence"].value == 0.5
