"""AUROC and AUPRC of weighted images, for many sets of weights at once: the order is found once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from covaudit.metrics.counts import divide
from covaudit.metrics.keys import Floats, Weights


class Ranking(NamedTuple):
    """Order of one class's probabilities: images `positive` (P,) and `negative` (Q,), each sorted upwards. For each
    positive: how many negatives lie `below` it, how many lie below or tie (`not_above`), and how many positives lie
    below it (`lower`)."""

    positive: NDArray[np.intp]
    negative: NDArray[np.intp]
    below: NDArray[np.intp]
    not_above: NDArray[np.intp]
    lower: NDArray[np.intp]

    @classmethod
    def of(cls, score: Floats, true: NDArray[np.bool_]) -> "Ranking":
        """From finite scores (N,) and whether each image is of the class (N,)."""
        positive, negative = np.flatnonzero(true), np.flatnonzero(~true)
        positive = positive[np.argsort(score[positive], kind="stable")]
        negative = negative[np.argsort(score[negative], kind="stable")]
        high, low = score[positive], score[negative]
        return cls(
            positive,
            negative,
            np.searchsorted(low, high, side="left"),
            np.searchsorted(low, high, side="right"),
            np.searchsorted(high, high, side="left"),
        )

    def areas(self, weights: Weights) -> tuple[Floats, Floats]:
        """AUROC and AUPRC (R,) for weights (R, N).

        AUROC is the share of pairs in which the positive ranks higher, a tie counting half. AUPRC is the average
        precision: the mean, over the positives, of the share of positives among all that rank as high or higher.
        """
        positive = weights[:, self.positive]
        negatives, positives = _sums(weights[:, self.negative]), _sums(positive)
        beaten = np.take(negatives, self.below, axis=1)
        false = negatives[:, -1:] - beaten
        true = positives[:, -1:] - np.take(positives, self.lower, axis=1)
        n_positive = positives[:, -1].astype(np.float64)
        # The counts are exact in float32, their products (up to N squared) and quotients are not.
        beaten += np.take(negatives, self.not_above, axis=1)
        pairs = n_positive * negatives[:, -1].astype(np.float64)
        auroc = divide(np.einsum("rp,rp->r", positive, beaten, dtype=np.float64) / 2, pairs)
        true = true.astype(np.float64)
        # A positive that weighs nothing may have nothing above it: 0 / 0, to be counted 0 times.
        precision = np.divide(true, true + false, out=np.zeros_like(true), where=true > 0)
        return auroc, divide(np.einsum("rp,rp->r", positive, precision, dtype=np.float64), n_positive)


def _sums(weights: Weights) -> Weights:
    """Running sums (R, M + 1), beginning with 0."""
    sums = np.zeros((len(weights), weights.shape[1] + 1), dtype=np.float32)
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums
