"""The attribution budget: where the heat is, beside what even, central and edge-hugging maps would put there.

Runs on the test images whose lungs are known or were found. A heat map shows where the score changes, not why: this
check warns and never calls a result critical.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.audit import rules
from covaudit.audit.checks import sanity
from covaudit.audit.evidence import Evidence, NotTested, patients_of
from covaudit.audit.words import interval, percent, too_few
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.regions import LUNG, LUNGS_FOUND, LUNGS_KNOWN
from covaudit.domain.seeds import derive_seed
from covaudit.explain.regions import REGIONS, around_markers, partition, spread
from covaudit.metrics.intervals import mean_interval


class Share(NamedTuple):
    """Mean share of the heat with its interval, and mean share of the area, over n images; `centre` and `edge` are what
    a map that is hottest in the middle, or at the edges, would put there."""

    heat: float
    low: float
    high: float
    area: float
    n: int
    centre: float
    edge: float

    def words(self) -> str:
        times = f"{self.heat / self.area:.1f} times an even map" if self.area else "an even map has none there"
        found = f"{percent(self.heat)} of the heat ({interval(self.low, self.high)}, n = {self.n})"
        return f"{found} on {percent(self.area)} of the area: {times}.{self._controls()}"

    def _controls(self) -> str:
        return (
            f" A map that is hot in the middle would put {percent(self.centre)} there, one that is hot at the edges "
            f"{percent(self.edge)}."
        )


def check(evidence: Evidence) -> Iterator[AuditFinding | NotTested]:
    why = sanity.refusal(evidence)
    if why:
        yield NotTested("attribution", why)
        return
    tested = evidence.tested("internal")
    findings = {"on_markers": (_markers, "markers"), "outside_lungs": (_outside, "lungs")}
    for column, (finding, what) in findings.items():
        known = tested[tested[column].notna()]
        if len(known) >= rules.ENOUGH_IMAGES:
            yield finding(_share(evidence, known, column))
        else:
            few = too_few(len(known), f"internal test images with heat whose {what} are known")
            yield NotTested("attribution", few)
    mapped = evidence.sample_of(_mapped(evidence), rules.BUDGET_IMAGES, "budget")
    if len(mapped) >= rules.ENOUGH_IMAGES:
        yield _budget(evidence, mapped)


def _share(evidence: Evidence, known: pd.DataFrame, column: str) -> Share:
    seed = derive_seed(evidence.experiment.seed, "attribution", column)
    mean = mean_interval(known[column].to_numpy(dtype=float), patients_of(known), seed)
    controls = np.stack(_controls(evidence.regions.shape[-1]))
    shown = evidence.sample_of(known, rules.BUDGET_IMAGES, "controls")
    put = [controls @ _region(column, evidence, row).ravel() for row in shown["sample_row"]]
    centre, edge = np.mean(put, axis=0)
    area = float(known[f"{column}_area"].mean())
    return Share(mean.value, mean.low, mean.high, area, len(known), float(centre), float(edge))


def _region(column: str, evidence: Evidence, row: int) -> NDArray[np.bool_]:
    bits = np.asarray(evidence.regions[row])
    return around_markers(bits, evidence.cell) if column == "on_markers" else (bits & LUNG) == 0


def _mapped(evidence: Evidence) -> pd.DataFrame:
    """Test images with a heat map that is not empty and lungs that are known."""
    tested = evidence.tested()
    if not len(evidence.heatmaps):
        return tested.iloc[:0]
    kept = [
        map_row >= 0 and bool(evidence.regions[row, 0, 0] & LUNGS_KNOWN) and bool(evidence.heatmaps[map_row].any())
        for row, map_row in zip(tested["sample_row"], tested["heatmap_row"], strict=True)
    ]
    return tested[kept]


def _budget(evidence: Evidence, mapped: pd.DataFrame) -> AuditFinding:
    """The share of every region, none left out, so that they add up to all of the heat."""
    side = evidence.regions.shape[-1]
    controls = _controls(side)
    rows: list[NDArray[np.float64]] = []
    for row, map_row in zip(mapped["sample_row"], mapped["heatmap_row"], strict=True):
        parts = partition(evidence.pixels[row], evidence.regions[row], evidence.cell).ravel()
        heat = spread(evidence.heatmaps[map_row], (side, side)).ravel()
        even = np.bincount(parts, minlength=len(REGIONS)) / parts.size
        put = [np.bincount(parts, layer, minlength=len(REGIONS)) for layer in (heat / heat.sum(), *controls)]
        rows.append(np.stack([put[0], even, *put[1:]]))
    shares = np.stack(rows)  # images, (heat, even, centre, edge), regions
    patients = patients_of(mapped)
    table: dict[str, Share] = {}
    for place, name in enumerate(REGIONS):
        seed = derive_seed(evidence.experiment.seed, "budget", name)
        mean = mean_interval(np.clip(shares[:, 0, place], 0, 1), patients, seed)
        even_share, centre, edge = (float(value) for value in shares[:, 1:, place].mean(axis=0))
        table[name] = Share(mean.value, mean.low, mean.high, even_share, len(mapped), centre, edge)
    found_lungs = sum(bool(evidence.regions[row, 0, 0] & LUNGS_FOUND) for row in mapped["sample_row"])
    ranked = sorted(table, key=lambda name: -_times(table[name]))
    most = table[ranked[0]]
    source = f" The lungs of {found_lungs} of them were found by a segmentation." if found_lungs else ""
    return AuditFinding(
        check="attribution",
        severity=Severity.NOTE,
        title=f"For its area, most heat lies on: {ranked[0]}",
        detail=f"The heat maps put {most.words()}{source}",
        evidence={name: table[name]._asdict() | {"times an even map": _times(table[name])} for name in ranked},
    )


def _times(share: Share) -> float:
    return share.heat / share.area if share.area > 0.001 else 0.0


def _controls(side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A map that is hottest in the middle and one that is hottest at the edges, each summing to 1, (side * side,)."""
    line = (np.arange(side) + 0.5) / side - 0.5
    centre = np.exp(-(line[:, None] ** 2 + line[None, :] ** 2) / (2 * 0.2**2)).ravel()
    edge = np.maximum(np.abs(line)[:, None], np.abs(line)[None, :]).ravel() ** 4
    return centre / centre.sum(), edge / edge.sum()


def _markers(share: Share) -> AuditFinding:
    if share.low > max(rules.MARKER_ENRICHMENT * share.area, share.edge):  # markers lie near the edges
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
