"""How many images of each class come from each source: a class that comes from one source can be told by the source."""

from collections.abc import Mapping, Sequence
from math import nan
from typing import NamedTuple

import plotly.graph_objects as go

from covaudit.domain.mixture import confounding
from covaudit.figures.layout import SIDE, empty, finish, still
from covaudit.figures.matrix import draw_cells
from covaudit.figures.palette import text_on
from covaudit.figures.text import class_title, literal, share

_ROW = 56


class SourceGridInfo(NamedTuple):
    """Counts (S, K) of images by source and class, their shares of the class, and Cramér's V of class and source."""

    sources: tuple[str, ...]
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[float, ...], ...]
    class_totals: tuple[int, ...]
    cramers_v: float


def source_grid_info(counts: Mapping[tuple[str, str], int], classes: Sequence[str]) -> SourceGridInfo:
    """From counts keyed by (source, class); a missing key is 0. Sources in alphabetical order."""
    sources = tuple(sorted({source for (source, _), n in counts.items() if n > 0}))
    table = tuple(tuple(counts.get((source, name), 0) for name in classes) for source in sources)
    totals = tuple(sum(column) for column in zip(*table, strict=True)) if table else (0,) * len(classes)
    shares = tuple(tuple(n / total if total else nan for n, total in zip(row, totals, strict=True)) for row in table)
    return SourceGridInfo(sources, tuple(classes), table, shares, totals, confounding(counts).cramers_v)


def plot_source_grid(info: SourceGridInfo) -> go.Figure:
    """Rows are sources, columns classes; colour is the share of the class: a bright cell is a class's only source."""
    if not info.sources:
        return empty("No image is drawn.")
    columns, rows = list(range(len(info.classes))), list(range(len(info.sources)))
    figure = draw_cells([[part or None for part in parts] for parts in info.shares], _hover(info))
    for row in rows:
        for column in columns:
            figure.add_annotation(_cell(info.counts[row][column], info.shares[row][column], row, column))
    finish(figure, height=110 + _ROW * len(rows), top=58, bottom=SIDE)
    heads = [f"<b>{literal(name, 14)}</b><br>{n:,}" for name, n in zip(info.classes, info.class_totals, strict=True)]
    shared = {"tickmode": "array", "showgrid": False, "ticks": ""}
    names = [literal(name, 18) for name in info.sources]
    figure.update_xaxes(tickvals=columns, ticktext=heads, side="top", **shared)
    figure.update_yaxes(tickvals=rows, ticktext=names, autorange="reversed", ticklabelstandoff=6, **shared)
    return still(figure)


def _cell(count: int, part: float, row: int, column: int) -> go.layout.Annotation:
    font = {"size": 14} | ({"color": text_on(part)} if count else {})
    detail = f"<br><span style='font-size:11px'>{share(part)}</span>" if count else ""
    return go.layout.Annotation(x=column, y=row, text=f"{count:,}{detail}", showarrow=False, font=font)


def _hover(info: SourceGridInfo) -> list[list[str]]:
    titles = [class_title(name) for name in info.classes]
    return [
        [
            f"Source: {literal(source)}<br>Class: {titles[column]}<br>{n:,} of {info.class_totals[column]:,} images "
            f"of the class ({share(info.shares[row][column])})"
            for column, n in enumerate(info.counts[row])
        ]
        for row, source in enumerate(info.sources)
    ]
