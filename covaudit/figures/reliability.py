"""Does a network that says 0.8 hold right in 80 of 100 images: confidence against the share of right answers."""

from collections.abc import Sequence

import plotly.graph_objects as go

from covaudit.figures.layout import diagonal, empty, finish, still
from covaudit.figures.palette import colour, symbol
from covaudit.figures.text import TOO_FEW, interval, number
from covaudit.metrics.calibration import ReliabilityBin


def plot_reliability(bins: Sequence[ReliabilityBin]) -> go.Figure:
    """One point a bin with its interval, hollow where it has fewer than 30 images; below the line: overconfident."""
    if not bins:
        return empty("No image, or probabilities that are not finite.")
    figure = go.Figure(diagonal())
    figure.add_trace(
        go.Scatter(
            x=[one.confidence for one in bins],
            y=[one.share_right for one in bins],
            mode="lines+markers",
            line={"color": colour(0), "width": 1.5},
            marker={
                "color": colour(0),
                "size": 10,
                "symbol": [f"{symbol(0)}-open" if one.n < TOO_FEW else symbol(0) for one in bins],
                "line": {"width": 2, "color": colour(0)},
            },
            error_y={
                "type": "data",
                "symmetric": False,
                "color": colour(0),
                "thickness": 1.5,
                "width": 4,
                "array": [one.high - one.share_right for one in bins],
                "arrayminus": [one.share_right - one.low for one in bins],
            },
            customdata=[
                f"Confidence {number(one.confidence)}<br>right {number(one.share_right)} "
                f"{interval(one.low, one.high)}<br>n {one.n:,}"
                for one in bins
            ],
            hovertemplate="%{customdata}<extra></extra>",
            showlegend=False,
        )
    )
    finish(figure, height=380, bottom=52)
    shared = {"range": [-0.02, 1.02], "constrain": "domain", "dtick": 0.2, "showgrid": True}
    figure.update_xaxes(title_text="Mean confidence", constraintoward="left", **shared)
    figure.update_yaxes(title_text="Share right", scaleanchor="x", constraintoward="bottom", **shared)
    return still(figure)
