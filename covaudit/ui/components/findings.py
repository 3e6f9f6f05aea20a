"""Audit findings as cards: how grave, what, and the numbers behind it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from covaudit.domain.finding import VERDICT, AuditFinding, Severity
from covaudit.reports.evidence import SEVERITIES, evidence_rows
from covaudit.ui.components.frame import chip
from covaudit.ui.text import literal, md_escape

_CHIPS: dict[Severity, tuple[str, str]] = {
    Severity.CRITICAL: (":material/dangerous:", "red"),
    Severity.WARNING: (":material/warning:", "orange"),
    Severity.NOTE: (":material/info:", "blue"),
    Severity.CLEAR: (":material/check_circle:", "green"),
}


def severity_chip(severity: Severity) -> str:
    """The severity as a badge in Markdown."""
    return chip(SEVERITIES[severity][0], *_CHIPS[severity])


def severity_counts(findings: Sequence[AuditFinding]) -> str:
    """How many of each severity, gravest first, as badges in Markdown."""
    counts = {severity: sum(found.severity is severity for found in findings) for severity in Severity}
    parts = [chip(f"{n} {SEVERITIES[one][0].lower()}", *_CHIPS[one]) for one, n in counts.items() if n]
    return " ".join(parts)


def split_verdict(findings: Sequence[AuditFinding]) -> tuple[AuditFinding | None, list[AuditFinding]]:
    """The verdict, None for a run of before there was one, and the findings of the checks."""
    verdicts = [found for found in findings if found.check == VERDICT]
    return (verdicts[0] if verdicts else None), [found for found in findings if found.check != VERDICT]


def explain_severities() -> None:
    for severity, (_, meaning) in SEVERITIES.items():
        st.markdown(f"{severity_chip(severity)} {meaning}")


def finding_card(finding: AuditFinding, with_evidence: bool = True) -> None:
    """One finding; user names inside it are shown literally."""
    with st.container(border=True):
        st.markdown(f"{severity_chip(finding.severity)} :gray-badge[{literal(finding.check).replace('_', ' ')}]")
        st.markdown(f"**{md_escape(finding.title, 300)}**")
        st.text(literal(finding.detail, 2000))
        if with_evidence and finding.evidence:
            with st.expander("The numbers behind it", icon=":material/table:"):
                st.dataframe(evidence_frame(finding.evidence), hide_index=True, alt="Evidence of the finding")


def evidence_frame(evidence: Mapping[str, Any]) -> pd.DataFrame:
    """The numbers behind a finding as rows."""
    return pd.DataFrame(evidence_rows(evidence), columns=["what", "value"])
