"""Cross-validated runs side by side, by hand; only where the folds are the same."""

from math import nan

import pytest

from covaudit.domain.estimate import Estimate
from covaudit.domain.presets import PRESETS
from covaudit.reports.fold_tests import FoldTest, compare_folds, difference_words, size_ratio

SINGLE = PRESETS["demo-single"]
FOLDED = SINGLE.model_copy(update={"split": SINGLE.split.model_copy(update={"folds": 3})})


def folds(*values: float) -> list[Estimate]:
    return [Estimate(split="internal", metric="accuracy", value=v, fold=k) for k, v in enumerate(values)]


def test_the_difference_of_three_folds_by_hand():
    (one,) = compare_folds((FOLDED, FOLDED), (folds(0.5, 0.5, 0.5), folds(0.6, 0.7, 0.8)))
    # One part of three tests and one trains: variance 0.01 (1/3 + 1), Student's t with 2 degrees of freedom 4.302653.
    assert one.value == pytest.approx(0.2)
    assert one.high - one.value == pytest.approx(4.302653 * (0.01 * 4 / 3) ** 0.5, rel=1e-6)
    # With 2 degrees of freedom p is 1 - t / sqrt(t^2 + 2), here t = sqrt(3).
    assert one.p == one.p_holm == pytest.approx(1 - 3**0.5 / 5**0.5)
    assert difference_words(one) == "0.20 [−0.30, 0.70]"


def test_without_a_spread_there_is_no_interval():
    (one,) = compare_folds((FOLDED, FOLDED), (folds(0.5, 0.5, 0.5), folds(0.5, 0.5, 0.5)))
    assert difference_words(one) == "0.00 in every fold (no interval)"
    assert difference_words(FoldTest("accuracy", nan, nan, nan, nan, nan)) == "–"


@pytest.mark.parametrize("change", [{"seed": 1}, {"train": SINGLE.test}, {"split": SINGLE.split}])
def test_other_folds_are_not_compared(change):
    other = FOLDED.model_copy(update=change)
    assert compare_folds((FOLDED, other), (folds(0.5, 0.5, 0.6), folds(0.6, 0.7, 0.8))) == []
    longer = FOLDED.model_copy(update={"training": FOLDED.training.model_copy(update={"epochs": 3})})
    assert len(compare_folds((FOLDED, longer), (folds(0.5, 0.5, 0.6), folds(0.6, 0.7, 0.8)))) == 1


def test_how_much_of_a_fold_tests():
    assert size_ratio(FOLDED.model_copy(update={"split": SINGLE.split.model_copy(update={"folds": 5})})) == 1 / 3
    alone = SINGLE.split.model_copy(update={"method": "leave-one-source-out"})
    assert size_ratio(SINGLE.model_copy(update={"split": alone})) == pytest.approx(0.2 / 0.6)
