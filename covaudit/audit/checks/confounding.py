"""Is the class tied to the source in the train mixture, and in the external test?

Cramér's V of class and source, and classes that come from one source only. No class of paper 1's X-ray set-ups shares a
source with COVID-19, and its "independent" test set has V = 1 too (papers' error E20). A confounded mixture is a risk;
what the network made of it is for the other checks to say.
"""

from collections.abc import Iterator

import pandas as pd

from covaudit.audit import rules
from covaudit.audit.evidence import Evidence
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.mixture import Confounding, confounding
from covaudit.sources.roles import has_role

_TITLES = {"training": ("train", "val", "internal"), "external test": ("external",)}


def check(evidence: Evidence) -> Iterator[AuditFinding]:
    for name, splits in _TITLES.items():
        chosen = evidence.samples[has_role(evidence.samples, *splits)]
        if len(chosen):
            yield _finding(name, confounding(count_cells(chosen)))


def count_cells(samples: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Number of samples by (source, class)."""
    counts = samples.groupby(["source", "class_name"]).size()
    return {(str(source), str(name)): int(n) for (source, name), n in counts.items()}


def _finding(name: str, found: Confounding) -> AuditFinding:
    v, single = found.cramers_v, found.single_source
    evidence = {"cramers_v": None if v != v else round(v, 4), "single_source": single, "n": found.n}
    where = "The training mixture" if name == "training" else "The external test"
    alone = "; ".join(f"{label} comes from {source} alone" for label, source in single.items())
    if v != v:
        return AuditFinding(
            check="confounding",
            severity=Severity.NOTE if name == "training" else Severity.CLEAR,
            title=f"{where} has one source only",
            detail=f"All {found.n} images of the {name} come from one source, so the source cannot tell the class.",
            evidence=evidence,
        )
    if v > rules.CONFOUNDING_STRONG:
        severity, title = Severity.WARNING, f"{where} ties the class to the source"
    elif v > rules.CONFOUNDING_SOME or single:
        severity, title = Severity.NOTE, f"{where} ties the class to the source in part"
    else:
        severity, title = Severity.CLEAR, f"{where} crosses classes with sources"
    detail = (
        f"Cramér's V of class and source is {v:.2f} over {found.n} images (0: no tie, 1: the source gives the class)."
    )
    return AuditFinding(
        check="confounding",
        severity=severity,
        title=title,
        detail=f"{detail} {alone}.".replace(" .", "").strip(),
        evidence=evidence,
    )
