"""Where the score of a run changes, image by image: a gallery, and one image in detail."""

import streamlit as st

from covaudit.store import results
from covaudit.ui import state
from covaudit.ui.components.detail import show_detail
from covaudit.ui.components.frame import title
from covaudit.ui.components.gallery import filter_images, show_gallery
from covaudit.ui.components.runs import pick_run

store = state.enter_page()
title(
    "Heat maps",
    "Where the score for the predicted class changes, not why. A score that changes outside the lungs, at a marker or "
    "a border, is a sign of a shortcut.",
)
run = pick_run(store)
if run is None:
    st.stop()

table = results.predictions(store, run)
table = table[table["heatmap_row"] >= 0]
if table.empty:
    st.info("This run has no heat maps: it had no test image.", icon=":material/info:")
    st.stop()
chosen = filter_images(run, table)
if state.IMAGE in st.query_params:
    show_detail(store, run, table, chosen)
else:
    show_gallery(store, run, chosen)
