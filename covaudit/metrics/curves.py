"""Curves behind the numbers."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.metrics.answers import Tested, read_answers
from covaudit.metrics.keys import Floats
from covaudit.metrics.labels import is_multi_label, read_labels

MAX_POINTS = 500


class RocCurve(NamedTuple):
    """One class against the rest: false and true positive rates (P,), P <= `MAX_POINTS`, from (0, 0) to (1, 1)."""

    class_name: str
    false_positive_rate: Floats
    true_positive_rate: Floats


def roc_curves(predictions: pd.DataFrame, split: str, classes: Sequence[str]) -> list[RocCurve]:
    """A curve for each class that has images and is not alone in the split; none where probabilities are not finite."""
    return [_curve(name, true, score) for name, true, score in _told_apart(predictions, split, classes)]


class PrCurve(NamedTuple):
    """One class against the rest: sensitivity and PPV (P,), from the highest threshold to the lowest; `prevalence` is
    the PPV of calling every image the class."""

    class_name: str
    sensitivity: Floats
    ppv: Floats
    prevalence: float


def pr_curves(predictions: pd.DataFrame, split: str, classes: Sequence[str]) -> list[PrCurve]:
    """Like `roc_curves`, of precision and recall."""
    from sklearn.metrics import precision_recall_curve

    found = []
    for name, true, score in _told_apart(predictions, split, classes):
        ppv, sensitivity, _ = precision_recall_curve(true, score)
        kept = _thinned(len(ppv))
        found.append(PrCurve(name, sensitivity[::-1][kept], ppv[::-1][kept], float(true.mean())))
    return found


def _told_apart(
    predictions: pd.DataFrame, split: str, classes: Sequence[str]
) -> Iterator[tuple[str, NDArray[np.bool_], Floats]]:
    """Name, truth (N,) and probability (N,) of each class that has images and is not alone."""
    rows = predictions[predictions["split"] == split]
    is_multi = is_multi_label(predictions, classes)
    answers: Tested = read_labels(rows, classes) if is_multi else read_answers(rows, classes)
    present = answers.present()
    if (is_multi or len(present) > 1) and np.isfinite(answers.probability).all():
        for k in present:
            yield str(classes[k]), answers.true(k), answers.probability[:, k]


def _thinned(n: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, n - 1, MAX_POINTS).round().astype(np.intp))


def _curve(name: str, true: NDArray[np.bool_], score: Floats) -> RocCurve:
    # Imported on use: it takes a second, and pages import this module for the type alone.
    from sklearn.metrics import roc_curve

    false_rate, true_rate, _ = roc_curve(true, score)
    kept = _thinned(len(false_rate))
    return RocCurve(name, false_rate[kept], true_rate[kept])
