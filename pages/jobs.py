"""Runs that wait, work and have ended; one of them in detail."""

import streamlit as st

from covaudit.store import runs
from covaudit.ui import state
from covaudit.ui.components.devices import show_devices
from covaudit.ui.components.frame import empty, title
from covaudit.ui.components.job_table import pick_job
from covaudit.ui.components.progress import show_run
from covaudit.ui.components.runs import active_runs

REFRESH_S = 2

store = state.enter_page()
title("Jobs", "Every run, the newest first. They go on when this page, or the whole app, is closed.")
is_live = bool(active_runs(runs.listing(store)))


@st.fragment(run_every=REFRESH_S if is_live else None)
def live() -> None:
    found = runs.listing(store)
    if is_live and not active_runs(found):
        st.rerun()
    if not found:
        empty("No run yet.", "Compose one", "pages/compose.py")
        return
    chosen = pick_job(store, found)
    with st.expander("Devices", icon=":material/memory:"):
        show_devices(store, is_work_waiting=bool(active_runs(found)))
    if chosen is not None:
        show_run(store, chosen)


live()
