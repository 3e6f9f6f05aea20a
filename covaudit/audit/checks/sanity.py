"""The sanity gate: do the heat maps change when the network forgets? Of maps that do not, nothing is concluded."""

from collections.abc import Iterator
from math import nan

import numpy as np

from covaudit.audit import rules
from covaudit.audit.evidence import Evidence, NotTested
from covaudit.audit.sanity import Judged, judge
from covaudit.domain.experiment import HEAT_METHODS
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.seeds import derive_seed
from covaudit.explain.sanity import STAGES

_STAGE = {"head": "the last layer", "half": "the upper half", "all": "all layers"}


def check(evidence: Evidence) -> Iterator[AuditFinding | NotTested]:
    method = evidence.experiment.explanation.method
    found = {name: judged for name in HEAT_METHODS if (judged := _judged(evidence, name)) is not None}
    if method in found:
        yield _say(evidence, method, found)


def refusal(evidence: Evidence) -> str | None:
    """Why the run's heat maps are no evidence, or None."""
    judged = _judged(evidence, evidence.experiment.explanation.method)
    if judged is None or not judged.fails:
        return None
    return (
        "The heat maps hardly change when the network forgets what it learnt, so where their heat lies says nothing of "
        "this network. They are left out of the verdict."
    )


def _judged(evidence: Evidence, method: str) -> Judged | None:
    cascade = evidence.cascade
    if cascade is None or method not in cascade.methods:
        return None
    likeness = cascade.likeness[cascade.methods.index(method)]
    return judge(likeness, cascade.patients, derive_seed(evidence.experiment.seed, "sanity", method))


def _say(evidence: Evidence, method: str, found: dict[str, Judged]) -> AuditFinding | NotTested:
    judged, title = found[method], HEAT_METHODS[method]
    if not (judged.fails or judged.passes):
        return NotTested("sanity", f"Only {judged.n} of the images asked about have a heat map that is not empty.")
    stages = {name: _stages(evidence, name) for name in found}
    parts = ", ".join(f"{value:.2f} after {_STAGE[stage]}" for stage, value in stages[method].items())
    detail = (
        "Where layers get untrained weights, from the head down, the map of an image should become another. Its rank "
        f"correlation with the original is {parts}; on average, an opposite map counted as 0, {judged.value:.2f} "
        f"(95 % interval {judged.low:.2f} to {judged.high:.2f}, n = {judged.n}). A method whose interval lies above "
        f"{rules.SANITY_LIKENESS} is blind to what the network learnt."
    )
    if judged.fails:
        severity, said = Severity.WARNING, f"{title} hardly depends on what this network learnt"
    else:
        severity, said = Severity.CLEAR, f"{title} depends on what this network learnt"
    numbers = {name: one._asdict() | {"fails": one.fails, "stages": stages[name]} for name, one in found.items()}
    return AuditFinding(check="sanity", severity=severity, title=said, detail=detail, evidence=numbers)


def _stages(evidence: Evidence, method: str) -> dict[str, float]:
    """Mean rank correlation after each stage."""
    assert evidence.cascade is not None
    likeness = evidence.cascade.likeness[evidence.cascade.methods.index(method)]
    known = likeness[:, ~np.isnan(likeness[0])]
    return dict(zip(STAGES, (float(one.mean()) if len(one) else nan for one in known), strict=True))
