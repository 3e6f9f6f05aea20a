"""All checks of a run; adding one is a file in `checks/` and a line here."""

import time
from collections.abc import Callable, Iterator

from covaudit.audit.checks import (
    acquisition,
    attribution,
    baselines,
    confounding,
    counterfactuals,
    generalisation,
    leakage,
    no_lung,
    separability,
    subgroups,
)
from covaudit.audit.evidence import Evidence
from covaudit.audit.verdict import verdict
from covaudit.domain.finding import AuditFinding

Check = Callable[[Evidence], Iterator[AuditFinding]]

CHECKS: dict[str, Check] = {
    "acquisition": acquisition.check,
    "counterfactuals": counterfactuals.check,
    "no_lung": no_lung.check,
    "generalisation": generalisation.check,
    "separability": separability.check,
    "attribution": attribution.check,
    "leakage": leakage.check,
    "confounding": confounding.check,
    "subgroups": subgroups.check,
    "baselines": baselines.check,
}


def audit(
    evidence: Evidence, on_check: Callable[[str, float], None] = lambda name, seconds: None
) -> list[AuditFinding]:
    """The verdict, then the findings of every check, the gravest first; within a severity in the order of `CHECKS`."""
    found: list[AuditFinding] = []
    for name, check in CHECKS.items():
        begun = time.monotonic()
        found += check(evidence)
        on_check(name, time.monotonic() - begun)
    return [verdict(found), *sorted(found, key=lambda finding: finding.severity.rank)]
