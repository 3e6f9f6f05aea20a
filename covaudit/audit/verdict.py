"""One sentence for a run, by rules that `audit.rules` wrote down before any result was seen."""

from collections.abc import Sequence

from covaudit.audit import rules
from covaudit.audit.words import percent
from covaudit.domain.finding import VERDICT, AuditFinding, Severity


def verdict(findings: Sequence[AuditFinding]) -> AuditFinding:
    """Strong: a check that watched the network answer is critical. Some: one of the signs warns. None: neither.

    None is said only where such a check could run and the network tells images apart; otherwise the run was not tested
    for it.
    """
    strong = [one for one in findings if one.check in rules.BEHAVIOUR and one.severity is Severity.CRITICAL]
    signs = [one for one in findings if one.check in rules.SIGNS and one.severity is Severity.WARNING]
    watched = sorted({one.check for one in findings if one.check in rules.BEHAVIOUR})
    if strong:
        return _say(
            Severity.CRITICAL, "Strong evidence that the network uses the source",
            " ".join(f"{one.title}." for one in strong), strong,
        )  # fmt: skip
    if signs:
        return _say(
            Severity.WARNING, "Signs that the network may use the source",
            " ".join(f"{one.title}." for one in signs) + " None of these is enough alone.", signs,
        )  # fmt: skip
    if any(one.check == "baselines" and one.evidence.get("constant_in") == "internal" for one in findings):
        return _say(
            Severity.NOTE, "Not tested whether the network uses the source",
            "It gives nearly all images of the internal test one answer, which no change of a film could flip.", [],
        )  # fmt: skip
    if not watched:
        return _say(
            Severity.NOTE, "Not tested whether the network uses the source",
            "No check could watch the network answer: there were too few test images, or none with known lungs.", [],
        )  # fmt: skip
    least = [float(one.evidence["could_have_seen"]) for one in findings if "could_have_seen" in one.evidence]
    size = f" An effect on {percent(max(least))} of the answers or more would have been seen." if least else ""
    return _say(
        Severity.CLEAR, "No evidence at this size that the network uses the source",
        f"Clear: {', '.join(name.replace('_', ' ') for name in watched)}.{size}",
        [one for one in findings if one.check in watched],
    )  # fmt: skip


def _say(severity: Severity, title: str, detail: str, because: Sequence[AuditFinding]) -> AuditFinding:
    reasons = [f"{one.check}: {one.title}" for one in because]
    return AuditFinding(check=VERDICT, severity=severity, title=title, detail=detail, evidence={"because": reasons})
