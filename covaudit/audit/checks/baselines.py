"""Is the network better than something trivial, and does it tell anything apart at all?

Baselines (the majority, the metadata, a thumbnail, the name of the source) are measured beside the network; one that
reaches it makes the result unremarkable. A network with one answer for nearly all images is a constant predictor,
whatever its accuracy (papers' error E19).
"""

from collections.abc import Iterator

from covaudit.audit import rules
from covaudit.audit.evidence import Evidence
from covaudit.audit.words import interval, percent
from covaudit.domain.estimate import Estimate
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.metrics.intervals import wilson

_METRIC = "balanced_accuracy"
_NAMES = {"internal": "internal test", "external": "external test"}


def check(evidence: Evidence) -> Iterator[AuditFinding]:
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
            evidence={"answer": str(counts.index[0]), "n": len(tested), "value": float(counts.iloc[0] / len(tested))},
        )


def _against_baselines(evidence: Evidence, split: str) -> Iterator[AuditFinding]:
    network = evidence.estimate(split, _METRIC)
    names = sorted({one.baseline for one in evidence.estimates if one.baseline and one.split == split})
    found = {name: evidence.estimate(split, _METRIC, name) for name in names}
    defined: dict[str, Estimate] = {name: one for name, one in found.items() if one is not None}
    if network is None or not defined:
        return
    best = max(defined, key=lambda name: defined[name].value)
    rival = defined[best]
    numbers = f"Balanced accuracy in the {_NAMES[split]}: network {_words(network)}, {best} {_words(rival)}."
    reaches = rival.high >= network.value
    yield AuditFinding(
        check="baselines",
        severity=Severity.WARNING if reaches else Severity.CLEAR,
        title=f"A trivial baseline is as good in the {_NAMES[split]}"
        if reaches
        else f"No trivial baseline is as good in the {_NAMES[split]}",
        detail=numbers,
        evidence={"network": _plain(network)} | {name: _plain(one) for name, one in defined.items()},
    )


def _words(one: Estimate) -> str:
    return f"{one.value:.2f} (95 % interval {one.low:.2f} to {one.high:.2f})"


def _plain(one: Estimate) -> dict[str, float | int]:
    return {"value": one.value, "low": one.low, "high": one.high, "n": one.n}
