"""All checks of a run; adding one is a file in `checks/` and a line here."""

import time
from collections.abc import Callable, Iterator, Sequence

from covaudit.audit.checks import (
    acquisition,
    attribution,
    baselines,
    confounding,
    counterfactuals,
    generalisation,
    leakage,
    no_lung,
    sanity,
    separability,
    subgroups,
)
from covaudit.audit.evidence import Evidence, NotTested
from covaudit.audit.verdict import verdict
from covaudit.domain.finding import NOT_TESTED, AuditFinding, Severity

Check = Callable[[Evidence], Iterator[AuditFinding | NotTested]]

CHECKS: dict[str, Check] = {
    "acquisition": acquisition.check,
    "counterfactuals": counterfactuals.check,
    "no_lung": no_lung.check,
    "generalisation": generalisation.check,
    "separability": separability.check,
    "sanity": sanity.check,
    "attribution": attribution.check,
    "leakage": leakage.check,
    "confounding": confounding.check,
    "subgroups": subgroups.check,
    "baselines": baselines.check,
}


def audit(
    evidence: Evidence, on_check: Callable[[str, float], None] = lambda name, seconds: None
) -> list[AuditFinding]:
    """The verdict, then the findings of every check, the gravest first; within a severity in the order of `CHECKS`.

    What could not be tested is told in one finding, with the reasons.
    """
    found: list[AuditFinding] = []
    left_out: list[NotTested] = []
    for name, check in CHECKS.items():
        begun = time.monotonic()
        for one in check(evidence):
            if isinstance(one, NotTested):
                left_out.append(one)
            else:
                found.append(one)
        on_check(name, time.monotonic() - begun)
    return [verdict(found), *sorted([*found, *_not_tested(left_out)], key=lambda finding: finding.severity.rank)]


def _not_tested(left_out: Sequence[NotTested]) -> Iterator[AuditFinding]:
    if left_out:
        names = [name.replace("_", " ") for name in dict.fromkeys(one.check for one in left_out)]
        reasons = [f"{one.check.replace('_', ' ').capitalize()}: {one.reason}" for one in left_out]
        yield AuditFinding(
            check=NOT_TESTED,
            severity=Severity.NOTE,
            title=f"Not tested: {', '.join(names)}",
            detail=" ".join(reasons),
            evidence={one.check: one.reason for one in left_out},
        )
