"""Figures on a page, their text as dark or light as the page's own."""

import plotly.graph_objects as go
import streamlit as st

_TEXT = {"light": "#17262B", "dark": "#E4ECEE"}


def show_chart(figure: go.Figure, key: str, alt: str) -> None:
    """A figure with the theme's text colour: Streamlit's own is a grey too faint to read."""
    colour = _TEXT.get(st.context.theme.type or "light", _TEXT["light"])
    figure.update_layout(font={"color": colour})
    for axes in (figure.update_xaxes, figure.update_yaxes):
        axes(tickfont={"color": colour}, title_font={"color": colour})
    st.plotly_chart(figure, key=key, alt=alt, config={"displaylogo": False})
