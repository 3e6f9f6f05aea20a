"""The same metrics of several runs side by side."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from covaudit.domain.estimate import Estimate
from covaudit.figures.forest import ForestInfo, Point, Row, field_title, plot_forest, with_axis
from covaudit.figures.text import literal


def compare_info(
    runs: Mapping[str, Sequence[Estimate]],
    metrics: Sequence[str] = ("balanced_accuracy",),
    splits: Sequence[str] = ("internal", "external", "gap"),
) -> ForestInfo:
    """Overall estimates keyed by the run's name; a row for each metric and split that some run has."""
    tables = [{(e.metric, e.split): e for e in estimates if e.is_overall} for estimates in runs.values()]
    rows = tuple(
        Row(
            f"{field_title('metric', metric)} · {field_title('split', split)}",
            tuple(Point.of(table.get((metric, split))) for table in tables),
        )
        for metric in metrics
        for split in splits
        if any((metric, split) in table for table in tables)
    )
    return with_axis(tuple(literal(name, 40) for name in runs), rows)


def plot_compare(info: ForestInfo) -> go.Figure:
    """A forest with a series for each run."""
    return plot_forest(info)
