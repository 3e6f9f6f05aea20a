"""Curves behind the numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from covaudit.metrics.answers import read_answers
from covaudit.metrics.keys import Floats

MAX_POINTS = 500


class RocCurve(NamedTuple):
    """One class against the rest: false and true positive rates (P,), P <= `MAX_POINTS`, from (0, 0) to (1, 1)."""

    class_name: str
    false_positive_rate: Floats
    true_positive_rate: Floats


def roc_curves(predictions: pd.DataFrame, split: str, classes: Sequence[str]) -> list[RocCurve]:
    """A curve for each class that has images and is not alone in the split; none where probabilities are not finite."""
    answers = read_answers(predictions[predictions["split"] == split], classes)
    present = answers.present()
    if len(present) < 2 or not np.isfinite(answers.probability).all():
        return []
    return [_curve(str(classes[k]), answers.truth == k, answers.probability[:, k]) for k in present]


def _curve(name: str, true: np.ndarray[tuple[int], np.dtype[np.bool_]], score: Floats) -> RocCurve:
    # Imported on use: it takes a second, and pages import this module for the type alone.
    from sklearn.metrics import roc_curve

    false_rate, true_rate, _ = roc_curve(true, score)
    kept = np.unique(np.linspace(0, len(false_rate) - 1, MAX_POINTS).round().astype(int))
    return RocCurve(name, false_rate[kept], true_rate[kept])
