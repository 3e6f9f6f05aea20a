"""Answers to films that were changed in one part, against answers to films changed as much elsewhere."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from covaudit.audit import rules
from covaudit.metrics.family import exact_mcnemar, holm
from covaudit.metrics.intervals import Interval, MeanInterval, mean_interval, square_and_add, wilson


class Effect(NamedTuple):
    """What a change did to n answers: the share that flipped with its Wilson interval, the share the control flipped,
    how much more the change flipped with an interval that is the wider for leaving the pairing out (square-and-add),
    the mean change of the log-odds of the first answer with its patient-bootstrap interval beyond the control's, and
    McNemar's exact p of flips against the control's, `p_holm` corrected over all changes of the check."""

    change: str
    flips: int
    n: int
    value: float
    low: float
    high: float
    control: float
    beyond: float
    beyond_low: float
    beyond_high: float
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
    beyond = _beyond(int(flipped.sum()), int(control.sum()), n)
    mean = mean_interval(shift, patients, seed) if np.ptp(shift) else MeanInterval(*[float(shift[0])] * 3)
    p = exact_mcnemar(int((flipped & ~control).sum()), int((control & ~flipped).sum()))
    return Effect(
        change, int(flipped.sum()), n, float(flipped.mean()), found.low, found.high, float(control.mean()),
        float(flipped.mean() - control.mean()), beyond.low, beyond.high, mean.value, mean.low, mean.high, p, p,
    )  # fmt: skip


def corrected(effects: list[Effect]) -> list[Effect]:
    """The same effects with Holm's correction over all of them."""
    return [one._replace(p_holm=p) for one, p in zip(effects, holm([one.p for one in effects]), strict=True)]


def least_visible(n: int, n_tests: int) -> float:
    """The smallest share of n answers that, flipped by a change and none by its control, would be called by the exact
    test, corrected over `n_tests`."""
    for flips in range(1, n + 1):
        is_seen = exact_mcnemar(flips, 0) * n_tests < rules.COUNTERFACTUAL_P
        if is_seen and flips / n > rules.FLIP_WARNING:
            return flips / n
    return 1.0


def least_called(n: int) -> float:
    """The smallest share of n answers that, changed where nothing but the acquisition is, would be called."""
    return next((k / n for k in range(1, n + 1) if wilson(k / n, n).low > rules.FLIP_WARNING), 1.0)


def _beyond(flips: int, by_control: int, n: int) -> Interval:
    parts = [(sign, k / n, wilson(k / n, n)) for sign, k in ((1.0, flips), (-1.0, by_control))]
    return square_and_add((flips - by_control) / n, parts, "")
