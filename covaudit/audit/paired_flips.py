"""Answers to films that were changed in one part, against answers to films changed as much elsewhere."""

from math import ceil, log2
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from covaudit.metrics.family import exact_mcnemar
from covaudit.metrics.intervals import mean_interval, wilson


class Effect(NamedTuple):
    """What a change did to n answers: the share that flipped with its Wilson interval, the share the control flipped,
    the mean change of the log-odds of the first answer with its patient-bootstrap interval beyond the control's, and
    McNemar's exact p of flips against the control's, `p_holm` corrected over all changes of the check."""

    change: str
    flips: int
    n: int
    value: float
    low: float
    high: float
    control: float
    log_odds: float
    log_odds_low: float
    log_odds_high: float
    p: float
    p_holm: float


def measure(
    change: str,
    flipped: NDArray[np.bool_],
    control: NDArray[np.bool_],
    shift: NDArray[np.float64],
    patients: NDArray[np.str_],
    seed: int,
) -> Effect:
    """The effect of one change on images (n,); `shift` (n,) is the change in log-odds beyond the control's."""
    n = len(flipped)
    found = wilson(float(flipped.mean()), n)
    mean = mean_interval(shift, patients, seed)
    p = exact_mcnemar(int((flipped & ~control).sum()), int((control & ~flipped).sum()))
    return Effect(
        change, int(flipped.sum()), n, float(flipped.mean()), found.low, found.high, float(control.mean()),
        mean.value, mean.low, mean.high, p, p,
    )  # fmt: skip


def corrected(effects: list[Effect]) -> list[Effect]:
    """The same effects with Holm's correction over all of them."""
    if not effects:
        return []
    adjusted = multipletests([effect.p for effect in effects], method="holm")[1]
    return [effect._replace(p_holm=float(p)) for effect, p in zip(effects, adjusted, strict=True)]


def least_visible(n: int, n_tests: int, p: float) -> float:
    """The smallest share of one-sided flips of n that the exact test, corrected over `n_tests`, would have called."""
    return min(1.0, ceil(1 + log2(n_tests / p)) / n) if n else 1.0
