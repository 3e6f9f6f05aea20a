"""Where images come from: what is in each source, what is known of it, and how to add one."""

import streamlit as st

from covaudit.store import sources
from covaudit.ui import state
from covaudit.ui.components import source_cards
from covaudit.ui.components.frame import title

store = state.enter_page()
title("Sources", "Each source is one provenance of images. What is known of it decides what a mixture can show.")
known = sources.listing(store)
source_cards.show_table(store, known)
source = source_cards.pick_source(known)
source_cards.show_card(store, source)
st.divider()
source_cards.show_form(store)
