"""The headline of a run: what is lost from the internal to the external test."""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from covaudit.domain.estimate import Estimate
from covaudit.figures.forest import Point, Row, plot_forest, point_height, with_axis
from covaudit.figures.layout import empty
from covaudit.figures.palette import NEUTRAL
from covaudit.figures.text import METRICS, SPLITS, interval, literal, number

HEADLINE = ("balanced_accuracy", "accuracy", "macro_f1", "auroc")


class GapRow(NamedTuple):
    """One metric on both test splits, and internal minus external."""

    metric: str
    internal: Point
    external: Point
    gap: Point


class GapInfo(NamedTuple):
    rows: tuple[GapRow, ...]


def gap_info(estimates: Sequence[Estimate], metrics: Sequence[str] = HEADLINE) -> GapInfo:
    """The overall estimates of `metrics` on the internal and external test, and their gap."""
    overall = {(e.metric, e.split): e for e in estimates if e.is_overall}
    return GapInfo(
        tuple(
            GapRow(metric, *(Point.of(overall.get((metric, split))) for split in ("internal", "external", "gap")))
            for metric in metrics
            if any((metric, split) in overall for split in ("internal", "external"))
        )
    )


def plot_gap(info: GapInfo) -> go.Figure:
    """For each metric the internal and the external value with their intervals; the gap is written above them."""
    if not info.rows:
        return empty("Nothing is measured yet.")
    rows = tuple(Row(_title(row), (row.internal, row.external)) for row in info.rows)
    forest = with_axis((SPLITS["internal"], SPLITS["external"]), rows)
    figure = plot_forest(forest)
    for number_of_row, row in enumerate(info.rows):
        # A NaN end would be drawn at 0.
        if row.gap.value == row.gap.value:
            figure.add_shape(
                type="line",
                x0=row.internal.value,
                x1=row.external.value,
                y0=point_height(forest, number_of_row, 0),
                y1=point_height(forest, number_of_row, 1),
                line={"color": NEUTRAL, "width": 1.5, "dash": "dot"},
                layer="below",
            )
    return figure


def _title(row: GapRow) -> str:
    name = METRICS.get(row.metric) or literal(row.metric)
    return f"{name}: gap {number(row.gap.value, True)} {interval(row.gap.low, row.gap.high, True)}".strip()
