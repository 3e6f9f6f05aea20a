"""Every metric on weighted images, for many sets of weights at once.

One resample of a bootstrap is a row of integer weights, so 2,000 resamples are a few matrix products instead of 2,000
calls; the estimate itself is the row of ones. Both are the same code, so an estimate and its interval cannot disagree
about a definition.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from covaudit.metrics.answers import Answers

Floats: TypeAlias = NDArray[np.float64]
Weights: TypeAlias = NDArray[np.float32]


class Key(NamedTuple):
    """A metric, and the class it is about (None: over all classes)."""

    metric: str
    class_index: int | None = None


OVERALL = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "brier")
PER_CLASS = ("sensitivity", "specificity", "ppv", "npv", "f1", "auroc")
PROPORTIONS = frozenset({"accuracy", "sensitivity", "specificity", "ppv", "npv"})


def meter(answers: Answers) -> Callable[[Weights], dict[Key, Floats]]:
    """A function that maps weights (R, N) to every metric's R values; undefined is NaN.

    Balanced accuracy, macro F1 and macro AUROC are means over the classes that the images have, and need two of them.
    Brier is half the squared distance between probabilities and truth, so it lies in [0, 1] for any number of classes.
    """
    present = answers.present()
    cells = np.eye(answers.n_classes**2, dtype=np.float32)[answers.truth * answers.n_classes + answers.predicted]
    finite = bool(np.isfinite(answers.probability).all())
    rankings = {index: _Ranking.of(answers, index) for index in present} if finite and len(present) > 1 else {}
    squares = _squared_distance(answers) if finite else np.full(answers.n, np.nan)

    def measure(weights: Weights) -> dict[Key, Floats]:
        counts = (weights @ cells).reshape(-1, answers.n_classes, answers.n_classes).astype(np.float64)
        found = from_counts(counts, present)
        undefined = np.full(len(weights), np.nan)
        for index in range(answers.n_classes):
            found[Key("auroc", index)] = rankings[index].auroc(weights) if index in rankings else undefined
        found[Key("auroc")] = _mean([found[Key("auroc", index)] for index in rankings], undefined)
        found[Key("brier")] = divide(weights @ squares, weights.sum(axis=1, dtype=np.float64))
        return found

    return measure


def from_counts(counts: Floats, present: list[int]) -> dict[Key, Floats]:
    """The metrics that a confusion matrix (R, K, K; rows truth, columns prediction) holds.

    F1 of a class that has no image is NaN, not 0: there was nothing to find.
    """
    truth, called = counts.sum(axis=2), counts.sum(axis=1)
    right = np.diagonal(counts, axis1=1, axis2=2)
    total = truth.sum(axis=1)
    rejected = total[:, None] - truth - called + right
    table = {
        "sensitivity": divide(right, truth),
        "specificity": divide(rejected, total[:, None] - truth),
        "ppv": divide(right, called),
        "npv": divide(rejected, total[:, None] - called),
        "f1": np.where(truth > 0, divide(2 * right, truth + called), np.nan),
    }
    found = {Key(metric, k): values[:, k] for metric, values in table.items() for k in range(truth.shape[1])}
    undefined = np.full(len(counts), np.nan)
    several = present if len(present) > 1 else []
    found[Key("accuracy")] = divide(right.sum(axis=1), total)
    found[Key("balanced_accuracy")] = _mean([found[Key("sensitivity", index)] for index in several], undefined)
    found[Key("macro_f1")] = _mean([found[Key("f1", index)] for index in several], undefined)
    return found


def images_of(answers: Answers, key: Key) -> NDArray[np.bool_]:
    """The images (N,) that a metric is computed over: those of its denominator."""
    if key.class_index is None:
        return np.ones(answers.n, dtype=bool)
    true, called = answers.truth == key.class_index, answers.predicted == key.class_index
    masks = {
        "sensitivity": true,
        "specificity": ~true,
        "ppv": called,
        "npv": ~called,
        "f1": true | called,
        "auroc": np.ones_like(true),
    }
    return np.asarray(masks[key.metric], dtype=bool)


def divide(top: Floats, bottom: Floats) -> Floats:
    """Element by element; NaN where the denominator is 0."""
    quotient: Floats = np.divide(top, bottom, out=np.full(np.shape(bottom), np.nan), where=bottom != 0)
    return quotient


def _mean(values: list[Floats], undefined: Floats) -> Floats:
    # NaN in one class makes the mean NaN: a resample that lost a class is no resample of this metric.
    return np.mean(values, axis=0) if values else undefined


def _squared_distance(answers: Answers) -> Floats:
    truth = np.eye(answers.n_classes)[answers.truth]
    return np.asarray(((answers.probability - truth) ** 2).sum(axis=1) / 2, dtype=np.float64)


class _Ranking(NamedTuple):
    """Order of one class's probabilities: images `positive` (P,), `negative` (Q,) sorted upwards, and for each positive
    how many of the negatives lie `below` it and how many lie below or tie (`not_above`)."""

    positive: NDArray[np.intp]
    negative: NDArray[np.intp]
    below: NDArray[np.intp]
    not_above: NDArray[np.intp]

    @classmethod
    def of(cls, answers: Answers, index: int) -> "_Ranking":
        score, true = answers.probability[:, index], answers.truth == index
        positive, negative = np.flatnonzero(true), np.flatnonzero(~true)
        negative = negative[np.argsort(score[negative], kind="stable")]
        return cls(
            positive,
            negative,
            np.searchsorted(score[negative], score[positive], side="left"),
            np.searchsorted(score[negative], score[positive], side="right"),
        )

    def auroc(self, weights: Weights) -> Floats:
        """The share of pairs in which the positive ranks higher, a tie counting half (R,)."""
        reached = np.zeros((len(weights), len(self.negative) + 1), dtype=np.float32)
        np.cumsum(weights[:, self.negative], axis=1, out=reached[:, 1:])
        beaten = reached[:, self.below] + reached[:, self.not_above]
        positive = weights[:, self.positive]
        # The counts are exact in float32, their products (up to N squared) are not.
        pairs = positive.sum(axis=1, dtype=np.float64) * reached[:, -1].astype(np.float64)
        return divide(np.einsum("rp,rp->r", positive, beaten, dtype=np.float64) / 2, pairs)
