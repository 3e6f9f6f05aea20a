"""What every page has: its title with one sentence, and what it shows while there is nothing to show."""

from collections.abc import Mapping

import streamlit as st

from covaudit.ui import state
from covaudit.ui.text import md_escape


def title(text: str, sentence: str) -> None:
    """The page's title and what it is for; both our own words."""
    st.title(text, anchor=False)
    st.markdown(sentence)


def empty(cause: str, label: str, page: str, icon: str = ":material/inbox:") -> None:
    """Why there is nothing to see, and one button to the page that changes it."""
    with st.container(border=True, horizontal_alignment="center"):
        st.space("small")
        st.subheader(icon, anchor=False, width="content")
        st.text(cause, text_alignment="center")
        if st.button(label, type="primary", key=f"empty_{label}"):
            st.switch_page(page)
        st.space("small")


def chip(word: str, icon: str, colour: str) -> str:
    """A badge as Markdown: icon and word, so that colour is never alone."""
    return f":{colour}-badge[{icon} {md_escape(word)}]"


def choose(label: str, options: Mapping[str, str], key: str, default: str) -> str:
    """One of a few options (value to our own words) as a row of radio buttons; its value is part of the address."""
    keep = state.follow_address(key, options, default)
    chosen = st.radio(
        label, list(options), format_func=options.__getitem__, horizontal=True, key=key, on_change=keep
    )  # fmt: skip
    return str(chosen or default)
