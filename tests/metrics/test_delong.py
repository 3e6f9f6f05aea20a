"""DeLong's variance against MLstatkit, clusters against the bootstrap."""

import numpy as np
import pytest
from MLstatkit import Delong_test

from covaudit.metrics.answers import Answers
from covaudit.metrics.delong import auroc_area, delong_difference, delong_interval, macro_area
from covaudit.metrics.intervals import bootstrap, percentile
from covaudit.metrics.keys import Key
from covaudit.metrics.weighted import meter


def scores(seed: int, n: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.random(n) < 0.4
    common = rng.normal(size=n)
    first, second = (np.round(common + rng.normal(size=n) + skill * true, 1) for skill in (1.0, 1.6))
    return true, first, second


@pytest.mark.parametrize("seed", range(20))
def test_two_rankings_as_mlstatkit_compares_them(seed):
    true, first, second = scores(seed)
    lone = np.arange(len(true))
    ours = delong_difference(auroc_area(first, true, lone), auroc_area(second, true, lone))
    z, p = Delong_test(true.astype(int), first, second, return_ci=False, return_auc=False)[:2]
    assert ours.p_value == pytest.approx(p, rel=1e-9)
    error = (ours.high - ours.low) / (2 * 1.959963984540054)
    assert abs(ours.value / error) == pytest.approx(abs(z), rel=1e-9)


def test_repeating_each_image_for_its_patient_changes_no_variance():
    true, first, _ = scores(0)
    lone = auroc_area(first, true, np.arange(len(true)))
    twice = auroc_area(np.repeat(first, 2), np.repeat(true, 2), np.repeat(np.arange(len(true)), 2))
    assert twice.value == pytest.approx(lone.value)
    assert twice.variance == pytest.approx(lone.variance)


@pytest.mark.parametrize("images", [1, 4])
def test_the_interval_is_near_the_patient_bootstraps(images):
    rng = np.random.default_rng(4)
    patient = np.arange(300) // images
    truth = rng.integers(3, size=300)
    shift = rng.normal(size=(300 // images, 3))[patient]
    chance = np.exp(rng.normal(size=(300, 3)) + shift + 1.2 * np.eye(3)[truth])
    answers = Answers(truth, chance.argmax(axis=1), chance / chance.sum(axis=1, keepdims=True), patient)
    closed = delong_interval(macro_area(answers), images > 1)
    resampled = bootstrap(meter(answers), patient, 2000, np.random.default_rng(0))[Key("auroc")]
    other = percentile(resampled, "")
    assert (closed.low, closed.high) == pytest.approx((other.low, other.high), abs=0.012)
    assert closed.method == ("DeLong by patient (Obuchowski), logit scale" if images > 1 else "DeLong, logit scale")


def test_nothing_is_claimed_of_a_perfect_or_hardly_filled_ranking():
    true = np.array([False, False, True, True])
    assert delong_interval(auroc_area(np.arange(4.0), true, np.arange(4))) is None
    assert auroc_area(np.arange(4.0), np.array([False, False, False, True]), np.arange(4)) is None
    same = auroc_area(np.array([1.0, 3.0, 2.0, 4.0]), true, np.arange(4))
    assert np.isnan(delong_difference(same, same).p_value)
