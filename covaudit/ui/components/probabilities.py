"""Probabilities of the classes as bars with their numbers."""

from collections.abc import Sequence

import streamlit as st

from covaudit.ui.text import md_escape


def show_probabilities(classes: Sequence[str], probabilities: Sequence[float], predicted: str) -> None:
    """One bar a class, in the task's order; in bold what was predicted, one class or several joined."""
    said = {predicted, *predicted.split("+")}
    for name, probability in zip(classes, probabilities, strict=True):
        shown = f"**{md_escape(name, 40)}** (predicted)" if name in said else md_escape(name, 40)
        st.progress(min(1.0, max(0.0, probability)), text=f"{shown}: {100 * probability:.1f} %")
