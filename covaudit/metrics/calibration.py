"""Do probabilities mean what they say: log loss, Brier, expected calibration error, reliability curve."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.metrics.answers import Answers, n_patients, read_answers
from covaudit.metrics.counts import divide
from covaudit.metrics.keys import Floats, Weights

N_BINS = 10
_EPS = float(np.finfo(np.float32).eps)


def squared_distance(answers: Answers) -> Floats:
    """Half the squared distance between probabilities and truth (N,), in [0, 1] for any number of classes: the mean is
    the Brier score as scikit-learn scales it by half."""
    truth = np.eye(answers.n_classes)[answers.truth]
    return np.asarray(((answers.probability - truth) ** 2).sum(axis=1) / 2, dtype=np.float64)


def surprise(answers: Answers) -> Floats:
    """-log of the true class's probability (N,); 0 counts as the smallest step of float32, the networks' own kind."""
    found = answers.probability[np.arange(answers.n), answers.truth]
    return np.asarray(-np.log(np.clip(found, _EPS, 1.0)), dtype=np.float64)


class Bins(NamedTuple):
    """The confidence of each answer in `N_BINS` bins of equal width: `member` (N, B) is 1 in the image's bin,
    `confidence` (N,) is the probability of the predicted class, `right` (N,) whether it is the true one."""

    member: NDArray[np.float32]
    confidence: Floats
    right: NDArray[np.bool_]

    @classmethod
    def of(cls, answers: Answers) -> "Bins":
        confidence = answers.probability[np.arange(answers.n), answers.predicted]
        place = np.clip(np.ceil(confidence * N_BINS).astype(int) - 1, 0, N_BINS - 1)
        return cls(np.eye(N_BINS, dtype=np.float32)[place], confidence, answers.predicted == answers.truth)

    @property
    def excess(self) -> Floats:
        """Confidence over rightness (N, B) of each image, in its bin's column."""
        return np.asarray(self.member * (self.confidence - self.right)[:, None], dtype=np.float64)


class Losses(NamedTuple):
    """What is averaged over the images: `columns` (N, 2 + B) hold Brier score, log loss, and the bins' excess."""

    columns: Floats

    @classmethod
    def of(cls, answers: Answers) -> "Losses":
        return cls(np.column_stack([squared_distance(answers), surprise(answers), Bins.of(answers).excess]))

    def means(self, weights: Weights) -> tuple[Floats, Floats, Floats]:
        """Brier, log loss and expected calibration error (R,) for weights (R, N).

        The calibration error is the distance between confidence and accuracy of a bin, averaged over the images (Guo et
        al. 2017). All in one product: turning the weights into float64 costs more than multiplying them.
        """
        exact = weights.astype(np.float64)
        sums, total = exact @ self.columns, exact.sum(axis=1)
        return divide(sums[:, 0], total), divide(sums[:, 1], total), divide(np.abs(sums[:, 2:]).sum(axis=1), total)


class ReliabilityBin(NamedTuple):
    """The n images of a bin: their mean confidence and the share of right answers with its 95 % interval."""

    confidence: float
    share_right: float
    low: float
    high: float
    n: int


def reliability_curve(predictions: pd.DataFrame, split: str, classes: Sequence[str]) -> list[ReliabilityBin]:
    """The bins of a split that hold images, from low to high confidence; none where probabilities are not finite.

    Wilson's interval on the patients of the bin. Raises `UnknownName` for a class that is none of `classes`.
    """
    from covaudit.metrics.intervals import wilson

    answers = read_answers(predictions[predictions["split"] == split], classes)
    if not answers.n or not np.isfinite(answers.probability).all():
        return []
    bins, found = Bins.of(answers), []
    for column in bins.member.T:
        inside = column > 0
        if inside.any():
            share = float(bins.right[inside].mean())
            low, high, _ = wilson(share, n_patients(answers, inside))
            found.append(ReliabilityBin(float(bins.confidence[inside].mean()), share, low, high, int(inside.sum())))
    return found
