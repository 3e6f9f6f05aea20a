"""Two runs or more side by side: what was asked, what came out, and whether it is more than chance."""

import streamlit as st

from covaudit.ui import state
from covaudit.ui.components import comparison, pairs
from covaudit.ui.components.frame import title
from covaudit.ui.components.runs import pick_runs

store = state.enter_page()
title("Compare", "What differs between runs, in what was asked and in what came out. The first run is the baseline.")
chosen = pick_runs(store, "Runs", least=2)
if len(chosen) == 1:
    st.info("Choose one run more to compare it with.", icon=":material/info:")
if len(chosen) < 2:
    st.stop()

comparison.show_differences(chosen)
comparison.show_metrics(store, chosen)
pairs.show_paired(store, chosen, comparison.names_of(chosen))
comparison.show_confusions(store, chosen)
comparison.show_same_images(store, chosen)
