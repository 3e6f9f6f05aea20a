"""Estimates as points with their intervals: rows are what is measured, series what is set side by side."""

from collections.abc import Sequence
from math import ceil, floor, isnan, nan
from typing import Literal, NamedTuple, TypeAlias

import plotly.graph_objects as go

from covaudit.domain.estimate import Estimate
from covaudit.figures.layout import SIDE, empty, finish, legend_above, still
from covaudit.figures.palette import NEUTRAL, colour, symbol
from covaudit.figures.text import DASH, METRICS, SPLITS, TOO_FEW, class_title, interval, literal, number

Field: TypeAlias = Literal["split", "source", "class", "metric"]
_FIELDS: tuple[Field, ...] = ("metric", "class", "source", "split")

# Heights in pixels; the y axis counts pixels too, downwards.
_HEAD, _LINE, _GAP = 26, 36, 10


class Point(NamedTuple):
    """One estimate; NaN where undefined, and `method` then says why."""

    value: float
    low: float
    high: float
    n: int
    method: str

    @classmethod
    def of(cls, estimate: Estimate | None) -> "Point":
        if estimate is None:
            return cls(nan, nan, nan, 0, "not measured")
        return cls(estimate.value, estimate.low, estimate.high, estimate.n, estimate.method)


class Row(NamedTuple):
    """A title (literal text) and one point for each series."""

    title: str
    points: tuple[Point, ...]


class ForestInfo(NamedTuple):
    """`series` are the names (literal text) of the points of each row, in order; `low` and `high` end the axis."""

    series: tuple[str, ...]
    rows: tuple[Row, ...]
    low: float
    high: float


def forest_info(estimates: Sequence[Estimate], series: Field = "split") -> ForestInfo:
    """Rows in order of appearance, titled by the fields that differ among the estimates, `series` left out."""
    varying = [field for field in _FIELDS if field != series and len({_get(e, field) for e in estimates}) > 1]
    fields: list[Field] = varying or [field for field in _FIELDS[:1] if field != series]
    names = tuple(dict.fromkeys(_get(estimate, series) for estimate in estimates))
    table: dict[tuple[str | None, ...], dict[str | None, Estimate]] = {}
    for estimate in estimates:
        table.setdefault(tuple(_get(estimate, field) for field in fields), {})[_get(estimate, series)] = estimate
    rows = tuple(
        Row(
            " · ".join(field_title(field, value) for field, value in zip(fields, key, strict=True)),
            tuple(Point.of(found.get(name)) for name in names),
        )
        for key, found in table.items()
    )
    return with_axis(tuple(field_title(series, name) for name in names), rows)


def with_axis(series: tuple[str, ...], rows: tuple[Row, ...]) -> ForestInfo:
    """Rows with an axis from 0 to 1, longer where an interval reaches further."""
    bounds = [b for row in rows for point in row.points for b in (point.low, point.high, point.value) if not isnan(b)]
    return ForestInfo(
        series, rows, floor(10 * min([0.0, *bounds])) / 10, max(1.0, ceil(10 * max([0.0, *bounds]) - 1e-9) / 10)
    )


def field_title(field: Field, value: str | None) -> str:
    """Literal text for a metric, split, class or source."""
    if value is None:
        return {"class": "All classes", "source": "All sources", "metric": DASH, "split": DASH}[field]
    if field == "class":
        return class_title(value)
    return {"metric": METRICS, "split": SPLITS}.get(field, {}).get(value) or literal(value)


def plot_forest(info: ForestInfo) -> go.Figure:
    """Under each row's title one line per series: the point, its interval, value and n. Hollow: fewer than 30 images.
    Where a value is undefined there is a dash and the reason."""
    if not info.rows:
        return empty("Nothing is measured yet.")
    figure = go.Figure()
    for order, name in enumerate(info.series):
        figure.add_trace(_points(info, order, name))
        figure.add_trace(_dashes(info, order, name))
    for row, content in enumerate(info.rows):
        figure.add_annotation(
            text=f"<b>{content.title}</b>",
            x=0,
            xref="paper",
            xanchor="left",
            y=_top(info, row) + _HEAD / 2,
            yref="y",
            showarrow=False,
            font={"size": 13},
            align="left",
        )
    if info.low < 0:
        figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1.5})
    several = len(info.series) > 1
    height = _top(info, len(info.rows))
    top = legend_above(figure, info.series) if several else SIDE
    finish(figure, height=height + top + 40, top=top, bottom=40)
    pad = 0.02 * (info.high - info.low)
    figure.update_layout(showlegend=several)
    figure.update_xaxes(range=[info.low - pad, info.high + pad], tickformat=".1f", dtick=0.2, showgrid=True)
    figure.update_yaxes(range=[height, 0], visible=False)
    return still(figure)


def point_height(info: ForestInfo, row: int, order: int) -> float:
    """Where the point of a row and series lies on the y axis, in pixels from the top."""
    return _top(info, row) + _HEAD + _LINE * (order + 0.6)


def _top(info: ForestInfo, row: int) -> int:
    return _GAP + row * (_HEAD + _LINE * len(info.series) + _GAP)


def _points(info: ForestInfo, order: int, name: str) -> go.Scatter:
    # Undefined points stay in as None: a series without any value must still be in the legend.
    points = [row.points[order] for row in info.rows]
    shape = symbol(order)
    return go.Scatter(
        x=[None if isnan(point.value) else point.value for point in points],
        y=[point_height(info, row, order) for row in range(len(points))],
        name=name,
        legendgroup=str(order),
        mode="markers+text",
        marker={
            "color": colour(order),
            "size": 11,
            "symbol": [f"{shape}-open" if point.n < TOO_FEW else shape for point in points],
            "line": {"width": 2, "color": colour(order)},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "color": colour(order),
            "thickness": 2,
            "width": 5,
            "array": [_reach(point.high, point.value) for point in points],
            "arrayminus": [_reach(point.value, point.low) for point in points],
        },
        text=[f"{number(point.value)}  (n {point.n:,})" for point in points],
        textposition=[_side(point.value, info) for point in points],
        cliponaxis=False,
        customdata=[_hover(row.title, name, row.points[order]) for row in info.rows],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _dashes(info: ForestInfo, order: int, name: str) -> go.Scatter:
    """The undefined values of a series, as a dash and the reason."""
    missing = [(row, info.rows[row].points[order]) for row in range(len(info.rows))]
    missing = [(row, point) for row, point in missing if isnan(point.value)]
    whose = f"{name}: " if len(info.series) > 1 else ""
    return go.Scatter(
        x=[info.low] * len(missing),
        y=[point_height(info, row, order) for row, _ in missing],
        name=name,
        legendgroup=str(order),
        showlegend=False,
        mode="text",
        text=[f"{DASH}  {whose}{literal(point.method.removeprefix('undefined: '), 120)}" for _, point in missing],
        textposition="middle right",
        cliponaxis=False,
        customdata=[_hover(info.rows[row].title, name, point) for row, point in missing],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _side(value: float, info: ForestInfo) -> str:
    """Where the text goes, so that it stays on the figure at both ends."""
    along = 0.5 if isnan(value) else (value - info.low) / (info.high - info.low)
    return "top left" if along > 0.8 else "top right" if along < 0.2 else "top center"


def _hover(title: str, name: str, point: Point) -> str:
    value = f"{number(point.value)} {interval(point.low, point.high)}".strip()
    return f"<b>{title}</b><br>{name}<br>{value}, n {point.n:,}<br>{literal(point.method)}"


def _reach(far: float, near: float) -> float:
    return 0.0 if isnan(far - near) else far - near


def _get(estimate: Estimate, field: Field) -> str | None:
    return {
        "split": estimate.split,
        "source": estimate.source,
        "class": estimate.class_name,
        "metric": estimate.metric,
    }[field]
