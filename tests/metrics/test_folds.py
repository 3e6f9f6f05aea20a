"""Mean and spread over folds, by hand."""

from math import isnan, nan, sqrt

import pytest

from covaudit.domain.estimate import Estimate
from covaudit.metrics.folds import MEAN, SPREAD, gather_folds


def one(value: float, n: int = 10, **place: str) -> Estimate:
    return Estimate.model_validate({"split": "internal", "metric": "accuracy", "value": value, "n": n, **place})


def by_metric(found: list[Estimate], metric: str) -> Estimate:
    (only,) = [item for item in found if item.metric == metric and item.fold is None]
    return only


def test_mean_and_spread_stand_beside_the_pooled_number():
    folds = [[one(0.8)], [one(0.9)], [one(1.0)]]
    found = gather_folds(folds, [one(0.905, 30)])
    assert found[0].value == 0.905 and found[0].fold is None
    mean, spread = by_metric(found, MEAN + "accuracy"), by_metric(found, SPREAD + "accuracy")
    assert (mean.value, mean.n) == (pytest.approx(0.9), 30)
    assert spread.value == pytest.approx(0.1) and isnan(spread.low) and "no interval" in spread.method
    # Student's t with 2 degrees of freedom: 4.303.
    assert mean.high - mean.value == pytest.approx(4.302653 * 0.1 / sqrt(3), rel=1e-6)
    assert "too narrow" in mean.method
    assert [(item.value, item.fold) for item in found if item.fold is not None] == [(0.8, 0), (0.9, 1), (1.0, 2)]


def test_a_fold_without_a_value_leaves_the_mean_undefined():
    mean = by_metric(gather_folds([[one(0.8)], [one(nan, 0)]], []), MEAN + "accuracy")
    assert isnan(mean.value) and mean.method == "undefined in fold 1"


def test_sources_groups_and_baselines_are_kept_by_fold_only():
    fold = [one(0.8, source="s"), one(0.7, group="sex: F"), one(0.6, baseline="majority"), one(0.5, **{"class": "A"})]
    found = gather_folds([fold, fold], [])
    means = [item for item in found if item.metric.startswith(MEAN)]
    assert [item.class_name for item in means] == ["A"]
    assert len([item for item in found if item.fold == 1]) == 4


def test_no_two_estimates_have_the_same_place():
    fold = [one(0.8), one(0.5, **{"class": "A"})]
    found = gather_folds([fold, fold], fold)
    assert len({item.place for item in found}) == len(found)
