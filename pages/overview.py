"""What this is, what the demo shows, and what happened last."""

import streamlit as st

from covaudit.store import runs
from covaudit.ui import state
from covaudit.ui.components import story

store = state.enter_page()
st.title("CovAudit", anchor=False)
st.markdown(
    "**Is this chest-image classifier reading the disease, or the data set it came from?** "
    "Train on one mixture of sources, test on another, and see how much of the result is a shortcut."
)
found = runs.listing(store)
demo = [run for run in found if run.demo]
if not found:
    story.show_nothing(store)
elif demo:
    story.show_demo(store, demo)
story.show_latest(store, found)
