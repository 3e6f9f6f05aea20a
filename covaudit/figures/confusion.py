"""A confusion matrix: the count is always in the cell, with its share of the row."""

from math import nan
from typing import NamedTuple

import plotly.graph_objects as go

from covaudit.domain.estimate import Confusion
from covaudit.figures.label_sets import are_sets, axis_names
from covaudit.figures.layout import empty, still
from covaudit.figures.matrix import draw_cells, name_axes
from covaudit.figures.palette import text_on
from covaudit.figures.text import SPLITS, class_title, literal, share


class ConfusionInfo(NamedTuple):
    """Counts (R, K) and their shares of the row; the R `rows` are the truth, the K `classes` the prediction.

    Of classes all are rows, and the shares of one without images are NaN; of label sets those are that some image has.
    """

    split: str
    classes: tuple[str, ...]
    rows: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[float, ...], ...]
    n: int


def confusion_info(confusion: Confusion) -> ConfusionInfo:
    """Row shares of one split's counts."""
    n = sum(sum(row) for row in confusion.counts)
    kept = list(range(len(confusion.classes)))
    if n and are_sets(confusion.classes):
        kept = [row for row in kept if sum(confusion.counts[row])]
    counts = tuple(confusion.counts[row] for row in kept)
    shares = tuple(tuple(count / sum(row) if sum(row) else nan for count in row) for row in counts)
    rows = tuple(confusion.classes[row] for row in kept)
    return ConfusionInfo(confusion.split, confusion.classes, rows, counts, shares, n)


def plot_confusion(info: ConfusionInfo) -> go.Figure:
    """Square cells coloured by row share, first class at the top left."""
    if not info.n:
        return empty("No image in this split.")
    names = axis_names(info.classes)
    tick = dict(zip(info.classes, names.ticks, strict=True))
    figure = draw_cells(info.shares, _hover(info))
    small = len(info.classes) > 6
    for row, counts in enumerate(info.counts):
        for column, count in enumerate(counts):
            figure.add_annotation(_cell(count, info.shares[row][column], row, column, small))
    name_axes(figure, [tick[name] for name in info.rows], names)
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
            f"{SPLITS.get(info.split, literal(info.split))}<br>Truth: {class_title(info.rows[row])}"
            f"<br>Prediction: {titles[column]}"
            f"<br>{count:,} of {sum(counts):,} ({share(info.shares[row][column])})"
            for column, count in enumerate(counts)
        ]
        for row, counts in enumerate(info.counts)
    ]
