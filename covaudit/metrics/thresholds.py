"""Operating points: chosen on the validation images, locked, and only then tried on the test images.

A threshold that is moved until the test looks well has seen the test. So the rules choose on validation alone, and what
`at_threshold` says of any other threshold is for looking, not for reporting.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import isnan, nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.domain.estimate import Estimate, Place
from covaudit.metrics.answers import PROBABILITY, TRUTH
from covaudit.metrics.group import Group, Plan, to_estimate
from covaudit.metrics.intervals import N_RESAMPLES, UNDEFINED, Interval, bootstrap_method, percentile
from covaudit.metrics.keys import Floats, Key
from covaudit.metrics.labels import is_multi_label

RULES: Mapping[str, str] = {
    "youden": "Youden's index",
    "sensitivity_95": "sensitivity of at least 0.95",
    "specificity_95": "specificity of at least 0.95",
}
"""How a threshold is chosen on the validation images."""
LEVEL = 0.95
TESTS = ("internal", "external")
AT_POINT = ("sensitivity", "specificity", "ppv", "npv")


def locked_estimates(
    predictions: pd.DataFrame, classes: Sequence[str], seed: int, n_resamples: int = N_RESAMPLES
) -> list[Estimate]:
    """For each class and rule: `threshold_<rule>` of split val, and `sensitivity_at_<rule>`, `specificity_at_<rule>` of
    both tests. Of two classes only the second, for the first is its mirror."""
    found: list[Estimate] = []
    val = predictions[predictions["split"] == "val"]
    for name in classes[1:] if len(classes) == 2 and not is_multi_label(predictions, classes) else classes:
        for rule, words in RULES.items():
            threshold = choose_threshold(*_scored(val, name), rule)
            why = "undefined: validation needs images of the class and of the rest, with finite probabilities"
            method = why if isnan(threshold) else f"chosen on validation: {words}"
            place = Place("val", f"threshold_{rule}", class_name=name)
            found.append(to_estimate(place, threshold, Interval(nan, nan, method), len(val)))
            for split in () if isnan(threshold) else TESTS:
                group = _group(predictions, split, name, threshold, seed, n_resamples)
                tried = group.estimates([Key("sensitivity", 1), Key("specificity", 1)])
                found += [_renamed(one, name, f"{one.metric}_at_{rule}") for one in tried]
    return found


def choose_threshold(score: Floats, true: NDArray[np.bool_], rule: str) -> float:
    """The threshold among the scores (N,) that a rule of `RULES` takes; at or above it an image counts as positive.

    Youden's index takes the best sum of sensitivity and specificity (of equals, the highest threshold); a fixed
    sensitivity the highest threshold that reaches it, a fixed specificity the lowest. NaN where it cannot be chosen.
    """
    if not len(score) or true.all() or not true.any() or not np.isfinite(score).all():
        return nan
    # Above all scores: no image is positive.
    points = np.append(np.unique(score), np.nextafter(score.max(), np.inf))
    sensitivity = (score[true][:, None] >= points).mean(axis=0)
    specificity = (score[~true][:, None] < points).mean(axis=0)
    if rule == "youden":
        both = sensitivity + specificity
        return float(points[both >= both.max() - 1e-12].max())
    if rule == "sensitivity_95":
        return float(points[sensitivity >= LEVEL].max())
    return float(points[specificity >= LEVEL].min())


def at_threshold(
    predictions: pd.DataFrame, split: str, class_name: str, threshold: float, prevalence: float | None, seed: int,
    n_resamples: int = N_RESAMPLES,
) -> list[Estimate]:  # fmt: skip
    """Sensitivity, specificity, PPV and NPV of one class against the rest on a split, answered by a threshold, and with
    a `prevalence` in (0, 1) also `ppv_at_prevalence` and `npv_at_prevalence`: what they would be where that share of
    the patients has the class."""
    group = _group(predictions, split, class_name, threshold, seed, n_resamples)
    found = [_renamed(one, class_name, one.metric) for one in group.estimates(Key(name, 1) for name in AT_POINT)]
    return found + list(_at_prevalence(group, class_name, prevalence) if prevalence is not None else ())


def _at_prevalence(group: Group, name: str, prevalence: float) -> Iterator[Estimate]:
    sensitivity, specificity = Key("sensitivity", 1), Key("specificity", 1)
    for metric in ("ppv", "npv"):
        value = float(predictive_value(metric, group.value(sensitivity), group.value(specificity), prevalence))
        interval = UNDEFINED
        if not isnan(value):
            resampled = predictive_value(metric, group.resampled[sensitivity], group.resampled[specificity], prevalence)
            method = bootstrap_method(group.plan.n_resamples, group.plan.seed)
            interval = percentile(np.asarray(resampled), method) or _corners(group, metric, prevalence)
        reason = "undefined: nothing would be called so" if group.answers.n else "undefined: no image"
        place = Place(group.place.split, f"{metric}_at_prevalence", class_name=name)
        method = reason if isnan(value) else f"{interval.method}, prevalence {prevalence:.3g}"
        yield to_estimate(place, value, interval._replace(method=method), group.answers.n)


def predictive_value(
    metric: str, sensitivity: Floats | float, specificity: Floats | float, prevalence: float
) -> Floats:
    """PPV or NPV by Bayes' rule; NaN where nobody would be called so."""
    sick, well = prevalence * np.asarray(sensitivity), (1 - prevalence) * np.asarray(specificity)
    right, wrong = (sick, 1 - prevalence - well) if metric == "ppv" else (well, prevalence - sick)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(right / (right + wrong), dtype=np.float64)


def _corners(group: Group, metric: str, prevalence: float) -> Interval:
    # Both proportions at their worst and at their best together: wider than 95 %.
    one, two = group.interval(Key("sensitivity", 1)), group.interval(Key("specificity", 1))
    low, high = (
        float(predictive_value(metric, a, b, prevalence)) for a, b in ((one.low, two.low), (one.high, two.high))
    )
    return Interval(low, high, "corners of both intervals")


def _group(predictions: pd.DataFrame, split: str, name: str, threshold: float, seed: int, n_resamples: int) -> Group:
    rows = predictions[predictions["split"] == split]
    score, true = _scored(rows, name)
    names = np.array([f"not {name}", name], dtype=object)
    kept = [column for column in ("source", "patient", "base_image", "split") if column in rows]
    table = rows[kept].assign(
        class_name=names[true.astype(int)],
        predicted=names[(score >= threshold).astype(int)],
        **{PROBABILITY + names[0]: 1 - score, PROBABILITY + names[1]: score},
    )
    return Group.of(table, Plan((names[0], name), seed, n_resamples, False), split, is_ranked=False)


def _scored(rows: pd.DataFrame, name: str) -> tuple[Floats, NDArray[np.bool_]]:
    column = TRUTH + name
    true = rows[column].to_numpy(dtype=bool) if column in rows else (rows["class_name"] == name).to_numpy(dtype=bool)
    return rows[PROBABILITY + name].to_numpy(dtype=np.float64), true


def _renamed(one: Estimate, name: str, metric: str) -> Estimate:
    return one.model_copy(update={"metric": metric, "class_name": name})
