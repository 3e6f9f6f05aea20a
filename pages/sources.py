"""Where images come from: what is in each source, what is wrong with them, and how to add one."""

import streamlit as st

from covaudit.store import sources
from covaudit.ui import state
from covaudit.ui.components import source_cards, source_health
from covaudit.ui.components.frame import choose, title

store = state.enter_page()
title("Sources", "Each source is one provenance of images. What is known of it decides what a mixture can show.")
known = sources.listing(store)
view = choose("Show", {"each": "Each source", "health": "Health of several together"}, key="view", default="each")
if view == "health":
    source_health.show_health(store, known)
    st.stop()
source_cards.show_table(store, known)
source = source_cards.pick_source(known)
source_health.show_scan(store, source)
source_cards.show_card(store, source)
st.divider()
source_cards.show_form(store)
