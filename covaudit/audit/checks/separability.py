"""Does the score tell the source, among images that all truly have the same class?

A score that reads the disease need not know where a film came from. Within each true class, the AUROC of the class's
score for one source against another (Glocker et al. 2023; also across the internal and the external test).
"""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu
from statsmodels.stats.multitest import multipletests

from covaudit.audit import rules
from covaudit.audit.evidence import Evidence, log_odds, patients_of
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.seeds import derive_seed

_RESAMPLES = 500


class Separation(NamedTuple):
    """How well the score of a class tells two sources within it: AUROC, 0.5 or more, with its interval."""

    class_name: str
    sources: str
    value: float
    low: float
    high: float
    n: int
    p: float


def check(evidence: Evidence) -> Iterator[AuditFinding]:
    tested = evidence.tested()
    found = [one for name in evidence.experiment.task.classes for one in _within(evidence, tested, name)]
    if not found:
        return
    holm = multipletests([one.p for one in found], method="holm")[1]
    found = [one._replace(p=float(p)) for one, p in zip(found, holm, strict=True)]
    told = [one for one in found if one.p < 0.05 and one.low > rules.SEPARABLE_WARNING]
    table = {f"{one.class_name}: {one.sources}": one._asdict() for one in found}
    if told:
        most = max(told, key=lambda one: one.value)
        yield AuditFinding(
            check="separability",
            severity=Severity.WARNING,
            title="Within one class, the score tells the source",
            detail=f"{_words(most)} {len(told)} of {len(found)} such pairs are told apart.",
            evidence=table,
        )
        return
    widest = max(found, key=lambda one: one.high)
    is_some = any(one.p < 0.05 for one in found)
    yield AuditFinding(
        check="separability",
        severity=Severity.NOTE if is_some else Severity.CLEAR,
        title="Within one class, the score tells the source to some degree"
        if is_some
        else "Within one class, the score is not seen to tell the source",
        detail=f"{_words(max(found, key=lambda one: one.value))} An AUROC above {widest.high:.2f} can be ruled out for "
        f"all {len(found)} pairs.",
        evidence=table,
    )


def _within(evidence: Evidence, tested: pd.DataFrame, name: str) -> Iterator[Separation]:
    truly = f"t_{name}"
    rows = tested[tested[truly] == 1] if truly in tested else tested[tested["class_name"] == name]
    sizes = rows["source"].value_counts()
    sources = sorted(sizes.index[sizes >= rules.SEPARABLE_IMAGES])
    for pair in combinations(sources, 2):
        chosen = rows[rows["source"].isin(pair)]
        chosen = chosen.sample(min(len(chosen), rules.SEPARABLE_MOST), random_state=evidence.experiment.seed)
        is_second = (chosen["source"] == pair[1]).to_numpy()
        score = log_odds(chosen[f"p_{name}"].to_numpy(dtype=np.float32))
        seed = derive_seed(evidence.experiment.seed, "separability", name, *pair)
        yield _separation(name, " against ".join(pair), score, is_second, patients_of(chosen), seed)


def _separation(
    name: str,
    sources: str,
    score: NDArray[np.float64],
    is_second: NDArray[np.bool_],
    patients: NDArray[np.str_],
    seed: int,
) -> Separation:
    ones, others = np.flatnonzero(is_second), np.flatnonzero(~is_second)
    difference = score[ones][:, None] - score[others][None, :]
    wins = (difference > 0) + 0.5 * (difference == 0)
    value = float(wins.mean())
    wins = wins if value >= 0.5 else 1 - wins
    weights = _patient_weights(patients, seed)
    left, right = weights[:, ones], weights[:, others]
    with np.errstate(invalid="ignore"):
        resampled = ((left @ wins) * right).sum(axis=1) / (left.sum(axis=1) * right.sum(axis=1))
    low, high = (float(edge) for edge in np.nanquantile(resampled, [0.025, 0.975]))
    p = float(mannwhitneyu(score[is_second], score[~is_second]).pvalue)
    return Separation(name, sources, max(value, 1 - value), low, high, len(score), p)


def _patient_weights(patients: NDArray[np.str_], seed: int) -> NDArray[np.float64]:
    """How often each image (N,) is in each of `_RESAMPLES` resamples of whole patients."""
    keys = np.unique(patients, return_inverse=True)[1]
    draws, n = np.random.default_rng(seed), int(keys.max()) + 1
    times = [np.bincount(draws.integers(n, size=n), minlength=n)[keys] for _ in range(_RESAMPLES)]
    return np.asarray(times, np.float64)


def _words(one: Separation) -> str:
    return (
        f"Among images that are truly {one.class_name}, the score for {one.class_name} tells {one.sources} with AUROC "
        f"{one.value:.2f} (95 % interval {one.low:.2f} to {one.high:.2f}, n = {one.n}; 0.5: not at all)."
    )
