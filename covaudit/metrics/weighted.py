"""Every metric on weighted images, for many sets of weights at once.

One resample of a bootstrap is a row of integer weights, so 2,000 resamples are a few matrix products instead of 2,000
calls; the estimate itself is the row of ones. Both are the same code, so an estimate and its interval cannot disagree
about a definition.
"""

from collections.abc import Callable

import numpy as np

from covaudit.metrics.answers import Answers
from covaudit.metrics.calibration import Losses
from covaudit.metrics.counts import averages, of_classes, of_matrix
from covaudit.metrics.keys import ALIASES, Floats, Key, Weights
from covaudit.metrics.ranking import Ranking

Measure = Callable[[Weights], dict[Key, Floats]]


def meter(answers: Answers, is_ranked: bool = True) -> Measure:
    """A function that maps weights (R, N) to every metric's R values; undefined is NaN.

    Means over classes go over those that the images have, and need two of them. `is_ranked` False leaves out AUROC and
    AUPRC, which take most of the time.
    """
    present = answers.present()
    cells = np.eye(answers.n_classes**2, dtype=np.float32)[answers.truth * answers.n_classes + answers.predicted]
    finite = bool(np.isfinite(answers.probability).all())
    rankings = {
        index: Ranking.of(answers.probability[:, index], answers.truth == index)
        for index in (present if is_ranked and finite and len(present) > 1 else [])
    }
    losses = Losses.of(answers) if finite else None

    def measure(weights: Weights) -> dict[Key, Floats]:
        counts = (weights @ cells).reshape(-1, answers.n_classes, answers.n_classes).astype(np.float64)
        found = from_counts(counts, present, _ranked(rankings, weights, answers.n_classes))
        undefined = np.full(len(weights), np.nan)
        means = losses.means(weights) if losses else (undefined,) * 3
        return found | {Key(name): mean for name, mean in zip(("brier", "log_loss", "ece"), means, strict=True)}

    return measure


def from_counts(counts: Floats, present: list[int], ranked: dict[str, Floats] | None = None) -> dict[Key, Floats]:
    """The metrics of confusion matrices (R, K, K; rows truth, columns prediction), with `ranked` metrics (R, K) among
    those of the classes and the averages."""
    truth = counts.sum(axis=2)
    right, total = np.diagonal(counts, axis1=1, axis2=2), truth.sum(axis=1)
    table = of_classes(right, truth, counts.sum(axis=1), total) | (ranked or {})
    found = {Key(metric, k): values[:, k] for metric, values in table.items() for k in range(truth.shape[1])}
    found |= of_matrix(counts) | averages(table, truth, present)
    if len(present) < 2:
        found[Key("kappa")] = found[Key("mcc")] = np.full(len(counts), np.nan)
    found[Key("micro_f1")] = found[Key("accuracy")]
    return found | {Key(name): found[Key(macro)] for name, macro in ALIASES.items()}


def _ranked(rankings: dict[int, Ranking], weights: Weights, n_classes: int) -> dict[str, Floats]:
    table = {metric: np.full((len(weights), n_classes), np.nan) for metric in ("auroc", "auprc")}
    for index, ranking in rankings.items():
        table["auroc"][:, index], table["auprc"][:, index] = ranking.areas(weights)
    return table
