"""A grid of cells coloured by share, without the text in them."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from covaudit.figures.label_sets import Names
from covaudit.figures.layout import SIDE, finish
from covaudit.figures.palette import MATRIX

_CELL = 84


def draw_cells(shares: Sequence[Sequence[float | None]], hover: Sequence[Sequence[str]]) -> go.Figure:
    """Cells (R, C) at x = 0..C-1 and y = 0..R-1, coloured by shares in [0, 1]; a cell without a share has no fill."""
    return go.Figure(
        go.Heatmap(
            z=shares,
            x=list(range(len(shares[0]))),
            y=list(range(len(shares))),
            zmin=0,
            zmax=1,
            colorscale=MATRIX,
            showscale=False,
            xgap=2,
            ygap=2,
            customdata=hover,
            hovertemplate="%{customdata}<extra></extra>",
            hoverongaps=False,
        )
    )


def name_axes(figure: go.Figure, rows: Sequence[str], columns: Names) -> None:
    """Truth down, prediction across, in square cells; `rows` and the ticks of `columns` are literal text."""
    key = f"<br><span style='font-size:11px'>{columns.key}</span>" if columns.key else ""
    finish(figure, height=110 + (20 if key else 0) + min(_CELL * len(rows), 640), top=SIDE, bottom=84 if key else 64)
    figure.update_xaxes(title_text=f"Prediction{key}", constrain="domain", tickangle=0, **_ticks(columns.ticks))
    figure.update_yaxes(
        title_text="Truth (rows)", autorange="reversed", scaleanchor="x", constrain="domain", tickangle=-90,
        **_ticks(rows),
    )  # fmt: skip


def _ticks(names: Sequence[str]) -> dict[str, Any]:
    values = list(range(len(names)))
    return {"tickmode": "array", "tickvals": values, "ticktext": list(names), "showgrid": False, "ticks": ""}
