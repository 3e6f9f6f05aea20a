"""Router only: navigation and the research-use banner."""

import streamlit as st

from covaudit import INTENDED_USE
from covaudit.ui import navigation, state
from covaudit.ui.errors import shown_errors

navigation.set_up()
page = st.navigation(navigation.build_pages())
st.markdown(f":orange-background[:material/science: {INTENDED_USE}]")
with shown_errors(), navigation.routed():
    state.start_once()
    page.run()
