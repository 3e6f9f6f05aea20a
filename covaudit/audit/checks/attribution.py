"""Where the heat is: at markers and burned-in text, and outside the lungs, beside what an even map would put there.

Runs on the internal test images whose source says where the lungs or the markers are. A heat map shows where the score
changes, not why: this check warns and never calls a result critical.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from covaudit.audit import rules
from covaudit.audit.evidence import Evidence
from covaudit.audit.words import interval, percent
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.seeds import derive_seed
from covaudit.metrics.intervals import mean_interval


class Share(NamedTuple):
    """Mean share of the heat with its interval, and mean share of the area, over n images."""

    heat: float
    low: float
    high: float
    area: float
    n: int

    def words(self) -> str:
        times = f"{self.heat / self.area:.1f} times an even map" if self.area else "an even map has none there"
        found = f"{percent(self.heat)} of the heat ({interval(self.low, self.high)}, n = {self.n})"
        return f"{found} on {percent(self.area)} of the area: {times}."


def check(evidence: Evidence) -> Iterator[AuditFinding]:
    tested = evidence.predictions[evidence.predictions["split"] == "internal"]
    for column, finding in (("on_markers", _markers), ("outside_lungs", _outside)):
        known = tested[tested[column].notna()]
        if len(known) >= rules.ENOUGH_IMAGES:
            share = _share(known, column, derive_seed(evidence.experiment.seed, "attribution", column))
            yield finding(share)


def _share(known: pd.DataFrame, column: str, seed: int) -> Share:
    patients = (known["source"] + "/" + known["patient"]).to_numpy()
    mean = mean_interval(known[column].to_numpy(dtype=float), patients, seed)
    return Share(mean.value, mean.low, mean.high, float(known[f"{column}_area"].mean()), len(known))


def _markers(share: Share) -> AuditFinding:
    if share.low > rules.MARKER_ENRICHMENT * share.area:
        severity, title = Severity.WARNING, "Heat gathers at the markers and burned-in text"
    else:
        severity, title = Severity.CLEAR, "Heat does not gather at markers"
    return _finding(severity, title, f"The heat maps put {share.words()}", share)


def _outside(share: Share) -> AuditFinding:
    if share.low > rules.OUTSIDE_ENRICHMENT * share.area:
        severity, title = Severity.WARNING, "Heat lies outside the lungs"
    elif share.high < share.area:
        severity, title = Severity.CLEAR, "Heat is drawn to the lungs"
    else:
        severity, title = Severity.NOTE, "Heat is not drawn to the lungs"
    return _finding(severity, title, f"Outside the lungs the heat maps put {share.words()}", share)


def _finding(severity: Severity, title: str, detail: str, share: Share) -> AuditFinding:
    return AuditFinding(check="attribution", severity=severity, title=title, detail=detail, evidence=share._asdict())
