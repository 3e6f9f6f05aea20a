"""DeLong's variance of an AUROC, for independent images and for images in clusters, and of differences.

DeLong, DeLong and Clarke-Pearson 1988; fast by midranks, Sun and Xu 2014; clusters (patients), Obuchowski 1997. Each
patient's influence on the area is kept, so a mean over classes and the difference of two networks on the same patients
need nothing more than sums of influences.
"""

from math import isnan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm, rankdata

from covaudit.metrics.answers import Tested
from covaudit.metrics.intervals import LEVEL, Interval
from covaudit.metrics.keys import Floats

Z = float(norm.ppf((1 + LEVEL) / 2))


class Area(NamedTuple):
    """An AUROC and the influence (patients,) of each patient on it; their squares sum to its variance."""

    value: float
    influence: Floats

    @property
    def variance(self) -> float:
        return float(self.influence @ self.influence)


def auroc_area(score: Floats, true: NDArray[np.bool_], patient: NDArray[np.intp]) -> Area | None:
    """AUROC of finite scores (N,); `patient` numbers the clusters from 0. None with fewer than two positive or two
    negative patients."""
    n_positive, n_negative = int(true.sum()), int((~true).sum())
    if min(len(np.unique(patient[true])), len(np.unique(patient[~true]))) < 2:
        return None
    rank = rankdata(score)
    above = (rank[true] - rankdata(score[true])) / n_negative
    below = 1 - (rank[~true] - rankdata(score[~true])) / n_positive
    value = float(above.mean())
    n_patients = int(patient.max()) + 1
    influence = np.zeros(n_patients)
    for part, mine, n in ((above, patient[true], n_positive), (below, patient[~true], n_negative)):
        clusters = len(np.unique(mine))
        influence += np.bincount(mine, part - value, n_patients) / n * sqrt(clusters / (clusters - 1))
    return Area(value, influence)


def class_area(answers: Tested, index: int) -> Area | None:
    """AUROC of one class against the rest."""
    return auroc_area(answers.probability[:, index], answers.true(index), answers.patient)


def macro_area(answers: Tested) -> Area | None:
    """Mean AUROC over the classes that the images have; None where one class has none."""
    parts = [class_area(answers, index) for index in answers.present()]
    found = [part for part in parts if part is not None]
    if not found or len(found) < len(parts):
        return None
    return Area(float(np.mean([part.value for part in found])), np.mean([part.influence for part in found], axis=0))


def area_of(answers: Tested, index: int | None) -> Area | None:
    """The area of a class, or the macro one; None where probabilities are not finite."""
    if not np.isfinite(answers.probability).all():
        return None
    return macro_area(answers) if index is None else class_area(answers, index)


def delong_interval(area: Area | None, is_clustered: bool = False) -> Interval | None:
    """On the logit scale, so that it stays in [0, 1]; None where there is no variance (an AUROC of 0 or 1)."""
    # 1e-9: a perfect ranking leaves rounding errors.
    if area is None or area.variance < 1e-18 or not 1e-9 < area.value < 1 - 1e-9:
        return None
    half = Z * sqrt(area.variance) / (area.value * (1 - area.value))
    low, high = expit(logit(area.value) + np.array([-half, half]))
    return Interval(float(low), float(high), _method(is_clustered) + ", logit scale")


class AreaDifference(NamedTuple):
    """Second minus first AUROC with its 95 % interval and two-sided p."""

    value: float
    low: float
    high: float
    p_value: float
    method: str


def delong_difference(first: Area, second: Area, is_clustered: bool = False) -> AreaDifference:
    """Two networks on the same images. p is NaN where the rankings are the same."""
    value = second.value - first.value
    error = float(np.linalg.norm(second.influence - first.influence))
    p = float(2 * norm.sf(abs(value) / error)) if error > 1e-9 else float("nan")
    half = Z * error
    return AreaDifference(value, value - half, value + half, p, _method(is_clustered) + ("; same ranking" * isnan(p)))


def _method(is_clustered: bool) -> str:
    return "DeLong by patient (Obuchowski)" if is_clustered else "DeLong"
