"""The names of the metrics, and which of them are made how."""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Weights: TypeAlias = NDArray[np.float32]


class Key(NamedTuple):
    """A metric, and the class it is about (None: over all classes)."""

    metric: str
    class_index: int | None = None


PER_CLASS = ("sensitivity", "specificity", "ppv", "npv", "f1", "auroc", "auprc")
AVERAGED = PER_CLASS
"""Each also as `macro_...` and `weighted_...`."""

OVERALL = (
    "accuracy", "balanced_accuracy", "macro_f1", "auroc", "brier", "auprc", "mcc", "kappa", "log_loss", "ece",
    "macro_specificity", "macro_ppv", "macro_npv",
    "weighted_sensitivity", "weighted_specificity", "weighted_ppv", "weighted_npv", "weighted_f1", "weighted_auroc",
    "weighted_auprc", "micro_f1",
)  # fmt: skip
"""Balanced accuracy is the macro sensitivity; `auroc` and `auprc` are the macro ones. With one class an image, micro
sensitivity, PPV and F1 are all the accuracy; so is the weighted sensitivity."""

ALIASES = {"balanced_accuracy": "macro_sensitivity", "auroc": "macro_auroc", "auprc": "macro_auprc"}
PROPORTIONS = frozenset({"accuracy", "sensitivity", "specificity", "ppv", "npv", "micro_f1", "weighted_sensitivity"})
"""Metrics that are a share of images, with the weighted and micro names that equal the accuracy."""
NEEDS_TWO_CLASSES = frozenset({"balanced_accuracy", "auroc", "auprc", "specificity", "mcc", "kappa"})
NEEDS_PROBABILITIES = frozenset({"auroc", "auprc", "brier", "log_loss", "ece", "weighted_auroc", "weighted_auprc"})


def images_of_class(true: NDArray[np.bool_], called: NDArray[np.bool_], metric: str) -> NDArray[np.bool_]:
    """The images (N,) in the denominator of a metric of `PER_CLASS`, from those that are of the class and those that
    were called it."""
    everything = np.ones_like(true)
    masks = (true, ~true, called, ~called, true | called, everything, everything)
    return np.asarray(dict(zip(PER_CLASS, masks, strict=True))[metric], dtype=bool)
