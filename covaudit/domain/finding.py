"""What a check says. Called an audit finding, for in radiology a finding is what is seen on the image."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

VERDICT = "verdict"
"""The check whose finding sums up the others."""
NOT_TESTED = "not_tested"
"""Of the finding that tells which checks could not be made, and why."""


class Severity(StrEnum):
    """CRITICAL: strong evidence that the result is a shortcut. WARNING: a risk that the data or the result carries.
    NOTE: worth knowing. CLEAR: looked for and not found, with what could have been seen."""

    CRITICAL = "critical"
    WARNING = "warning"
    NOTE = "note"
    CLEAR = "clear"

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return list(Severity).index(self)


class AuditFinding(BaseModel):
    """One statement with the numbers behind it. `evidence` is plain JSON: values, intervals, n, image ids."""

    model_config = ConfigDict(frozen=True)

    check: str
    severity: Severity
    title: str
    detail: str
    evidence: dict[str, Any] = {}
