"""Is the network better than something trivial, and does it tell anything apart at all?

Baselines (the majority, the metadata, a thumbnail, the name of the source) are measured beside the network on the same
images; one that the network is not seen to beat, by the interval of its lead, makes the result unremarkable. A network
with one answer for nearly all images is a constant predictor, whatever its accuracy (papers' error E19).
"""

from collections.abc import Iterator

from covaudit.audit import rules
from covaudit.audit.evidence import Evidence, NotTested
from covaudit.audit.words import interval, percent
from covaudit.domain.baselines import LEAD
from covaudit.domain.estimate import Estimate
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.metrics.intervals import wilson

_NAMES = {"internal": "internal test", "external": "external test"}


def check(evidence: Evidence) -> Iterator[AuditFinding | NotTested]:
    for split in ("internal", "external"):
        yield from _constant(evidence, split)
        yield from _against_baselines(evidence, split)


def _constant(evidence: Evidence, split: str) -> Iterator[AuditFinding]:
    tested = evidence.tested(split)
    if len(tested) < rules.ENOUGH_IMAGES or tested["class_name"].nunique() < 2:
        return
    counts = tested["predicted"].value_counts()
    share = wilson(float(counts.iloc[0] / len(tested)), len(tested))
    if counts.iloc[0] / len(tested) >= rules.CONSTANT_SHARE:
        yield AuditFinding(
            check="baselines",
            severity=Severity.WARNING,
            title=f"The {_NAMES[split]} gets nearly always the same answer",
            detail=f"{counts.index[0]} is the answer for {int(counts.iloc[0])} of {len(tested)} images "
            f"({percent(counts.iloc[0] / len(tested))}, {interval(share.low, share.high)}). Its accuracy is that of "
            "the mix of classes and says nothing of the network.",
            evidence={
                "constant_in": split,
                "answer": str(counts.index[0]),
                "n": len(tested),
                "value": float(counts.iloc[0] / len(tested)),
            },
        )


def _against_baselines(evidence: Evidence, split: str) -> Iterator[AuditFinding | NotTested]:
    metric = "exact_match" if evidence.experiment.task.is_multi_label else "balanced_accuracy"
    network = evidence.estimate(split, metric)
    names = sorted({one.baseline for one in evidence.estimates if one.baseline and one.split == split})
    found = {name: (evidence.estimate(split, metric, name), evidence.estimate(split, LEAD + metric, name))
             for name in names}  # fmt: skip
    defined = {name: (one, lead) for name, (one, lead) in found.items() if one is not None and lead is not None}
    if network is None or not defined:
        if len(evidence.tested(split)):
            reason = f"{metric.replace('_', ' ').capitalize()} is not defined in the {_NAMES[split]}."
            yield NotTested("baselines", reason)
        return
    nearest = min(defined, key=lambda name: defined[name][1].low)
    rival, lead = defined[nearest]
    if lead.value <= 0:
        severity, title = Severity.WARNING, f"A trivial baseline is as good in the {_NAMES[split]}"
    elif lead.low <= 0:
        severity, title = Severity.WARNING, f"The network is not seen to beat a trivial baseline in the {_NAMES[split]}"
    else:
        severity, title = Severity.CLEAR, f"No trivial baseline is as good in the {_NAMES[split]}"
    yield AuditFinding(
        check="baselines",
        severity=severity,
        title=title,
        detail=f"{metric.replace('_', ' ').capitalize()} in the {_NAMES[split]}: network {_words(network)}, {nearest} "
        f"{_words(rival)}; the network leads by {lead.value:+.2f} ({lead.low:+.2f} to {lead.high:+.2f}).",
        evidence={"network": _plain(network)}
        | {name: _plain(one) for name, (one, _) in defined.items()}
        | {f"lead over {name}": _plain(lead) for name, (_, lead) in defined.items()},
    )


def _words(one: Estimate) -> str:
    return f"{one.value:.2f} (95 % interval {one.low:.2f} to {one.high:.2f})"


def _plain(one: Estimate) -> dict[str, float | int]:
    return {"value": one.value, "low": one.low, "high": one.high, "n": one.n}
