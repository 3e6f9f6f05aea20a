"""Tests that stand together: McNemar's, cell by cell too, Holm's correction, what a test could show, and the corrected
t-test of cross-validated runs."""

from collections.abc import Sequence
from math import isnan, nan, sqrt
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binomtest, norm
from scipy.stats import t as student

LEVEL = 0.95
POWER = 0.8


def exact_mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p of the exact McNemar test; 1 where the runs never differ."""
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p of a family of tests; a test without a p (NaN) is not in the family."""
    values = np.asarray(p_values, dtype=float)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    adjusted = np.full(len(values), nan)
    steps = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return [float(value) for value in adjusted]


def smallest_detectable(discordant: float, n: int) -> float:
    """The smallest difference of two shares of right answers that McNemar's test shows at 5 % with a power of 80 %, on
    `n` images (patients) of which the share `discordant` is right in one run only (Connor 1987). NaN without such
    images; never more than their share could be, which is the share itself: then no difference would be shown."""
    if not n or discordant <= 0:
        return nan
    reach, power = norm.ppf((1 + LEVEL) / 2), norm.ppf(POWER)

    def lack(difference: float) -> float:
        return float(reach * sqrt(discordant) + power * sqrt(discordant - difference**2) - difference * sqrt(n))

    # A difference is at most the discordant share, where all of it goes one way.
    return float(brentq(lack, 0.0, discordant)) if lack(discordant) < 0 else discordant


class MatrixDifference(NamedTuple):
    """Second minus first confusion matrix (K, K) on the same images, rows the truth, and Holm's p (K, K) of each cell:
    exact McNemar of the images that only one of the runs put into it."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    p_values: tuple[tuple[float, ...], ...]


def compare_matrices(left: pd.DataFrame, right: pd.DataFrame, classes: Sequence[str] | None) -> MatrixDifference:
    """From two predictions tables of the same images in the same order. Without `classes` those that occur."""
    truth = left["class_name"].astype(str).to_numpy()
    first, second = (rows["predicted"].astype(str).to_numpy() for rows in (left, right))
    names = tuple(classes) if classes else tuple(dict.fromkeys([*np.unique(truth), *np.unique([*first, *second])]))
    only_one, only_two = (_only(truth, a, b, names) for a, b in ((first, second), (second, first)))
    p = holm([exact_mcnemar(int(b), int(c)) for b, c in zip(only_one.ravel(), only_two.ravel(), strict=True)])
    k = len(names)
    return MatrixDifference(
        names,
        tuple(tuple(int(n) for n in row) for row in only_two - only_one),
        tuple(tuple(p[row * k : (row + 1) * k]) for row in range(k)),
    )


def _only(
    truth: NDArray[np.str_], here: NDArray[np.str_], there: NDArray[np.str_], names: Sequence[str]
) -> NDArray[np.int_]:
    """Counts (K, K) of images that one run put into a cell and the other did not."""
    moved = here != there
    return np.array([[int((moved & (truth == row) & (here == column)).sum()) for column in names] for row in names])


class FoldDifference(NamedTuple):
    """Second minus first, averaged over the folds, with its 95 % interval and two-sided p."""

    value: float
    low: float
    high: float
    p_value: float
    n_folds: int


def corrected_t_test(first: Sequence[float], second: Sequence[float], test_to_train: float) -> FoldDifference:
    """The corrected resampled t-test (Nadeau and Bengio 2003) of a metric over the same folds of two runs.

    `test_to_train` is the number of test images of a fold over that of its training images. It widens the variance, for
    folds share most of their training images; a plain t-test finds too many differences. p is 1 where no fold differs.
    NaN for fewer than two folds or an undefined value.
    """
    gains = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    k = len(gains)
    if k < 2 or np.isnan(gains).any():
        return FoldDifference(nan, nan, nan, nan, k)
    mean, error = float(gains.mean()), sqrt((1 / k + test_to_train) * float(gains.var(ddof=1)))
    half = float(student.ppf((1 + LEVEL) / 2, k - 1)) * error
    p = float(2 * student.sf(abs(mean) / error, k - 1)) if error else (1.0 if mean == 0 else 0.0)
    return FoldDifference(mean, mean - half, mean + half, p, k)


def p_words(p: float) -> str:
    """'p < 0.001', 'p = 0.031', 'no p'."""
    return "no p" if isnan(p) else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
