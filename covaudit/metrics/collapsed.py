"""Intervals where the bootstrap says nothing: a network without an error resamples to 1.00 [1.00, 1.00] for ever.

Such an interval claims a certainty that the images do not give. Each metric then gets a closed form in which the number
of patients, not of images, stands for the evidence.
"""

from collections.abc import Mapping
from math import isnan, nan, sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from covaudit.metrics.answers import Tested, n_patients
from covaudit.metrics.intervals import LEVEL, UNDEFINED, Interval, square_and_add, wilson
from covaudit.metrics.keys import AVERAGED, Key

_SHARES = frozenset(
    {"accuracy", "sensitivity", "specificity", "ppv", "npv", "weighted_sensitivity", "micro_f1", "micro_ppv"}
    | {"micro_sensitivity", "exact_match", "contradictions"}
)
# The mean of values in [0, 1] varies at most as much as a proportion does: Wilson is safe for these.
_MEANS = frozenset({"brier", "ece", "hamming_loss"})


def collapsed_interval(answers: Tested, key: Key, values: Mapping[Key, float]) -> Interval:
    """The interval of one metric of `values` (all metrics of the same images) without a bootstrap."""
    value = values[key]
    if isnan(value):
        return UNDEFINED
    n = n_patients(answers, answers.images_of(key))
    patients = f"{n} patient{'s' * (n != 1)}"
    average, _, metric = key.metric.partition("_")
    if key.metric in _SHARES or key.metric in _MEANS:
        return wilson(value, n, f"wilson, {patients}")
    if key.metric in ("mcc", "kappa"):
        return _agreement_interval(answers, value, values[Key("accuracy")], n, f"wilson of the accuracy, {patients}")
    if key.metric == "balanced_accuracy":
        return _mean_sensitivity_interval(answers, values, f"square-and-add of wilson, {patients}")
    if average in ("macro", "weighted") and metric in AVERAGED:
        return _mean_interval(answers, metric, average, values, f"mean of the classes' intervals, {patients}")
    if key.class_index is not None:
        return _class_interval(answers, key.metric, key.class_index, value, n, patients)
    if key.metric in ("auroc", "auprc"):
        return _mean_interval(answers, key.metric, "macro", values, f"mean of the classes' intervals, {patients}")
    return Interval(nan, nan, f"no interval: nothing varies, {patients}")


def _class_interval(answers: Tested, metric: str, index: int, value: float, n: int, patients: str) -> Interval:
    true = answers.true(index)
    if metric == "f1":
        return _f1_interval(value, n, f"wilson of the Jaccard index, {patients}")
    if metric == "auprc":
        # A mean over the positives of values in [0, 1].
        positive = n_patients(answers, true)
        return wilson(value, positive, f"wilson, {positive} patient{'s' * (positive != 1)} of the class")
    return auroc_interval(value, n_patients(answers, true), n_patients(answers, ~true), f"newcombe, {patients}")


def auroc_interval(value: float, n_positive: int, n_negative: int, method: str) -> Interval:
    """Newcombe's score interval of an AUROC, method 5 of Statistics in Medicine 25 (2006) 559."""
    z = float(norm.ppf((1 + LEVEL) / 2))
    half = (n_positive + n_negative) / 2 - 1

    def excess(theta: float) -> float:
        spread = theta * (1 - theta) * (1 + half * ((1 - theta) / (2 - theta) + theta / (1 + theta)))
        return abs(value - theta) - z * sqrt(spread / (n_positive * n_negative))

    # The value itself is a root as well when it is 0 or 1, but not a bound: stay a step away from it.
    step = 1e-9
    low = float(brentq(excess, 0.0, value - step)) if value > step else 0.0
    high = float(brentq(excess, value + step, 1.0)) if value < 1 - step else 1.0
    return Interval(low, high, method)


def _agreement_interval(answers: Tested, value: float, accuracy: float, n: int, method: str) -> Interval:
    # Kappa = (accuracy - chance) / (1 - chance), linear in the accuracy while the margins stay; MCC is the same where
    # truth and prediction have the same margins, as they do without an error.
    low, high, _ = wilson(accuracy, n)
    slope = 1 / (1 - sum(float(answers.true(index).mean()) ** 2 for index in answers.present()))
    return Interval(max(-1.0, value - slope * (accuracy - low)), min(1.0, value + slope * (high - accuracy)), method)


def _f1_interval(value: float, n: int, method: str) -> Interval:
    # F1 = 2J / (1 + J), where J is the share of right ones among the images that are or are called the class
    # (Hand, Christen and Kirielle, Machine Learning 110 (2021) 451).
    low, high, _ = wilson(value / (2 - value), n)
    return Interval(2 * low / (1 + low), 2 * high / (1 + high), method)


def _mean_sensitivity_interval(answers: Tested, values: Mapping[Key, float], method: str) -> Interval:
    keys = [Key("sensitivity", index) for index in answers.present()]
    parts = [(1 / len(keys), values[key], collapsed_interval(answers, key, values)) for key in keys]
    return square_and_add(values[Key("balanced_accuracy")], parts, method)


def _mean_interval(answers: Tested, metric: str, average: str, values: Mapping[Key, float], method: str) -> Interval:
    present = answers.present()
    bounds = [collapsed_interval(answers, Key(metric, index), values) for index in present]
    weights = [1.0 if average == "macro" else float(answers.true(index).sum()) for index in present]
    return Interval(
        float(np.average([b.low for b in bounds], weights=weights)),
        float(np.average([b.high for b in bounds], weights=weights)),
        method,
    )
