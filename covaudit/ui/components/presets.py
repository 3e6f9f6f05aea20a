"""Presets to start from: what each needs, what of it is here, and what the paper printed."""

import pandas as pd
import streamlit as st

from covaudit.domain.labels import is_a
from covaudit.domain.presets import PRESETS, fit, missing
from covaudit.domain.setups import COLLECTION_OF, SETUPS, PrintedClass
from covaudit.sources.catalog import CARDS
from covaudit.store import Store, sources
from covaudit.ui import draft, state
from covaudit.ui.draft import Draft
from covaudit.ui.text import md_escape

_PRESET = "compose_preset"
_NUMBERS = ("Printed", "Here", "Test images here")


def pick_start(store: Store) -> None:
    """A preset to begin with; choosing one replaces all fields."""
    known = sources.listing(store)
    lacking = {name: missing(preset, known) for name, preset in PRESETS.items()}

    def title(name: str) -> str:
        return PRESETS[name].name + (f" (needs {', '.join(lacking[name])})" if lacking[name] else "")

    def apply() -> None:
        chosen = st.session_state[_PRESET]
        if chosen in PRESETS:
            draft.start_from(Draft.of(fit(PRESETS[chosen], known)))

    name = st.selectbox(
        "Start from a preset", list(PRESETS), index=None, placeholder="Replaces all fields below", format_func=title,
        key=_PRESET, on_change=apply,
    )  # fmt: skip
    if name is None:
        return
    for source in lacking[name]:
        words = f"{CARDS[source].title} is not here. {CARDS[source].obtain}."
        st.warning(md_escape(words, 600), icon=":material/download:")
    if name in SETUPS:
        _show_printed(store, name)


def _show_printed(store: Store, name: str) -> None:
    """The paper's classes, sources and sizes beside what is here."""
    setup = SETUPS[name]
    with st.expander(f"{setup.title}: as printed, and what is here", icon=":material/article:", expanded=True):
        st.dataframe(
            pd.DataFrame([_row(store, one) for one in setup.classes]), hide_index=True,
            column_config={name: st.column_config.NumberColumn(format="localized") for name in _NUMBERS},
            alt="Printed sizes of each class beside the images that are here",
        )  # fmt: skip
        if setup.reported:
            st.text(f"Accuracy as printed: {setup.reported}")
        st.markdown("\n".join(f"- {md_escape(remark, 400)}" for remark in setup.remarks))


def _row(store: Store, one: PrintedClass) -> dict[str, object]:
    row: dict[str, object] = {
        "Class": one.name,
        "From": ", ".join(one.sources),
        "Printed": one.n,
        "Here": _here(store, one.sources, one.name),
        "Train / validation / test": " / ".join(f"{size:,}" for size in one.sizes),
    }
    if one.test_sources:
        row |= {"Tested on": ", ".join(one.test_sources), "Test images here": _here(store, one.test_sources, one.name)}
    return row


def _here(store: Store, names: tuple[str, ...], label: str) -> int:
    """Images at or below a label in the sources that stand for the paper's here."""
    tables = state.index_tables(store)
    by_collection = {key: one.name for one in reversed(sources.listing(store)) for key in (one.reader, one.name)}
    counts = [
        (str(found), int(n))
        for name in names
        if (here := by_collection.get(COLLECTION_OF[name])) in tables
        for found, n in tables[str(here)]["label"].value_counts().items()
    ]
    return sum(n for found, n in counts if is_a(found, label))
