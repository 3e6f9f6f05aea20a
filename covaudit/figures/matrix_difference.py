"""Two confusion matrices of the same images, subtracted: where the runs answer differently, and whether by chance."""

from typing import NamedTuple, Protocol

import plotly.graph_objects as go

from covaudit.figures.label_sets import Names, are_sets, axis_names
from covaudit.figures.layout import empty, still
from covaudit.figures.matrix import name_axes
from covaudit.figures.text import class_title

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
    names, moved = axis_names(info.classes), _moved(info)
    counts = [[info.counts[row][column] for column in moved.columns] for row in moved.rows]
    figure = go.Figure(
        go.Heatmap(
            z=counts,
            x=list(range(len(moved.columns))),
            y=list(range(len(moved.rows))),
            zmin=-largest,
            zmax=largest,
            colorscale=_SCALE,
            showscale=False,
            xgap=2,
            ygap=2,
            customdata=_hover(info, moved),
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    for y, row in enumerate(moved.rows):
        for x, column in enumerate(moved.columns):
            n, p = info.counts[row][column], info.p_values[row][column]
            # White reads on both ends of the scale, the theme's ink on its pale middle.
            font = {"size": 15} | ({"color": "#ffffff"} if abs(n) > 0.6 * largest else {})
            star = " *" if p < _CLEAR else ""
            text = f"<b>{_signed(n)}{star}</b><br><span style='font-size:11px'>{_p(p)}</span>"
            figure.add_annotation(x=x, y=y, text=text, showarrow=False, font=font)
    ticks = Names(tuple(names.ticks[column] for column in moved.columns), names.key)
    name_axes(figure, [names.ticks[row] for row in moved.rows], ticks)
    return still(figure)


class Moved(NamedTuple):
    """The rows and the columns that are drawn."""

    rows: list[int]
    columns: list[int]


def _moved(info: Difference) -> Moved:
    """Of classes all; of label sets, which are many, those that some image moved into or out of."""
    every = range(len(info.classes))
    if not are_sets(info.classes):
        return Moved(list(every), list(every))
    return Moved(
        [row for row in every if any(_has_moved(info, row, column) for column in every)],
        [column for column in every if any(_has_moved(info, row, column) for row in every)],
    )


def _has_moved(info: Difference, row: int, column: int) -> bool:
    return info.counts[row][column] != 0 or info.p_values[row][column] < 1


def _signed(n: int) -> str:
    return f"{n:+,}".replace("-", "−") if n else "0"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p {p:.2f}"


def _hover(info: Difference, moved: Moved) -> list[list[str]]:
    titles = [class_title(name) for name in info.classes]
    return [
        [
            f"Truth: {titles[row]}<br>Prediction: {titles[column]}"
            f"<br>{_signed(info.counts[row][column])} images in the second run"
            f"<br>{_p(info.p_values[row][column])}, McNemar, Holm over the cells"
            for column in moved.columns
        ]
        for row in moved.rows
    ]
