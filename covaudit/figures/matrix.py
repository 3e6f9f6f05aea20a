"""A grid of cells coloured by share, without the text in them."""

from collections.abc import Sequence

import plotly.graph_objects as go

from covaudit.figures.palette import MATRIX


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
