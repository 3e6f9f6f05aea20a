"""Does the score tell the source, among images that all truly have the same class?

A score that reads the disease need not know where a film came from. Within each true class, the AUROC of the class's
score for one source against another (Glocker et al. 2023; also across the internal and the external test). Intervals
resample patients; the test compares the patients' mean scores.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from covaudit.audit import rules
from covaudit.audit.evidence import Evidence, NotTested, log_odds, patients_of
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.seeds import derive_seed
from covaudit.metrics.family import holm
from covaudit.metrics.intervals import patient_weights

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


def check(evidence: Evidence) -> Iterator[AuditFinding | NotTested]:
    tested = evidence.tested()
    found = [one for name in evidence.experiment.task.classes for one in _within(evidence, tested, name)]
    if not found:
        least = f"{rules.SEPARABLE_IMAGES} test images of {rules.SEPARABLE_PATIENTS} patients"
        yield NotTested("separability", f"No class has {least} from each of two sources.")
        return
    found = [one._replace(p=p) for one, p in zip(found, holm([one.p for one in found]), strict=True)]
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
    sizes = rows.groupby("source")["patient"].agg(["size", "nunique"])
    is_enough = (sizes["size"] >= rules.SEPARABLE_IMAGES) & (sizes["nunique"] >= rules.SEPARABLE_PATIENTS)
    sources = sorted(sizes.index[is_enough])
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
    wins = ((difference > 0) + 0.5 * (difference == 0)).astype(np.float32)
    value = float(wins.mean())
    wins = wins if value >= 0.5 else 1 - wins
    patient = np.unique(patients, return_inverse=True)[1].astype(np.intp)
    weights = np.concatenate(list(patient_weights(patient, _RESAMPLES, np.random.default_rng(seed))))
    left, right = weights[:, ones], weights[:, others]
    with np.errstate(invalid="ignore"):
        resampled = ((left @ wins) * right).sum(axis=1) / (left.sum(axis=1) * right.sum(axis=1))
    low, high = (float(edge) for edge in np.nanquantile(resampled, [0.025, 0.975]))
    means = pd.Series(score).groupby([patient, is_second]).mean()
    second = means.index.get_level_values(1)
    p = float(mannwhitneyu(means[second], means[~second]).pvalue)
    return Separation(name, sources, max(value, 1 - value), low, high, len(score), p)


def _words(one: Separation) -> str:
    return (
        f"Among images that are truly {one.class_name}, the score for {one.class_name} tells {one.sources} with AUROC "
        f"{one.value:.2f} (95 % interval {one.low:.2f} to {one.high:.2f}, n = {one.n}; 0.5: not at all)."
    )
