"""Audit findings as cards: how grave, what, and the numbers behind it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from covaudit.domain.finding import VERDICT, AuditFinding, Severity
from covaudit.ui.components.frame import chip
from covaudit.ui.text import literal, md_escape, score

_CHIPS: dict[Severity, tuple[str, str, str, str]] = {
    Severity.CRITICAL: ("Critical", ":material/dangerous:", "red", "strong evidence that the result is a shortcut."),
    Severity.WARNING: ("Warning", ":material/warning:", "orange", "a risk that the data or the result carries."),
    Severity.NOTE: ("Note", ":material/info:", "blue", "worth knowing."),
    Severity.CLEAR: ("Clear", ":material/check_circle:", "green", "looked for and not found, with what could be seen."),
}


def severity_chip(severity: Severity) -> str:
    """The severity as a badge in Markdown."""
    word, icon, colour, _ = _CHIPS[severity]
    return chip(word, icon, colour)


def severity_counts(findings: Sequence[AuditFinding]) -> str:
    """How many of each severity, gravest first, as badges in Markdown."""
    counts = {severity: sum(found.severity is severity for found in findings) for severity in Severity}
    parts = [chip(f"{n} {_CHIPS[one][0].lower()}", *_CHIPS[one][1:3]) for one, n in counts.items() if n]
    return " ".join(parts)


def split_verdict(findings: Sequence[AuditFinding]) -> tuple[AuditFinding | None, list[AuditFinding]]:
    """The verdict, None for a run of before there was one, and the findings of the checks."""
    verdicts = [found for found in findings if found.check == VERDICT]
    return (verdicts[0] if verdicts else None), [found for found in findings if found.check != VERDICT]


def explain_severities() -> None:
    for severity, (_, _, _, meaning) in _CHIPS.items():
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
    """Nested evidence as rows of name and value, names joined with a dot."""
    return pd.DataFrame(
        [{"what": literal(name.replace("_", " ")), "value": _shown(value)} for name, value in _flat(evidence)]
    )


def _flat(value: Any, name: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        return [row for key, inner in value.items() for row in _flat(inner, f"{name} · {key}" if name else str(key))]
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return [row for place, inner in enumerate(value, 1) for row in _flat(inner, f"{name} · {place}")]
    return [(name, value)]


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, float):
        return score(value) if abs(value) >= 0.005 or value == 0 else f"{value:.2g}"
    if isinstance(value, list):
        return literal(", ".join(_shown(item) for item in value), 400)
    return literal(value if isinstance(value, str) else json.dumps(value), 400)
