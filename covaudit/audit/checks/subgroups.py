"""Is one group served worse: a source, a sex, an age band, a view?

Sensitivity of each class in each group against all others of that class (Fisher's exact test, Holm over all), so that
groups with different mixes of classes are compared fairly. One image of a patient is counted, for the test takes images
to be independent; groups of few are left out.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import fisher_exact
from statsmodels.stats.proportion import confint_proportions_2indep

from covaudit.audit import rules
from covaudit.audit.evidence import Evidence, NotTested
from covaudit.audit.words import p_value, percent
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.metrics.family import holm


class Loss(NamedTuple):
    """Sensitivity of a class outside a group minus inside it, with Newcombe's interval and Holm's p."""

    class_name: str
    group: str
    inside: float
    outside: float
    n_inside: int
    n_outside: int
    value: float
    low: float
    high: float
    p: float


def check(evidence: Evidence) -> Iterator[AuditFinding | NotTested]:
    found = list(_losses(evidence))
    if not found:
        least = f"{rules.SUBGROUP_IMAGES} patients of a class in it and outside of it"
        yield NotTested("subgroups", f"No group that is known has {least}.")
        return
    found = [one._replace(p=p) for one, p in zip(found, holm([one.p for one in found]), strict=True)]
    worse = [one for one in found if one.p < rules.SUBGROUP_P and one.low > rules.SUBGROUP_LOSS]
    worst = max(worse or found, key=lambda one: one.value)
    table = {f"{one.class_name}, {one.group}": one._asdict() for one in sorted(found, key=lambda one: -one.value)[:20]}
    yield AuditFinding(
        check="subgroups",
        severity=Severity.WARNING if worse else Severity.CLEAR,
        title="One group is served worse" if worse else "No group is seen to be served worse",
        detail=_words(worst, len(found)),
        evidence=table,
    )


def groups_of(evidence: Evidence, tested: pd.DataFrame) -> pd.DataFrame:
    """Source, sex, age band and view of each row, as 'sex: F'; None where not known."""
    samples = evidence.samples.iloc[tested["sample_row"].to_numpy()].reset_index(drop=True)
    groups = pd.DataFrame(index=samples.index)
    for name in ("source", "sex", "view"):
        if name in samples:
            groups[name] = [f"{name}: {value}" if isinstance(value, str) and value else None for value in samples[name]]
    if "age" in samples and samples["age"].notna().any():
        edges = rules.AGE_BANDS
        labels = [f"age: {low}-{high - 1}" for low, high in pairwise(edges)]
        banded = pd.cut(samples["age"].astype(float), edges, labels=labels, right=False).astype(object)
        groups["age"] = banded.where(banded.notna(), None)
    return groups


def _losses(evidence: Evidence) -> Iterator[Loss]:
    for split in ("internal", "external"):
        tested = evidence.tested(split)
        tested = evidence.sample_of(tested, len(tested), "subgroups").reset_index(drop=True)
        groups = groups_of(evidence, tested)
        right = (tested["predicted"] == tested["class_name"]).to_numpy()
        for name in sorted(tested["class_name"].unique()):
            truly = (tested["class_name"] == name).to_numpy()
            for column in groups:
                known = truly & groups[column].notna().to_numpy()
                for group in sorted(groups[column][known].unique()):
                    inside = known & (groups[column] == group).to_numpy()
                    outside = known & ~inside
                    if min(inside.sum(), outside.sum()) >= rules.SUBGROUP_IMAGES:
                        yield _loss(str(name), f"{group} ({split})", right[inside], right[outside])


def _loss(name: str, group: str, inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> Loss:
    hit, n = int(inside.sum()), len(inside)
    hit_out, n_out = int(outside.sum()), len(outside)
    low, high = confint_proportions_2indep(hit_out, n_out, hit, n, method="newcomb", compare="diff")
    p = float(fisher_exact([[hit, n - hit], [hit_out, n_out - hit_out]]).pvalue)
    return Loss(name, group, hit / n, hit_out / n_out, n, n_out, hit_out / n_out - hit / n, float(low), float(high), p)


def _words(one: Loss, n: int) -> str:
    return (
        f"Of {n} comparisons the largest loss: {one.class_name} is found in {percent(one.inside)} of {one.n_inside} "
        f"patients of {one.group} and in {percent(one.outside)} of {one.n_outside} others, {100 * one.value:.0f} "
        f"points (95 % interval {100 * one.low:.0f} to {100 * one.high:.0f}; Holm's {p_value(one.p)})."
    )
