"""Two confusion matrices of the same images, subtracted: where the runs answer differently, and whether by chance."""

from typing import Protocol

import plotly.graph_objects as go

from covaudit.figures.layout import SIDE, empty, finish, still
from covaudit.figures.text import class_title, literal

_CELL = 84
_SCALE = [(0.0, "#D55E00"), (0.5, "rgba(128, 128, 128, 0.08)"), (1.0, "#0072B2")]
_CLEAR = 0.05


class Difference(Protocol):
    """`covaudit.metrics.family.MatrixDifference`, which takes SciPy to import."""

    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def counts(self) -> tuple[tuple[int, ...], ...]: ...
    @property
    def p_values(self) -> tuple[tuple[float, ...], ...]: ...


def plot_matrix_difference(info: Difference) -> go.Figure:
    """Blue cells have more images in the second run, orange fewer; each says how many, and Holm's p of the cell. A star
    marks a p below 0.05."""
    largest = max((abs(n) for row in info.counts for n in row), default=0)
    if not largest:
        return empty("Both runs put every shared image into the same cell, or as many into each.")
    names = [literal(name, 12) for name in info.classes]
    figure = go.Figure(
        go.Heatmap(
            z=info.counts,
            x=list(range(len(names))),
            y=list(range(len(names))),
            zmin=-largest,
            zmax=largest,
            colorscale=_SCALE,
            showscale=False,
            xgap=2,
            ygap=2,
            customdata=_hover(info),
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    for row, counts in enumerate(info.counts):
        for column, n in enumerate(counts):
            p = info.p_values[row][column]
            # White reads on both ends of the scale, the theme's ink on its pale middle.
            font = {"size": 15} | ({"color": "#ffffff"} if abs(n) > 0.6 * largest else {})
            star = " *" if p < _CLEAR else ""
            text = f"<b>{_signed(n)}{star}</b><br><span style='font-size:11px'>{_p(p)}</span>"
            figure.add_annotation(x=column, y=row, text=text, showarrow=False, font=font)
    finish(figure, height=110 + min(_CELL * len(names), 640), top=SIDE, bottom=64)
    axis = {"tickmode": "array", "tickvals": list(range(len(names))), "ticktext": names, "showgrid": False, "ticks": ""}
    figure.update_xaxes(title_text="Prediction", constrain="domain", **axis)
    figure.update_yaxes(
        title_text="Truth (rows)", autorange="reversed", scaleanchor="x", constrain="domain", tickangle=-90, **axis
    )
    return still(figure)


def _signed(n: int) -> str:
    return f"{n:+,}".replace("-", "−") if n else "0"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p {p:.2f}"


def _hover(info: Difference) -> list[list[str]]:
    titles = [class_title(name) for name in info.classes]
    return [
        [
            f"Truth: {titles[row]}<br>Prediction: {titles[column]}<br>{_signed(n)} images in the second run"
            f"<br>{_p(info.p_values[row][column])}, McNemar, Holm over the cells"
            for column, n in enumerate(counts)
        ]
        for row, counts in enumerate(info.counts)
    ]
