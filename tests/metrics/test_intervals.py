"""The bootstrap against SciPy's, the closed forms against published or independent numbers, and coverage."""

from math import isnan

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import f1_score, roc_auc_score

from covaudit.metrics.answers import Answers
from covaudit.metrics.collapsed import auroc_interval
from covaudit.metrics.delong import area_of, delong_interval
from covaudit.metrics.intervals import (
    Interval,
    bootstrap,
    mean_interval,
    patient_weights,
    percentile,
    square_and_add,
    wilson,
)
from covaudit.metrics.keys import Key
from covaudit.metrics.weighted import meter


def answers_of(seed: int, n: int, k: int = 3) -> Answers:
    rng = np.random.default_rng(seed)
    truth = rng.integers(k, size=n)
    chance = rng.dirichlet(np.ones(k), size=n).round(1)
    chance[np.arange(n), truth] += 0.3
    return Answers(truth, chance.argmax(axis=1), chance, np.arange(n))


@pytest.mark.parametrize("seed", range(5))
def test_a_row_of_weights_is_the_table_with_repeated_rows(seed):
    """Weighted metrics against scikit-learn on the images repeated as often as they weigh."""
    answers = answers_of(seed, 40)
    weights = np.random.default_rng(seed).integers(0, 4, size=(6, 40))
    found = meter(answers)(weights.astype(np.float32))
    for row, times in enumerate(weights):
        truth, predicted = np.repeat(answers.truth, times), np.repeat(answers.predicted, times)
        chance = np.repeat(answers.probability, times, axis=0)
        areas = [roc_auc_score(truth == index, chance[:, index]) for index in range(3)]
        assert found[Key("auroc")][row] == pytest.approx(np.mean(areas))
        assert found[Key("macro_f1")][row] == pytest.approx(f1_score(truth, predicted, average="macro"))
        assert found[Key("accuracy")][row] == pytest.approx(np.mean(truth == predicted))


def test_a_resample_draws_as_many_patients_and_keeps_them_whole():
    patient = np.array([0, 0, 0, 1, 2, 2])
    weights = np.concatenate(list(patient_weights(patient, 500, np.random.default_rng(0))))
    assert weights.shape == (500, 6)
    assert (weights[:, [0, 3, 4]].sum(axis=1) == 3).all()
    assert (weights[:, 0] == weights[:, 2]).all() and (weights[:, 4] == weights[:, 5]).all()
    assert weights.mean() == pytest.approx(1.0, abs=0.1)


def test_blocks_are_joined_to_the_asked_number(monkeypatch):
    monkeypatch.setattr("covaudit.metrics.intervals._BLOCK", 70)
    weights = list(patient_weights(np.arange(10), 17, np.random.default_rng(0)))
    assert [len(block) for block in weights] == [7, 7, 3]


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "auroc"])
def test_the_percentile_bootstrap_is_scipys(metric):
    answers = answers_of(1, 150)
    measure = meter(answers)

    def statistic(index: np.ndarray) -> float:
        weights = np.bincount(index, minlength=150)[None].astype(np.float32)
        return float(measure(weights)[Key(metric)][0])

    theirs = scipy_bootstrap(
        (np.arange(150),), statistic, vectorized=False, n_resamples=2000, method="percentile", rng=0
    ).confidence_interval
    resampled = bootstrap(measure, answers.patient, 4000, np.random.default_rng(0))
    ours = percentile(resampled[Key(metric)], "")
    # Monte Carlo error of a 2.5 % quantile is about 3 % of the width.
    width = theirs.high - theirs.low
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.08 * width)


def test_percentile_says_nothing_where_resamples_are_alike_or_undefined():
    assert percentile(np.full(100, 0.5), "") is None
    assert percentile(np.array([np.nan] * 11 + list(range(89)), dtype=float), "") is None
    assert percentile(np.array([np.nan] * 10 + list(range(90)), dtype=float), "") is not None


def test_square_and_add_is_newcombes_difference_of_proportions():
    """Newcombe 1998, table II, 56/70 against 48/80: method 10 gives 0.0524 to 0.3339."""
    parts = [(1.0, 56 / 70, wilson(56 / 70, 70)), (-1.0, 48 / 80, wilson(48 / 80, 80))]
    found = square_and_add(56 / 70 - 48 / 80, parts, "m")
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_wilson_at_the_ends_and_for_none():
    assert wilson(1.0, 10) == (pytest.approx(10 / (10 + 1.959964**2)), 1.0, "wilson")
    assert wilson(0.0, 10).low == 0.0
    assert isnan(wilson(0.5, 0).low)


def test_auroc_interval_mirrors_and_shrinks():
    low, high, _ = auroc_interval(0.9, 30, 60, "")
    mirrored = auroc_interval(0.1, 60, 30, "")
    assert (1 - high, 1 - low) == pytest.approx((mirrored.low, mirrored.high), abs=1e-6)
    perfect = [auroc_interval(1.0, n, n, "") for n in (1, 10, 1000)]
    assert [found.high for found in perfect] == [1.0, 1.0, 1.0]
    assert perfect[0].low < perfect[1].low < perfect[2].low < 1


def test_auroc_interval_at_chance_is_near_hanley_and_mcneils():
    # At 0.5 the Hanley and McNeil variance is (n1 + n2 + 1) / (12 n1 n2), that of the Mann-Whitney test.
    low, high, _ = auroc_interval(0.5, 200, 200, "")
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(401 / (12 * 200 * 200)), rel=0.02)


def test_mean_interval_of_independent_values_is_the_normal_one():
    values = np.random.default_rng(0).beta(2, 5, size=400)
    found = mean_interval(values, np.arange(400).astype(str), seed=0)
    assert found.value == pytest.approx(values.mean())
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.06)


def test_mean_interval_of_whole_patients_is_wider_and_never_of_no_width():
    values = np.repeat(np.random.default_rng(0).random(20), 10)
    whole = mean_interval(values, np.repeat(np.arange(20), 10), seed=0)
    single = mean_interval(values, np.arange(200), seed=0)
    assert whole.high - whole.low > 2.5 * (single.high - single.low)
    alike = mean_interval(np.ones(50), np.repeat(np.arange(5), 10), seed=0)
    assert alike == (1.0, pytest.approx(wilson(1.0, 5).low), 1.0)
    assert isnan(mean_interval(np.array([]), np.array([]), seed=0).value)


def test_interval_of_a_weighted_sum_turns_with_the_sign():
    found = square_and_add(-0.5, [(-1.0, 0.5, Interval(0.4, 0.8, ""))], "")
    assert (found.low, found.high) == pytest.approx((-0.8, -0.4))


@pytest.mark.slow
@pytest.mark.parametrize(("images", "n"), [(1, 150), (3, 240)])
def test_coverage(images, n):
    """Of 400 repeated studies, 93 to 97 % of the intervals hold the truth (known from 400,000 images).

    The band is widened by two standard errors of 400 trials. Wilson is asked of single images, the bootstrap of both.
    """

    def study(rng: np.random.Generator, n: int) -> Answers:
        truth = np.repeat(rng.integers(3, size=n // images), images)
        patient = np.repeat(np.arange(n // images), images)
        logits = rng.normal(size=(n // images, 3))[patient] + 0.5 * rng.normal(size=(n, 3))
        logits[np.arange(n), truth] += 1.0
        chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return Answers(truth, chance.argmax(axis=1), chance, patient)

    rng = np.random.default_rng(12)
    large = study(rng, 400_000 // images * images)
    truth = {key: value[0] for key, value in meter(large)(np.ones((1, large.n), dtype=np.float32)).items()}
    metrics = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "brier", "auprc", "mcc", "kappa", "log_loss")
    keys = [Key(metric) for metric in metrics]
    hits = dict.fromkeys([*keys, "wilson", "delong", "delong of a class"], 0)
    trials = 400
    for _ in range(trials):
        answers = study(rng, n)
        resampled = bootstrap(meter(answers), answers.patient, 1000, rng)
        for key in keys:
            found = percentile(resampled[key], "")
            hits[key] += found.low <= truth[key] <= found.high
        for name, index in (("delong", None), ("delong of a class", 1)):
            area = delong_interval(area_of(answers, index))
            hits[name] += area.low <= truth[Key("auroc", index)] <= area.high
        found = wilson(float(np.mean(answers.truth == answers.predicted)), n)
        hits["wilson"] += found.low <= truth[Key("accuracy")] <= found.high
    if images > 1:
        assert hits.pop("wilson") / trials < 0.92, "repeated patients are what Wilson cannot know"
    for key, count in hits.items():
        assert 0.93 - 0.022 <= count / trials <= 0.97 + 0.022, key
