"""What all figures have in common: no background, no text colour of their own, the same margins and hover."""

from collections.abc import Sequence

import plotly.graph_objects as go

from covaudit.figures import palette

SIDE = 16


def finish(figure: go.Figure, height: int, top: int = SIDE, bottom: int = 44, right: int = SIDE) -> go.Figure:
    """Set the common layout. Sizes in pixels; the width is that of the page.

    Texts without a colour take the theme's, light or dark; `uirevision` keeps zoom and hidden series when the figure
    is drawn anew with more data.
    """
    figure.update_layout(
        height=height,
        margin={"l": SIDE, "r": right, "t": top, "b": bottom},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        uirevision="keep",
        hovermode="closest",
        hoverlabel={"align": "left"},
    )
    figure.update_xaxes(gridcolor=palette.FAINT, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=palette.FAINT, zeroline=False, automargin=True)
    return figure


def diagonal() -> go.Scatter:
    """The dotted line from (0, 0) to (1, 1), without a name and without hover."""
    line = {"color": palette.NEUTRAL, "dash": "dot", "width": 1}
    return go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, showlegend=False, hoverinfo="skip")


def legend_above(figure: go.Figure, names: Sequence[str]) -> int:
    """Put the legend above the plot: in one line where that fits the narrowest page (360 px), else one name a line.

    Returns the pixels it needs.
    """
    fits = sum(len(name) * 7 + 52 for name in names) <= 330
    figure.update_layout(
        legend={
            "orientation": "h" if fits else "v",
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yanchor": "bottom",
            "bgcolor": "rgba(0,0,0,0)",
        }
    )
    return 16 + 21 * (1 if fits else len(names))


def for_theme(figure: go.Figure, is_dark: bool) -> go.Figure:
    """Set the text colour for a light or dark page.

    Streamlit's own theme writes in a grey of 3.9:1 on white; this is above 12:1 on both. Texts on coloured cells keep
    their colour.
    """
    ink = palette.INK_ON_DARK if is_dark else palette.INK_ON_LIGHT
    figure.update_layout(font_color=ink, legend_font_color=ink)
    figure.update_xaxes(tickfont_color=ink, title_font_color=ink)
    figure.update_yaxes(tickfont_color=ink, title_font_color=ink)
    return figure


def still(figure: go.Figure) -> go.Figure:
    """No zoom by dragging: a finger on a phone must be able to scroll past the figure."""
    figure.update_layout(dragmode=False)
    figure.update_xaxes(fixedrange=True)
    figure.update_yaxes(fixedrange=True)
    return figure


def empty(message: str, height: int = 160) -> go.Figure:
    """A figure without data that says so."""
    figure = finish(go.Figure(), height, top=SIDE, bottom=SIDE)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(text=message, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"size": 15})
    return still(figure)
