"""Multi-label tasks (paper 2): an image may have several labels, each with a probability of its own."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.metrics.answers import PROBABILITY, TRUTH, Answers, Mask, read_patients
from covaudit.metrics.counts import averages, divide, of_classes
from covaudit.metrics.keys import ALIASES, Floats, Key, Weights, images_of_class
from covaudit.metrics.ranking import Ranking
from covaudit.metrics.weighted import Measure, meter

THRESHOLD = 0.5
"""A label is given where its probability is greater (paper 2)."""

CONTRADICTIONS: Mapping[str, tuple[str, str, bool]] = {
    "normal_and_pneumonia": ("Normal", "Pneumonia", True),
    "virus_and_bacteria": ("Virus", "Bacteria", True),
    "covid_without_virus": ("COVID", "Virus", False),
}
"""Metric -> the first label given, and the second given (True) or not given (False): no film can be so."""

OVERALL = (
    "exact_match", "hamming_loss", "macro_f1", "auroc", "auprc", "brier", "contradictions",
    "balanced_accuracy", "macro_specificity", "macro_ppv", "macro_npv",
    "weighted_sensitivity", "weighted_ppv", "weighted_f1", "micro_sensitivity", "micro_ppv", "micro_f1",
)  # fmt: skip
PROPORTIONS = frozenset({"exact_match", "contradictions", *CONTRADICTIONS, "sensitivity", "specificity", "ppv", "npv"})


def contradictions_of(classes: Sequence[str]) -> list[str]:
    """The contradictions that labels of these names allow."""
    return [metric for metric, (one, other, _) in CONTRADICTIONS.items() if one in classes and other in classes]


def is_multi_label(predictions: pd.DataFrame, classes: Sequence[str]) -> bool:
    """The table has the truth columns of a multi-label task."""
    return all(TRUTH + name in predictions for name in classes)


class LabelAnswers(NamedTuple):
    """N images, K labels: `truth` and `called` (N, K), `probability` (N, K), `patient` (N,); `classes` names the
    labels."""

    truth: Mask
    called: Mask
    probability: NDArray[np.float64]
    patient: NDArray[np.intp]
    classes: tuple[str, ...]

    @property
    def n(self) -> int:
        return len(self.truth)

    def present(self) -> list[int]:
        """The labels that some image has and some has not."""
        mean = self.truth.mean(axis=0) if self.n else np.zeros(len(self.classes))
        return [int(index) for index in np.flatnonzero((mean > 0) & (mean < 1))]

    def true(self, index: int) -> Mask:
        return np.asarray(self.truth[:, index], dtype=bool)

    def images_of(self, key: Key) -> Mask:
        if key.class_index is None:
            return np.ones(self.n, dtype=bool)
        return images_of_class(self.true(key.class_index), self.called[:, key.class_index], key.metric)

    def contradictions(self) -> dict[str, Mask]:
        """For each contradiction that these labels allow, the images (N,) whose answer holds it."""
        column = {name: self.called[:, index] for index, name in enumerate(self.classes)}
        return {
            metric: np.asarray(column[one] & (column[other] == is_given), dtype=bool)
            for metric in contradictions_of(self.classes)
            for one, other, is_given in [CONTRADICTIONS[metric]]
        }


def read_labels(predictions: pd.DataFrame, classes: Sequence[str]) -> LabelAnswers:
    """Arrays of a predictions table with columns `p_<class>` and `t_<class>`."""
    probability = predictions[[PROBABILITY + name for name in classes]].to_numpy(dtype=np.float64)
    return LabelAnswers(
        truth=predictions[[TRUTH + name for name in classes]].to_numpy(dtype=bool),
        called=probability > THRESHOLD,
        probability=probability,
        patient=read_patients(predictions),
        classes=tuple(classes),
    )


def label_meter(answers: LabelAnswers, is_ranked: bool = True) -> Measure:
    """Like `weighted.meter`. Exact match is paper 2's "harsh" accuracy: all labels right; Hamming loss is the share of
    wrong label cells; Brier is the mean over the labels; averages go over the labels that some image has and some has
    not. `contradictions` is the share of images whose labels cannot be true together."""
    present, counted = answers.present(), answers.truth.astype(np.float32)
    called, right = answers.called.astype(np.float32), (answers.truth & answers.called).astype(np.float32)
    finite = bool(np.isfinite(answers.probability).all())
    rankings = {
        index: Ranking.of(answers.probability[:, index], answers.true(index))
        for index in (present if is_ranked and finite else [])
    }
    shares = _shares(answers)

    def measure(weights: Weights) -> dict[Key, Floats]:
        truth, given, both = ((weights @ table).astype(np.float64) for table in (counted, called, right))
        total = weights.sum(axis=1, dtype=np.float64)
        table = of_classes(both, truth, given, total)
        table |= {metric: np.full(truth.shape, np.nan) for metric in ("auroc", "auprc")}
        for index, ranking in rankings.items():
            table["auroc"][:, index], table["auprc"][:, index] = ranking.areas(weights)
        found = {Key(metric, k): values[:, k] for metric, values in table.items() for k in range(truth.shape[1])}
        found |= averages(table, truth, present)
        sums = (part.sum(axis=1) for part in (truth, given, both))
        found |= _micro(*sums)
        found |= {Key(metric): divide(weights @ values, total) for metric, values in shares.items()}
        return found | {Key(name): found[Key(macro)] for name, macro in ALIASES.items()}

    return measure


def _micro(truth: Floats, given: Floats, both: Floats) -> dict[Key, Floats]:
    return {
        Key("micro_sensitivity"): divide(both, truth),
        Key("micro_ppv"): divide(both, given),
        Key("micro_f1"): divide(2 * both, truth + given),
    }


def _shares(answers: LabelAnswers) -> dict[str, Floats]:
    """Values (N,) in [0, 1] whose mean is a metric."""
    wrong = answers.truth != answers.called
    contradictions = answers.contradictions()
    found = {
        "exact_match": ~wrong.any(axis=1),
        "hamming_loss": wrong.mean(axis=1) if answers.n else np.zeros(0),
        "brier": ((answers.probability - answers.truth) ** 2).mean(axis=1),
        "contradictions": np.any(list(contradictions.values()), axis=0) if contradictions else np.zeros(answers.n),
        **contradictions,
    }
    return {metric: np.asarray(values, dtype=np.float64) for metric, values in found.items()}


def meter_of(answers: Answers | LabelAnswers, is_ranked: bool = True) -> Measure:
    """The meter of either kind of task."""
    return label_meter(answers, is_ranked) if isinstance(answers, LabelAnswers) else meter(answers, is_ranked)
