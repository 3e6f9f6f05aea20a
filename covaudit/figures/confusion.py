"""A confusion matrix: the count is always in the cell, with its share of the row."""

from math import nan
from typing import NamedTuple

import plotly.graph_objects as go

from covaudit.domain.estimate import Confusion
from covaudit.figures.layout import SIDE, empty, finish, still
from covaudit.figures.matrix import draw_cells
from covaudit.figures.palette import text_on
from covaudit.figures.text import SPLITS, class_title, literal, share

_CELL = 84


class ConfusionInfo(NamedTuple):
    """Counts (K, K) and their shares of the row; rows are the truth. The shares of a class without images are NaN."""

    split: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[float, ...], ...]
    n: int


def confusion_info(confusion: Confusion) -> ConfusionInfo:
    """Row shares of one split's counts."""
    shares = tuple(tuple(count / sum(row) if sum(row) else nan for count in row) for row in confusion.counts)
    n = sum(sum(row) for row in confusion.counts)
    return ConfusionInfo(confusion.split, confusion.classes, confusion.counts, shares, n)


def plot_confusion(info: ConfusionInfo) -> go.Figure:
    """Square cells coloured by row share, first class at the top left."""
    if not info.n:
        return empty("No image in this split.")
    names = [literal(name, 12) for name in info.classes]
    figure = draw_cells(info.shares, _hover(info))
    small = len(names) > 6
    for row, counts in enumerate(info.counts):
        for column, count in enumerate(counts):
            figure.add_annotation(_cell(count, info.shares[row][column], row, column, small))
    finish(figure, height=110 + min(_CELL * len(names), 640), top=SIDE, bottom=64)
    axis = {"tickmode": "array", "tickvals": list(range(len(names))), "ticktext": names, "showgrid": False, "ticks": ""}
    figure.update_xaxes(title_text="Prediction", constrain="domain", **axis)
    figure.update_yaxes(
        title_text="Truth (rows)", autorange="reversed", scaleanchor="x", constrain="domain", tickangle=-90, **axis
    )
    return still(figure)


def _cell(count: int, part: float, row: int, column: int, small: bool) -> go.layout.Annotation:
    # A cell without a share has no fill: its text takes the theme's colour.
    font = {"size": 12 if small else 16} | ({"color": text_on(part)} if part == part else {})
    detail = f"<br><span style='font-size:{10 if small else 12}px'>{share(part)}</span>"
    return go.layout.Annotation(x=column, y=row, text=f"<b>{count:,}</b>{detail}", showarrow=False, font=font)


def _hover(info: ConfusionInfo) -> list[list[str]]:
    titles = [class_title(name) for name in info.classes]
    return [
        [
            f"{SPLITS.get(info.split, literal(info.split))}<br>Truth: {titles[row]}<br>Prediction: {titles[column]}"
            f"<br>{count:,} of {sum(counts):,} ({share(info.shares[row][column])})"
            for column, count in enumerate(counts)
        ]
        for row, counts in enumerate(info.counts)
    ]
