"""The interval of paper 2, kept for comparison: 1.96 sqrt(p (1 - p) / n), whatever p is."""

from math import isnan, nan, sqrt
from typing import NamedTuple

from covaudit.domain.estimate import Estimate

METHOD = "wald-paper"
APART = 0.2
"""A half-width that differs by more than this share is flagged."""


def wald_half_width(share: float, n: int) -> float:
    """Half the width of Wald's interval; NaN for no image or a value that is no share."""
    return 1.96 * sqrt(share * (1 - share) / n) if n and 0 <= share <= 1 else nan


class Wald(NamedTuple):
    """The paper's half-width for an estimate of ours, and why it misleads ("" where it does not)."""

    half_width: float
    flag: str


def as_in_paper(estimate: Estimate) -> Wald:
    """What paper 2 would print after ±, for any metric in [0, 1], with `n` the images of its denominator."""
    half, ours = wald_half_width(estimate.value, estimate.n), (estimate.high - estimate.low) / 2
    if isnan(half) or isnan(ours) or ours <= 0:
        return Wald(half, "")
    if half == 0:
        return Wald(half, "± 0 claims a certainty that no number of images gives")
    share = half / ours - 1
    if abs(share) > APART:
        return Wald(half, f"{abs(share):.0%} {'narrower' if share < 0 else 'wider'} than ours".replace("%", " %"))
    return Wald(half, "")
