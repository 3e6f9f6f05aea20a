"""Presets to start from: what each needs, what of it is here, and what the paper printed."""

import pandas as pd
import streamlit as st

from covaudit.domain.presets import PRESETS, SMALL_EPOCHS, SMALL_PER_CLASS, SMALL_TEST, Available, missing
from covaudit.domain.setups import SETUPS, PrintedClass
from covaudit.jobs import preset
from covaudit.store import Store, sources
from covaudit.ui import draft
from covaudit.ui.draft import Draft
from covaudit.ui.text import md_escape

_PRESET = "compose_preset"
_NUMBERS = ("Printed", "Here", "Test images here")
_SMALL_WORDS = (
    f"For a first look in minutes: random weights, small images, {SMALL_EPOCHS} epochs, one fold, at most "
    f"{SMALL_PER_CLASS} images of each class and {SMALL_TEST} of each line of the test. "
    "It says nothing about the paper."
)


def pick_start(store: Store) -> None:
    """A preset to begin with; choosing one replaces all fields."""
    known = sources.listing(store)
    lacking = {name: missing(one, known) for name, one in PRESETS.items()}

    def title(name: str) -> str:
        return PRESETS[name].name + (f" (needs {', '.join(lacking[name])})" if lacking[name] else "")

    def apply(small: bool = False) -> None:
        chosen = st.session_state[_PRESET]
        if chosen in PRESETS:
            draft.start_from(Draft.of(preset.fitted(store, chosen, small)))

    name = st.selectbox(
        "Start from a preset", list(PRESETS), index=None, placeholder="Replaces all fields below", format_func=title,
        key=_PRESET, on_change=apply,
    )  # fmt: skip
    if name is None:
        return
    if name in SETUPS:
        _show_printed(store, name)
    if lacking[name]:
        _show_missing(lacking[name])
    else:
        st.button(
            "Cut down to try it",
            icon=":material/content_cut:",
            key="cut_down",
            help=_SMALL_WORDS,
            on_click=apply,
            args=(True,),
        )


def _show_missing(lacking: tuple[str, ...]) -> None:
    ways = "\n".join(f"- {md_escape(preset.how_to_get(source), 600)}" for source in lacking)
    st.warning(f"Not here, and needed to run it:\n{ways}", icon=":material/download:")
    st.page_link("pages/sources.py", label="Fetch or add sources", icon=":material/folder_open:")


def _show_printed(store: Store, name: str) -> None:
    """The paper's classes, sources and sizes beside what is here."""
    setup, here = SETUPS[name], preset.counts_here(store, name)
    with st.expander(f"{setup.title}: as printed, and what is here", icon=":material/article:", expanded=True):
        st.dataframe(
            pd.DataFrame([_row(one, here[one.name]) for one in setup.classes]), hide_index=True,
            column_config={
                "From": st.column_config.TextColumn(width="medium"),
                **{name: st.column_config.NumberColumn(format="localized") for name in _NUMBERS},
            },
            alt="Printed sizes of each class beside the images that are here",
        )  # fmt: skip
        if setup.reported:
            st.text(f"Accuracy as printed: {setup.reported}")
        st.markdown("\n".join(f"- {md_escape(remark, 400)}" for remark in setup.remarks))


def _row(one: PrintedClass, here: Available) -> dict[str, object]:
    row: dict[str, object] = {
        "Class": one.name,
        "From": ", ".join(one.sources),
        "Printed": one.n,
        "Here": here.n,
        "Train / validation / test": " / ".join(f"{size:,}" for size in one.sizes),
    }
    if one.test_sources:
        row |= {"Tested on": ", ".join(one.test_sources), "Test images here": here.n_test}
    return row
