"""The bootstrap of eight metrics against a loop over scikit-learn's functions, on the same resamples."""

import time
import warnings

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Row, Table

HOW = (
    "Eight metrics, 1,000 resamples, one thread. The loop goes through all of them, a fifth in each of five "
    "interleaved repetitions (of 100,000 predictions through 100, and its time is multiplied); each resample must "
    "give the same eight values to 1e-12. Seconds of processor time, medians of the repetitions."
)
N_RESAMPLES = 1_000
ROWS = {
    "1,000 predictions": (1_000, 1_000),
    "10,000 predictions": (10_000, 1_000),
    "100,000 predictions": (100_000, 100),
}
"""Name -> predictions, and the resamples that the loop is timed on, in all repetitions together."""
HEADER = ("data", "loop over scikit-learn", "CovAudit", "ratio", "largest difference")
REPEATS = 5


def measure(row: str, is_quick: bool = False) -> Row:
    """CPU seconds of the loop and ours for 1,000 resamples, their ratio (medians of interleaved repetitions), and the
    largest difference of a value."""
    warnings.simplefilter("ignore")
    n, timed = ROWS[row]
    resamples, repeats = (N_RESAMPLES // 10, 1) if is_quick else (N_RESAMPLES, REPEATS)
    timed = min(timed, 10) if is_quick else timed
    truth, chance = _predictions(n)
    indices = np.random.default_rng(1).integers(n, size=(resamples, n), dtype=np.int32)
    loops, ours, differences = [], [], []
    part = max(1, min(timed, resamples) // repeats)
    for repeat in range(repeats):
        chosen = slice(repeat * part, (repeat + 1) * part)
        start = time.process_time()
        expected = np.array([_scikit_learn(truth[index], chance[index]) for index in indices[chosen]])
        loops.append((time.process_time() - start) * resamples / part)
        start = time.process_time()
        found = _ours(truth, chance, indices)
        ours.append(time.process_time() - start)
        differences.append(float(np.abs(found[chosen] - expected).max()))
        if differences[-1] > 1e-12:
            raise ArithmeticError(f"The two disagree by {differences[-1]:.2g} in repetition {repeat}.")
    ratio = np.median(np.array(loops) / np.array(ours))
    return f"{np.median(loops):.1f} s", f"{np.median(ours):.2f} s", f"{ratio:.0f}", f"{max(differences):.0e}"


def _predictions(n: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Truth (N,) of two classes and probabilities (N,) of the second, of a network that is right in about 80 %."""
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=n)
    return truth, 1 / (1 + np.exp(-rng.normal(1.7 * truth - 0.85)))


def _scikit_learn(truth: NDArray[np.intp], chance: NDArray[np.float64]) -> list[float]:
    from sklearn import metrics

    called = (chance > 0.5).astype(int)
    return [
        metrics.accuracy_score(truth, called),
        metrics.balanced_accuracy_score(truth, called),
        metrics.precision_score(truth, called),
        metrics.f1_score(truth, called),
        metrics.matthews_corrcoef(truth, called),
        metrics.cohen_kappa_score(truth, called),
        metrics.roc_auc_score(truth, chance),
        metrics.average_precision_score(truth, chance),
    ]


def _ours(truth: NDArray[np.intp], chance: NDArray[np.float64], indices: NDArray[np.int32]) -> NDArray[np.float64]:
    from covaudit.metrics.answers import Answers
    from covaudit.metrics.intervals import block_rows
    from covaudit.metrics.keys import Key
    from covaudit.metrics.weighted import meter

    n = len(truth)
    answers = Answers(truth, (chance > 0.5).astype(np.intp), np.column_stack([1 - chance, chance]), np.arange(n))
    names = ("accuracy", "balanced_accuracy", "ppv", "f1", "mcc", "kappa", "auroc", "auprc")
    keys = [Key(name, 1 if name in ("ppv", "f1", "auroc", "auprc") else None) for name in names]
    measure_rows = meter(answers)
    block = block_rows(n)
    parts = []
    for start in range(0, len(indices), block):
        weights = np.stack([np.bincount(index, minlength=n) for index in indices[start : start + block]])
        found = measure_rows(weights.astype(np.float32))
        parts.append(np.column_stack([found[key] for key in keys]))
    return np.concatenate(parts)


TABLE = Table("Bootstrap", HOW, HEADER, tuple(ROWS), measure)
