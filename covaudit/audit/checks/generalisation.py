"""What is lost between the internal test and sources never trained on.

Zech et al. 2018; CVR-Net, Table 2: 98 % falls to 88 %.
"""

from collections.abc import Iterator

from covaudit.audit import rules
from covaudit.audit.evidence import Evidence, NotTested
from covaudit.domain.finding import AuditFinding, Severity

_METRIC = "balanced_accuracy"


def check(evidence: Evidence) -> Iterator[AuditFinding | NotTested]:
    internal, external, gap = (evidence.estimate(split, _METRIC) for split in ("internal", "external", "gap"))
    if internal is None:
        yield NotTested(
            "generalisation", "The internal test has no balanced accuracy: it has too few images or classes."
        )
        return
    if external is None or gap is None:
        title, cure = "No test on a source never trained on", "add an external test mixture with every class"
        if any(one.split == "external" and one.n for one in evidence.estimates):
            title, cure = "The tests hold different classes: no gap can be told", "give both tests every class"
        yield AuditFinding(
            check="generalisation",
            severity=Severity.WARNING,
            title=title,
            detail=f"Balanced accuracy is {internal.value:.2f} in the internal test, on the training's own sources. "
            f"Whether that holds elsewhere is not known: {cure}.",
            evidence={"internal": internal.model_dump(mode="json", by_alias=True)},
        )
        return
    numbers = (
        f"Balanced accuracy is {internal.value:.2f} internally (n = {internal.n}) and {external.value:.2f} externally "
        f"(n = {external.n}): a gap of {gap.value:+.2f}, 95 % interval {gap.low:+.2f} to {gap.high:+.2f}."
    )
    numbers += _by_source(evidence)
    if gap.low > rules.GAP_CRITICAL:
        severity, title = Severity.CRITICAL, "The result does not carry to another source"
    elif gap.low > 0:
        severity, title = Severity.WARNING, "Part of the result is lost on another source"
    else:
        severity, title = Severity.CLEAR, "No loss seen on another source"
        numbers += f" A loss of more than {max(gap.high, 0):.2f} can be ruled out at this size."
    yield AuditFinding(
        check="generalisation",
        severity=severity,
        title=title,
        detail=numbers,
        evidence={
            name: estimate.model_dump(mode="json", by_alias=True)
            for name, estimate in (("internal", internal), ("external", external), ("gap", gap))
        },
    )


def _by_source(evidence: Evidence) -> str:
    """The external sources one by one, the worst first; those with one class have no balanced accuracy."""
    external = [
        one for one in evidence.estimates
        if one.narrowed_by == ("source",) and (one.split, one.metric) == ("external", _METRIC) and one.is_defined
    ]  # fmt: skip
    if len(external) < 2:
        return ""
    ranked = sorted(external, key=lambda one: one.value)
    words = (f"{one.source} {one.value:.2f} ({one.low:.2f} to {one.high:.2f}, n = {one.n})" for one in ranked)
    return f" By external source: {', '.join(words)}."
