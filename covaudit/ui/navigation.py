"""The ten pages, and the way into each of them through app.py."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.navigation.page import Page

from covaudit.ui import brand

_ROUTED = "inside_app"


def build_pages() -> dict[str, list[Page]]:
    """The pages by section, for `st.navigation`."""
    return {
        "": [st.Page("pages/overview.py", title="Overview", icon=":material/home:", default=True)],
        "Set up": [
            st.Page("pages/sources.py", title="Sources", icon=":material/folder_open:"),
            st.Page("pages/compose.py", title="Compose", icon=":material/tune:"),
            st.Page("pages/jobs.py", title="Jobs", icon=":material/pending_actions:"),
        ],
        "Look": [
            st.Page("pages/results.py", title="Results", icon=":material/monitoring:"),
            st.Page("pages/heat_maps.py", title="Heat maps", icon=":material/local_fire_department:"),
            st.Page("pages/findings.py", title="Findings", icon=":material/fact_check:"),
            st.Page("pages/compare.py", title="Compare", icon=":material/compare:"),
            st.Page("pages/papers.py", title="Papers", icon=":material/menu_book:"),
            st.Page("pages/predict.py", title="Predict", icon=":material/radiology:"),
        ],
    }


def set_up() -> None:
    """Title, mark and layout. To be called before `st.navigation`, which would fetch an icon from another host."""
    st.set_page_config(page_title="CovAudit", page_icon=brand.ICON, layout="wide", initial_sidebar_state=240)
    st.logo(brand.LOGO, size="large", icon_image=brand.ICON)


@contextmanager
def routed() -> Iterator[None]:
    """What app.py runs a page in."""
    st.session_state[_ROUTED] = True
    try:
        yield
    finally:
        st.session_state[_ROUTED] = False


def through_app() -> None:
    """Begin again through app.py when the page was run without it.

    Streamlit runs files of a folder called pages by themselves until `st.navigation` was called once: the first visit
    after a start, if it is a deep link, would have no banner and no navigation.
    """
    if not st.session_state.get(_ROUTED):
        set_up()
        st.navigation(build_pages())
        st.rerun()
