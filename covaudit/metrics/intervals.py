"""95 % intervals: Wilson's for proportions, the patient bootstrap for everything, and how two intervals are joined."""

from collections.abc import Callable, Iterator
from math import nan, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from covaudit.metrics.keys import Floats, Key, Weights

LEVEL = 0.95
N_RESAMPLES = 2_000
MIN_DEFINED = 0.9
"""A bootstrap in which fewer resamples than this share are defined says too little (a class of one or two patients)."""

_BLOCK = 300_000
"""Weights at once: what a processor's cache holds, twice as fast as what it does not."""


class Interval(NamedTuple):
    """Bounds and, in words, how they came about."""

    low: float
    high: float
    method: str


UNDEFINED = Interval(nan, nan, "undefined")


def wilson(share: float, n: int, method: str = "wilson") -> Interval:
    """Wilson's score interval of a share of `n` independent cases; never of no width, even at 0 and 1."""
    if n == 0:
        return UNDEFINED
    low, high = proportion_confint(share * n, n, alpha=1 - LEVEL, method="wilson")
    # Rounding must not put the share itself outside at 0 or 1.
    return Interval(min(float(low), share), max(float(high), share), method)


def square_and_add(value: float, parts: list[tuple[float, float, Interval]], method: str) -> Interval:
    """Interval of a weighted sum of independent values, from (weight, value, interval) of each.

    Zou and Donner, Statistics in Medicine 27 (2008) 1693 ("MOVER"); Newcombe's square-and-add for two proportions.
    """
    down = [w * (v - (i.low if w > 0 else i.high)) for w, v, i in parts]
    up = [w * ((i.high if w > 0 else i.low) - v) for w, v, i in parts]
    return Interval(value - sqrt(sum(d * d for d in down)), value + sqrt(sum(u * u for u in up)), method)


def block_rows(n: int) -> int:
    """How many resamples of n images are measured at once."""
    return max(1, _BLOCK // n)


def patient_weights(patient: NDArray[np.intp], n_resamples: int, rng: np.random.Generator) -> Iterator[Weights]:
    """Weights (r, N) in blocks, `n_resamples` rows in all: how often each image is in a resample of whole patients.

    A resample draws as many patients as there are, with replacement; an image weighs what its patient weighs.
    """
    n_patients = int(patient.max()) + 1
    block = block_rows(len(patient))
    for start in range(0, n_resamples, block):
        rows = min(block, n_resamples - start)
        drawn = rng.integers(n_patients, size=(rows, n_patients))
        drawn += np.arange(rows)[:, None] * n_patients
        times = np.bincount(drawn.ravel(), minlength=rows * n_patients).reshape(rows, n_patients)
        yield times.astype(np.float32)[:, patient]


def bootstrap(
    measure: Callable[[Weights], dict[Key, Floats]],
    patient: NDArray[np.intp],
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[Key, Floats]:
    """Every metric of `measure` on `n_resamples` patient resamples; NaN where a resample leaves it undefined."""
    blocks = [measure(weights) for weights in patient_weights(patient, n_resamples, rng)]
    return {key: np.concatenate([block[key] for block in blocks]) for key in blocks[0]}


def percentile(values: Floats, method: str) -> Interval | None:
    """The middle 95 % of the resamples; None where they say nothing: nearly all equal, or too many undefined."""
    defined = values[np.isfinite(values)]
    if len(defined) < MIN_DEFINED * len(values):
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    # 1e-9: equal metrics differ in the last bits from one resample to the next.
    return Interval(float(low), float(high), method) if high - low > 1e-9 else None


def centred(values: Floats, value: float, method: str) -> Interval | None:
    """`percentile` moved so that the median of the resamples lies on `value`, not below 0.

    For a metric that resampling makes worse by itself, as the calibration error is: repeated images look like
    miscalibrated bins, and the plain percentiles can leave out the value that they are about.
    """
    found = percentile(values, method)
    if found is None:
        return None
    shift = float(np.nanmedian(values)) - value
    return Interval(max(0.0, found.low - shift), max(value, found.high - shift), "centred " + method)


def design_effect(values: Floats, share: float, n: int) -> float:
    """How many times larger the variance of a share is, by the patient bootstrap `values`, than that of `n` independent
    images: with a design effect of 2, n images tell as much as n / 2. NaN for a share of 0 or 1."""
    variance = share * (1 - share) / n if n else 0.0
    return float(np.nanvar(values)) / variance if variance else nan


class MeanInterval(NamedTuple):
    """A mean with its 95 % interval."""

    value: float
    low: float
    high: float


def mean_interval(values: Floats, patients: NDArray[Any], seed: int, n_resamples: int = N_RESAMPLES) -> MeanInterval:
    """Patient bootstrap of the mean of `values` (N,), each in [0, 1], of images that belong to `patients` (N,).

    NaN for no value. Where the bootstrap has no width (one patient, or all alike): Wilson on the number of patients.
    """
    if not len(values):
        return MeanInterval(nan, nan, nan)
    mean = float(np.mean(values))
    patient = np.unique(patients, return_inverse=True)[1].astype(np.intp)
    key = Key("mean")

    def measure(weights: Weights) -> dict[Key, Floats]:
        return {key: (weights @ values) / weights.sum(axis=1, dtype=np.float64)}

    resampled = bootstrap(measure, patient, n_resamples, np.random.default_rng(seed))
    interval = percentile(resampled[key], "") or wilson(mean, int(patient.max()) + 1)
    return MeanInterval(mean, interval.low, interval.high)


def bootstrap_method(n_resamples: int, seed: int, kind: str = "patient bootstrap") -> str:
    return f"{kind} {n_resamples}, seed {seed}"
