"""Holm, detectable differences, cell tests and the corrected t-test, by hand and by statsmodels."""

from math import isnan, nan, sqrt

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from statsmodels.stats.multitest import multipletests

from covaudit.metrics.family import compare_matrices, corrected_t_test, exact_mcnemar, holm, smallest_detectable


@pytest.mark.parametrize("seed", range(20))
def test_holm_is_that_of_statsmodels(seed):
    p = np.random.default_rng(seed).uniform(0, 0.2, size=7).round(3)
    assert holm(p) == pytest.approx(list(multipletests(p, method="holm")[1]))


def test_holm_leaves_out_what_has_no_p():
    found = holm([0.01, nan, 0.04])
    assert (found[0], found[2]) == (0.02, 0.04) and isnan(found[1])


def test_the_detectable_difference_is_found_in_four_cases_of_five():
    n, discordant = 500, 0.2
    difference = smallest_detectable(discordant, n)
    assert 0 < difference < discordant
    # Exact power: the number of discordant images is binomial, and of these those right in the second run only.
    only_second = (discordant + difference) / 2 / discordant
    found = {d: [c for c in range(d + 1) if exact_mcnemar(d - c, c) < 0.05] for d in range(60, 141)}
    power = sum(binom.pmf(d, n, discordant) * binom.pmf(told, d, only_second).sum() for d, told in found.items())
    assert power == pytest.approx(0.8, abs=0.05)


def test_too_few_images_can_show_nothing():
    assert smallest_detectable(0.1, 10) == 0.1
    assert isnan(smallest_detectable(0.0, 100))


def test_cells_by_hand():
    left = pd.DataFrame({"class_name": list("AAAAAAAABB"), "predicted": list("AAAAAAAABA")})
    right = left.assign(predicted=list("BBBBBBBABA"))
    found = compare_matrices(left, right, ("A", "B"))
    assert found.counts == ((-7, 7), (0, 0))
    # Seven images moved, all one way: 2 / 2^7; Holm takes it four and three times.
    assert found.p_values[0] == (pytest.approx(4 * 2 / 128), pytest.approx(4 * 2 / 128))
    assert found.p_values[1] == (1.0, 1.0)


def test_the_corrected_t_test_by_hand():
    found = corrected_t_test([0.80, 0.82, 0.78, 0.81, 0.79], [0.83, 0.84, 0.82, 0.83, 0.83], 1 / 3)
    gains = np.array([0.03, 0.02, 0.04, 0.02, 0.04])
    error = sqrt((1 / 5 + 1 / 3) * gains.var(ddof=1))
    assert found.value == pytest.approx(0.03)
    assert found.high - found.value == pytest.approx(2.776445 * error, rel=1e-6)
    plain = gains.std(ddof=1) / sqrt(5)
    assert (found.high - found.value) / (2.776445 * plain) == pytest.approx(sqrt(5 * (1 / 5 + 1 / 3)), rel=1e-6)
    assert 0 < found.p_value < 0.05


def test_folds_without_a_difference_or_without_a_value():
    assert corrected_t_test([0.5, 0.6], [0.5, 0.6], 0.5).p_value == 1.0
    assert isnan(corrected_t_test([0.5, nan], [0.5, 0.6], 0.5).value)
    assert isnan(corrected_t_test([0.5], [0.6], 0.5).value)
