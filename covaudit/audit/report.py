"""All checks of a run; adding one is a file in `checks/` and a line here."""

from collections.abc import Callable, Iterator

from covaudit.audit.checks import acquisition, attribution, confounding, generalisation
from covaudit.audit.evidence import Evidence
from covaudit.domain.finding import AuditFinding

Check = Callable[[Evidence], Iterator[AuditFinding]]

CHECKS: dict[str, Check] = {
    "acquisition": acquisition.check,
    "generalisation": generalisation.check,
    "attribution": attribution.check,
    "confounding": confounding.check,
}


def audit(evidence: Evidence) -> list[AuditFinding]:
    """The findings of every check, the gravest first; within a severity in the order of `CHECKS`."""
    found = [finding for check in CHECKS.values() for finding in check(evidence)]
    return sorted(found, key=lambda finding: finding.severity.rank)
