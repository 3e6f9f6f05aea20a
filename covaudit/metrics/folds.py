"""The folds of a cross-validated run: mean and spread over the folds, beside the number of all folds pooled."""

from collections.abc import Sequence
from math import isnan, nan, sqrt

import numpy as np
from scipy.stats import t as student

from covaudit.domain.estimate import Estimate, Place
from covaudit.metrics.intervals import LEVEL

MEAN, SPREAD = "mean of folds: ", "sd over folds: "
"""Prefixes of the metric: "mean of folds: accuracy"."""


def gather_folds(folds: Sequence[Sequence[Estimate]], pooled: Sequence[Estimate]) -> list[Estimate]:
    """All estimates of a cross-validated run: `pooled` first, then the mean and the standard deviation over the folds
    of each overall and per-class metric, then the estimates of each fold with its number from 0.

    `folds` are what `metrics.scores.evaluate` says of each fold's predictions, `pooled` what it says of all folds'
    predictions together. The mean's interval is Student's over the folds, which calls folds independent although they
    share most of their training images: too narrow, and its method says so; where all folds have one value there is
    none. The standard deviation is that of a sample (n - 1), as papers print it after +/-; it describes and is no
    interval. A metric that is undefined in a fold has neither, and its method says in which.
    """
    found = [*pooled]
    tables = [{one.place: one for one in fold} for fold in folds]
    for place in dict.fromkeys(place for table in tables for place in table):
        if place.source is None and place.group is None and place.baseline is None:
            found += _over_folds(place, [table.get(place) for table in tables])
    for number, fold in enumerate(folds):
        found += [one.model_copy(update={"fold": number}) for one in fold]
    return found


def _over_folds(place: Place, parts: Sequence[Estimate | None]) -> list[Estimate]:
    n = sum(part.n for part in parts if part)
    missing = [str(number) for number, part in enumerate(parts) if part is None or not part.is_defined]
    if missing or len(parts) < 2:
        reason = f"undefined in fold {', '.join(missing)}" if missing else "undefined: there is one fold"
        return [_estimate(place, prefix, nan, nan, n, reason) for prefix in (MEAN, SPREAD)]
    values = np.array([part.value for part in parts if part])
    mean, spread = float(values.mean()), float(values.std(ddof=1))
    half = float(student.ppf((1 + LEVEL) / 2, len(values) - 1)) * spread / sqrt(len(values)) if spread else nan
    method = f"Student's t over {len(values)} folds, too narrow: the folds share training images"
    if not spread:
        method = f"no interval: the {len(values)} folds have one value, which says nothing of others"
    return [
        _estimate(place, MEAN, mean, half, n, method),
        _estimate(place, SPREAD, spread, nan, n, f"standard deviation over {len(values)} folds, no interval"),
    ]


def _estimate(place: Place, prefix: str, value: float, half: float, n: int, method: str) -> Estimate:
    bounds = (nan, nan) if isnan(half) else (value - half, value + half)
    return Estimate.model_validate(
        {
            "split": place.split,
            "class": place.class_name,
            "metric": prefix + place.metric,
            "value": value,
            "low": bounds[0],
            "high": bounds[1],
            "n": n,
            "method": method,
        }
    )
