"""The metrics that counts hold: of classes, each against the rest, their averages, and of whole confusion matrices."""

import numpy as np

from covaudit.metrics.keys import AVERAGED, Floats, Key


def divide(top: Floats, bottom: Floats) -> Floats:
    """Element by element; NaN where the denominator is 0."""
    top, bottom = np.broadcast_arrays(top, bottom)
    quotient: Floats = np.divide(top, bottom, out=np.full(np.shape(bottom), np.nan), where=bottom != 0)
    return quotient


def of_classes(right: Floats, truth: Floats, called: Floats, total: Floats) -> dict[str, Floats]:
    """Metric -> values (R, K), from counts (R, K): rightly called the class, truly of it, called it; total is (R,).

    F1 of a class that has no image is NaN, not 0: there was nothing to find.
    """
    total = total[:, None]
    rejected = total - truth - called + right
    return {
        "sensitivity": divide(right, truth),
        "specificity": divide(rejected, total - truth),
        "ppv": divide(right, called),
        "npv": divide(rejected, total - called),
        "f1": np.where(truth > 0, divide(2 * right, truth + called), np.nan),
    }


def averages(table: dict[str, Floats], truth: Floats, present: list[int]) -> dict[Key, Floats]:
    """Macro (each class alike) and weighted (each as its images, scikit-learn's "weighted") means over the classes that
    the images have, of metrics (R, K). NaN in one class makes the mean NaN: a resample that lost a class is no resample
    of this metric. With fewer than two classes there is no mean."""
    found = {}
    undefined = np.full(len(truth), np.nan)
    for metric in AVERAGED:
        values = table.get(metric)
        several = values is not None and len(present) > 1
        for name, weights in (("macro", np.ones_like(truth)), ("weighted", truth)):
            found[Key(f"{name}_{metric}")] = (
                divide((values[:, present] * weights[:, present]).sum(axis=1), weights[:, present].sum(axis=1))
                if values is not None and several
                else undefined
            )
    return found


def of_matrix(counts: Floats) -> dict[Key, Floats]:
    """Accuracy, MCC and Cohen's kappa of confusion matrices (R, K, K); rows are the truth, columns the prediction.

    MCC (Gorodkin 2004) is NaN where one class alone was predicted or is there; scikit-learn writes 0.
    """
    truth, called = counts.sum(axis=2), counts.sum(axis=1)
    total, right = truth.sum(axis=1), np.trace(counts, axis1=1, axis2=2)
    chance = (truth * called).sum(axis=1)
    spread = (total**2 - (called**2).sum(axis=1)) * (total**2 - (truth**2).sum(axis=1))
    return {
        Key("accuracy"): divide(right, total),
        Key("mcc"): divide(right * total - chance, np.sqrt(spread)),
        Key("kappa"): divide(right * total - chance, total**2 - chance),
    }
