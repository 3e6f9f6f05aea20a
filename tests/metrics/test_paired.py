"""Two runs on shared images: McNemar by hand and statsmodels, differences against SciPy, and what is refused."""

from math import isnan

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from statsmodels.stats.contingency_tables import mcnemar

from covaudit.errors import CovauditError
from covaudit.metrics.family import exact_mcnemar
from covaudit.metrics.paired import compare_pair

AB = ("A", "B")
# Right by both 5, by the first only 4, by the second only 1, by neither 2.
FIRST = [("A", "A")] * 3 + [("B", "B")] * 2 + [("A", "A")] * 2 + [("B", "B")] * 2 + [("A", "B")] + [("B", "A")] * 2
SECOND = [("A", "A")] * 3 + [("B", "B")] * 2 + [("A", "B")] * 2 + [("B", "A")] * 2 + [("A", "A")] + [("B", "A")] * 2


@pytest.mark.parametrize(("b", "c"), [(4, 1), (0, 6), (12, 30), (5, 5), (1, 0)])
def test_mcnemar_is_that_of_statsmodels(b, c):
    assert exact_mcnemar(b, c) == pytest.approx(mcnemar([[7, b], [c, 3]], exact=True).pvalue)


def test_mcnemar_without_a_discordant_image():
    assert exact_mcnemar(0, 0) == 1.0


def test_counts_by_hand(table):
    found = compare_pair(table(FIRST), table(SECOND), AB, seed=0, n_resamples=100)
    assert (found.n, found.n_patients) == (12, 12)
    assert (found.both_right, found.only_first, found.only_second, found.neither) == (5, 4, 1, 2)
    # Two-sided binomial of 4 in 5: 2 * (1 + 5) / 32.
    assert found.p_value == pytest.approx(12 / 32)
    assert found.p_method == "exact McNemar"
    accuracy = found.differences[0]
    assert accuracy.metric == "accuracy" and accuracy.value == pytest.approx(-3 / 12)
    assert found.first["balanced_accuracy"] == pytest.approx((5 / 6 + 4 / 6) / 2)


def test_the_interval_of_the_difference_is_scipys_paired_one(random_table):
    one, two = random_table(0, 300, 3, skill=2.0), random_table(0, 300, 3, skill=1.5)
    found = compare_pair(one, two, "012", seed=0, n_resamples=4000).differences[0]
    gain = (two.predicted == two.class_name).astype(float) - (one.predicted == one.class_name).astype(float)
    theirs = scipy_bootstrap((gain.to_numpy(),), np.mean, method="percentile", n_resamples=4000, rng=0)
    low, high = theirs.confidence_interval
    assert found.value == pytest.approx(gain.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.08 * (high - low))
    assert found.method == "paired patient bootstrap 4000, seed 0"


def test_only_shared_images_count_in_any_order(table):
    second = table(SECOND).iloc[::-1].iloc[:9]
    found = compare_pair(table(FIRST), second, AB, seed=0, n_resamples=20)
    assert found.n == 9
    assert (found.only_first, found.only_second) == (4, 1)


def test_the_same_id_in_another_source_is_another_image(table):
    with pytest.raises(CovauditError, match=r"share no test image \(12 and 12 images in internal or external\)"):
        compare_pair(table(FIRST, source="s"), table(SECOND, source="t"), AB, seed=0)


def test_an_image_that_one_run_trained_on_is_not_shared(table):
    second = table(SECOND)
    second.loc[:5, "split"] = "train"
    assert compare_pair(table(FIRST), second, AB, seed=0, n_resamples=20).n == 6
    with pytest.raises(CovauditError, match="share no test image"):
        compare_pair(table(FIRST), second.assign(split="val"), AB, seed=0)


def test_a_given_split_must_be_that_of_both(table):
    second = table(SECOND)
    second.loc[:3, "split"] = "external"
    assert compare_pair(table(FIRST), second, AB, seed=0, n_resamples=20).n == 12
    assert compare_pair(table(FIRST), second, AB, seed=0, split="internal", n_resamples=20).n == 8


def test_another_truth_of_the_same_image_is_refused(table):
    second = table(SECOND)
    second.loc[0, "class_name"] = "B"
    with pytest.raises(CovauditError, match=r"In 1 of 12 shared images .* internal-0 is A and B"):
        compare_pair(table(FIRST), second, AB, seed=0)


def test_repeated_patients_are_said_and_widen_the_interval(table):
    patients = [f"p{n // 6}" for n in range(60)]
    order = np.argsort([n % 12 for n in range(60)], kind="stable")
    first, second = ([rows[n % 12] for n in order] for rows in (FIRST, SECOND))
    single = compare_pair(table(first), table(second), AB, seed=0)
    whole = compare_pair(table(first, patients=patients), table(second, patients=patients), AB, seed=0)
    assert whole.p_method.startswith("exact McNemar; optimistic")
    assert whole.n_patients == 10
    width = [found.differences[0].high - found.differences[0].low for found in (single, whole)]
    assert width[1] > 1.5 * width[0]


def test_equal_answers_leave_doubt(table):
    found = compare_pair(table(FIRST), table(FIRST), AB, seed=0, n_resamples=100)
    accuracy = found.differences[0]
    assert found.p_value == 1.0 and accuracy.value == 0
    assert accuracy.low < -0.1 and accuracy.high > 0.1
    assert accuracy.method == "square-and-add of both intervals, unpaired"


def test_one_class_only_has_no_balanced_difference(table):
    rows = [("A", "A"), ("A", "B"), ("A", "A")]
    found = compare_pair(table(rows), table(rows[::-1]), AB, seed=0, n_resamples=50)
    balanced = found.differences[1]
    assert balanced.metric == "balanced_accuracy" and isnan(balanced.value) and isnan(balanced.low)
    assert balanced.method == "undefined"


def test_row_names_do_not_matter(table):
    first = table(FIRST)
    first.index = pd.Index([0] * 12)
    assert compare_pair(first, table(SECOND), AB, seed=0, n_resamples=20).n == 12
