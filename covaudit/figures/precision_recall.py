"""Precision against recall, here PPV against sensitivity: each class against the rest."""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from covaudit.domain.estimate import Estimate, Place
from covaudit.figures.forest import Point
from covaudit.figures.layout import empty, finish, legend_above, still
from covaudit.figures.palette import colour, dash
from covaudit.figures.text import interval, literal, number
from covaudit.metrics.curves import PrCurve


class PrInfo(NamedTuple):
    """The curves of one split and, for each, the AUPRC as it was estimated."""

    split: str
    curves: tuple[PrCurve, ...]
    areas: tuple[Point, ...]


def pr_info(curves: Sequence[PrCurve], estimates: Sequence[Estimate], split: str) -> PrInfo:
    """`curves` of `covaudit.metrics.curves.pr_curves`; the areas are looked up in the run's estimates."""
    found = {one.place: one for one in estimates}
    places = [Place(split, "auprc", class_name=curve.class_name) for curve in curves]
    return PrInfo(split, tuple(curves), tuple(Point.of(found.get(place)) for place in places))


def plot_pr(info: PrInfo) -> go.Figure:
    """One curve a class, with a thin line at its prevalence: what calling every image the class would give."""
    if not info.curves:
        return empty("No curve: the split needs images of two classes and finite probabilities.")
    figure = go.Figure()
    names = []
    for order, (curve, area) in enumerate(zip(info.curves, info.areas, strict=True)):
        name = f"{literal(curve.class_name, 16)} {number(area.value)} {interval(area.low, area.high)}".strip()
        names.append(name)
        figure.add_trace(
            go.Scatter(
                x=curve.sensitivity,
                y=curve.ppv,
                name=name,
                mode="lines",
                line={"color": colour(order), "dash": dash(order), "width": 2.5, "shape": "hv"},
                hovertemplate="Sensitivity %{x:.2f}<br>PPV %{y:.2f}<extra>" + name + "</extra>",
            )
        )
        figure.add_trace(
            go.Scatter(
                x=[0, 1],
                y=[curve.prevalence] * 2,
                mode="lines",
                line={"color": colour(order), "dash": "dot", "width": 1},
                showlegend=False,
                hovertemplate=f"Prevalence {number(curve.prevalence)}<extra></extra>",
            )
        )
    top = legend_above(figure, names)
    finish(figure, height=400 + top, top=top, bottom=52)
    shared = {"range": [-0.02, 1.02], "constrain": "domain", "dtick": 0.2, "showgrid": True}
    figure.update_xaxes(title_text="Sensitivity", constraintoward="left", **shared)
    figure.update_yaxes(title_text="PPV", scaleanchor="x", constraintoward="bottom", **shared)
    return still(figure)
