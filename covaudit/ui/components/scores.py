"""Metrics as people read them: big numbers, and tables whose thin rows are grey."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from covaudit.domain.estimate import Estimate
from covaudit.figures.text import SPLITS
from covaudit.reports.tables import HEADLINE, NOTE, find
from covaudit.ui.text import TOO_FEW, score


def headline_metrics(estimates: Sequence[Estimate], metric: str = HEADLINE) -> None:
    """Internal, external and gap as three numbers, each with its interval and n."""
    for split, box in zip(("internal", "external", "gap"), st.columns(3, gap="small"), strict=True):
        found = find(estimates, split, metric)
        label = SPLITS[split]
        with box.container(border=True, height="stretch"):
            show_number(label, found)


def show_number(label: str, found: Estimate) -> None:
    """One big number with its interval and n below it. `label` is our own words."""
    under = f"95 %: {score(found.low)} to {score(found.high)}, n {found.n:,}" if found.is_defined else "not defined"
    st.metric(label, score(found.value), under if found.n else "no image", delta_color="off", delta_arrow="off")


def show_counted(frame: pd.DataFrame, alt: str) -> None:
    """A table whose rows of fewer than 30 images are grey and say so."""
    if frame.empty:
        st.text("No images.")
        return
    grey = "#9AA7AC" if st.context.theme.type == "dark" else "#5F6E75"
    few = frame["Images"] < TOO_FEW
    frame = frame if few.any() else frame.drop(columns=NOTE)
    styled = frame.style.apply(
        lambda row: [f"color: {grey}; font-style: italic" if few[row.name] else ""] * len(row), axis=1
    )
    st.dataframe(styled, hide_index=True, alt=alt)
    if few.any():
        st.markdown(f":gray[Grey rows rest on fewer than {TOO_FEW} images: too few to judge by.]")
