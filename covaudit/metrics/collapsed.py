"""Intervals where the bootstrap says nothing: a network without an error resamples to 1.00 [1.00, 1.00] for ever.

Such an interval claims a certainty that the images do not give. Each metric then gets a closed form in which the number
of patients, not of images, stands for the evidence.
"""

from collections.abc import Mapping
from math import isnan, sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from covaudit.metrics.answers import Answers
from covaudit.metrics.intervals import LEVEL, UNDEFINED, Interval, square_and_add, wilson
from covaudit.metrics.weighted import PROPORTIONS, Key, images_of


def collapsed_interval(answers: Answers, key: Key, values: Mapping[Key, float]) -> Interval:
    """The interval of one metric of `values` (all metrics of the same images) without a bootstrap."""
    value = values[key]
    if isnan(value):
        return UNDEFINED
    n = answers.n_patients(images_of(answers, key))
    patients = f"{n} patient{'s' * (n != 1)}"
    # The mean of values in [0, 1] varies at most as much as a proportion does: Wilson is safe for Brier.
    if key.metric in PROPORTIONS or key.metric == "brier":
        return wilson(value, n, f"wilson, {patients}")
    if key.metric == "f1":
        return _f1_interval(value, n, f"wilson of the Jaccard index, {patients}")
    if key.metric == "balanced_accuracy":
        return _mean_sensitivity_interval(answers, values, f"square-and-add of wilson, {patients}")
    if key.class_index is None:
        return _macro_interval(answers, key, values, f"mean of the classes' intervals, {patients}")
    true = answers.truth == key.class_index
    return auroc_interval(value, answers.n_patients(true), answers.n_patients(~true), f"newcombe, {patients}")


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


def _f1_interval(value: float, n: int, method: str) -> Interval:
    # F1 = 2J / (1 + J), where J is the share of right ones among the images that are or are called the class
    # (Hand, Christen and Kirielle, Machine Learning 110 (2021) 451).
    low, high, _ = wilson(value / (2 - value), n)
    return Interval(2 * low / (1 + low), 2 * high / (1 + high), method)


def _mean_sensitivity_interval(answers: Answers, values: Mapping[Key, float], method: str) -> Interval:
    keys = [Key("sensitivity", index) for index in answers.present()]
    parts = [(1 / len(keys), values[key], collapsed_interval(answers, key, values)) for key in keys]
    return square_and_add(values[Key("balanced_accuracy")], parts, method)


def _macro_interval(answers: Answers, key: Key, values: Mapping[Key, float], method: str) -> Interval:
    metric = "f1" if key.metric == "macro_f1" else key.metric
    bounds = [collapsed_interval(answers, Key(metric, index), values) for index in answers.present()]
    return Interval(float(np.mean([b.low for b in bounds])), float(np.mean([b.high for b in bounds])), method)
