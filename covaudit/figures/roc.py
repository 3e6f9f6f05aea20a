"""Receiver operating characteristic: each class against the rest."""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from covaudit.domain.estimate import Estimate, Place
from covaudit.figures.forest import Point
from covaudit.figures.layout import diagonal, empty, finish, still
from covaudit.figures.palette import colour, dash
from covaudit.figures.text import interval, literal, number
from covaudit.metrics.curves import RocCurve


class RocInfo(NamedTuple):
    """The curves of one split and, for each, the AUROC as it was estimated."""

    split: str
    curves: tuple[RocCurve, ...]
    areas: tuple[Point, ...]


def roc_info(curves: Sequence[RocCurve], estimates: Sequence[Estimate], split: str) -> RocInfo:
    """`curves` of `covaudit.metrics.curves.roc_curves`; the areas are looked up in the run's estimates, not computed
    anew."""
    areas = {
        e.class_name: e for e in estimates if e.class_name and e.place == Place(split, "auroc", class_name=e.class_name)
    }
    return RocInfo(split, tuple(curves), tuple(Point.of(areas.get(curve.class_name)) for curve in curves))


def plot_roc(info: RocInfo) -> go.Figure:
    """A square with one curve a class and the line of chance."""
    if not info.curves:
        return empty("No curve: the split needs images of two classes and finite probabilities.")
    figure = go.Figure(diagonal())
    names = [
        f"{literal(curve.class_name, 16)} {number(area.value)} {interval(area.low, area.high)}".strip()
        for curve, area in zip(info.curves, info.areas, strict=True)
    ]
    for order, (curve, name) in enumerate(zip(info.curves, names, strict=True)):
        figure.add_trace(
            go.Scatter(
                x=curve.false_positive_rate,
                y=curve.true_positive_rate,
                name=name,
                mode="lines",
                line={"color": colour(order), "dash": dash(order), "width": 2.5},
                hovertemplate="1 − specificity %{x:.2f}<br>Sensitivity %{y:.2f}<extra>" + name + "</extra>",
            )
        )
    finish(figure, height=400, bottom=52)
    # Beside the square on a wide page, in its empty corner on a narrow one.
    figure.update_layout(
        legend={"x": 1, "xanchor": "right", "y": 0.03, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"}
    )
    shared = {"range": [-0.02, 1.02], "constrain": "domain", "dtick": 0.2, "showgrid": True}
    figure.update_xaxes(title_text="1 − specificity", constraintoward="left", **shared)
    figure.update_yaxes(title_text="Sensitivity", scaleanchor="x", constraintoward="bottom", **shared)
    return still(figure)
