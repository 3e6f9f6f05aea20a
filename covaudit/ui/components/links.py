"""Links to the pages of one run."""

import streamlit as st

from covaudit.ui import state

_PAGES = {
    "results": ("pages/results.py", "Results", ":material/monitoring:"),
    "heat maps": ("pages/heat_maps.py", "Heat maps", ":material/local_fire_department:"),
    "findings": ("pages/findings.py", "Findings", ":material/fact_check:"),
    "job": ("pages/jobs.py", "Job", ":material/pending_actions:"),
    "predict": ("pages/predict.py", "Predict", ":material/radiology:"),
}


def link_run(run_id: str, *names: str) -> None:
    """Links to a run's pages, by name, beside each other where there is room."""
    with st.container(horizontal=True, gap="medium"):
        for name in names:
            page, label, icon = _PAGES[name]
            st.page_link(page, label=label, icon=icon, query_params={state.RUN: run_id})


def link_comparison(run_ids: list[str], label: str = "Compare") -> None:
    """A link to these runs side by side."""
    query = {state.RUNS: ",".join(run_ids)}
    st.page_link("pages/compare.py", label=label, icon=":material/compare:", query_params=query)
