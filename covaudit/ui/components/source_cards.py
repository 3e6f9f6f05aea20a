"""The sections of the Sources page: table, card with sample images, and the form that adds one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from covaudit.domain.labels import TITLES
from covaudit.domain.source import Source
from covaudit.errors import BadImage, CovauditError
from covaudit.explain.overlay import SHOWN_SIZE, png, reduce
from covaudit.jobs import errands, scans
from covaudit.sources.catalog import READERS, add_source, card_of
from covaudit.sources.images import open_thumbnail
from covaudit.sources.index import SourceIndex
from covaudit.sources.radiograph import open_radiograph
from covaudit.sources.readers.phantoms import SCHEME
from covaudit.store import Store, sources
from covaudit.ui import state
from covaudit.ui.errors import show_error, shown_errors
from covaudit.ui.text import count, literal, md_escape

_AUTO = "found from the folder"
_ADDED = "source_added"
_MONTAGE = 12
_COLUMNS = ("image", "label", "patient", "view", "sex", "age")


def show_table(store: Store, known: Sequence[Source]) -> None:
    """One row a source: how many images of which label, who is in it, on what terms."""
    frame = pd.DataFrame([_row(store, source) for source in known])
    st.dataframe(
        frame,
        hide_index=True,
        column_config={"Images": st.column_config.NumberColumn(format="localized")},
        alt="Sources with their images, population and licence",
    )


def _row(store: Store, source: Source) -> dict[str, object]:
    card = card_of(source)
    try:
        index = state.source_index(store, source)
        n, labels = len(index.table), label_words(index)
    except CovauditError:
        n, labels = 0, "cannot be read, see below"
    return {
        "Source": literal(source.name),
        "Images": n,
        "By label": labels,
        "Population": literal(card.population, 120),
        "Licence": literal(card.licence, 120),
        "Reader": source.reader,
    }


def label_words(index: SourceIndex) -> str:
    """'NOR 300 · CVP 120', the most frequent first; literal text."""
    counts = index.table["label"].value_counts()
    return " · ".join(f"{literal(label, 30)} {n:,}" for label, n in counts.items())


def pick_source(known: Sequence[Source]) -> Source:
    """The source to look at; its name is part of the address."""
    by_name = {source.name: source for source in known}
    if _ADDED in st.session_state:  # a widget's value can only be set before it is drawn
        st.session_state["name"] = st.session_state.pop(_ADDED)
    name = st.selectbox("Look at", list(by_name), format_func=literal, key="name", bind="query-params")
    return by_name[name]


def show_card(store: Store, source: Source) -> None:
    card = card_of(source)
    st.subheader(md_escape(card.title), anchor=False)
    facts, numbers = st.columns([3, 2], gap="large")
    with facts:
        fields = {
            "Population": card.population, "Reference standard": card.reference_standard, "Licence": card.licence,
            "Modality": card.modality, "Publication": card.publication, "How to obtain": card.obtain,
        }  # fmt: skip
        for name, value in fields.items():
            if value:
                st.markdown(f"**{name}**  \n{md_escape(value, 600)}")
        if card.confounders:
            st.markdown("**Known confounders**\n" + "\n".join(f"- {md_escape(one, 400)}" for one in card.confounders))
    with shown_errors():
        index = state.source_index(store, source)
        with numbers:
            _show_numbers(index)
        _show_montage(source, index)
    if source.path is not None:
        _show_remove(store, source)


def _show_numbers(index: SourceIndex) -> None:
    table = index.table
    st.metric("Images", f"{len(table):,}", border=True)
    st.text(f"{count(table['patient'].nunique(), 'patient')}.")
    counts = table["label"].value_counts()
    rows = [{"Label": literal(name, 40), "Means": TITLES.get(str(name), ""), "Images": n} for name, n in counts.items()]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Images by label")
    if index.dropped:
        st.markdown("**Left out**")
        rows = [{"Reason": literal(reason, 200), "Images": n} for reason, n in index.dropped.items()]
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Images left out, by reason")
    else:
        st.text("No image was left out.")


def _show_montage(source: Source, index: SourceIndex) -> None:
    """A few images of every label, drawn at random; a button draws others."""
    drawn = f"montage_{source.name}"
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown("**Some of its images, drawn at random**", width="content")
        if st.button("Draw others", icon=":material/shuffle:", key="montage"):
            st.session_state[drawn] = st.session_state.get(drawn, 0) + 1
    labels = index.table["label"].value_counts().index
    per_label = max(1, _MONTAGE // max(1, len(labels)))
    with st.grid(6, min_column_width=110, gap="small") as grid:
        for label in labels[:_MONTAGE]:
            rows = index.table[index.table["label"] == label]
            some = rows.sample(min(per_label, len(rows)), random_state=st.session_state.get(drawn, 0))
            for row in some.to_dict("records"):
                with grid.cell():
                    _show_sample(source, row)


def _show_sample(source: Source, row: Mapping[Any, Any]) -> None:
    label = literal(row["label"], 30)
    try:
        image = thumbnail(str(row["path"]), str(row["sha256"]))
    except BadImage as error:
        st.error(md_escape(error, 300), icon=":material/broken_image:")
        return
    alt = f"Image {literal(row['image_id'])} of {literal(source.name)}, label {label}"
    st.image(image, width="stretch", output_format="PNG", alt=alt)
    st.text(" · ".join([label, *([str(row["view"])] if isinstance(row["view"], str) else [])]))


@st.cache_data(max_entries=500, show_spinner=False)
def thumbnail(path: str, sha256: str) -> bytes:
    """A small PNG of a file or phantom; `sha256` makes it another where the content is another. Raises BadImage."""
    if path.startswith(SCHEME):
        return png(reduce(open_radiograph({"path": path, "mask_path": None}).pixels))
    return png(open_thumbnail(Path(path), SHOWN_SIZE))


def _show_remove(store: Store, source: Source) -> None:
    with st.popover("Remove this source", icon=":material/delete:"):
        st.text("CovAudit forgets it. The files stay where they are, and so do finished runs.")
        if st.button("Remove", type="primary", key="remove_source"):
            with shown_errors():
                sources.remove(store, source.name)
                state.forget_indexes()
                st.rerun()


def show_form(store: Store) -> None:
    """Name, folder and reader of a new source."""
    st.subheader("Add a source", anchor=False)
    st.markdown(
        "A folder on this machine: a public collection as it was released, one sub-folder for each class, "
        "or a CSV file with columns for image and label."
    )
    with st.form("add_source", border=True):
        name = st.text_input("Name", max_chars=80, placeholder="hospital-a")
        path = st.text_input("Folder, or CSV file", placeholder="/data/hospital-a")
        reader = st.selectbox("Reader", [_AUTO, *READERS])
        with st.expander("Columns of a CSV file, where they are called otherwise"):
            st.text("Leave blank what is called so already, or is not there.")
            columns = {one: st.text_input(one.capitalize(), key=f"column_{one}") for one in _COLUMNS}
        if st.form_submit_button("Add", type="primary", icon=":material/add:"):
            _add(store, name, path, None if reader == _AUTO else reader, columns)


def _how_many(index: SourceIndex) -> str:
    pending = f", {index.n_pending:,} more to be looked at" if index.n_pending else ""
    return f"{count(len(index.table), 'image')}{pending}"


def _add(store: Store, name: str, path: str, reader: str | None, columns: Mapping[str, str]) -> None:
    if not name.strip() or not path.strip():
        show_error("A source needs a name and a folder. Fill in both.")
        return
    given = {key: value.strip() for key, value in columns.items() if value.strip()}
    with shown_errors(), st.spinner("Reading the folder …"):
        source = add_source(name, Path(path.strip()), reader, given, store.settings.roots)
        sources.add(store, source)
        state.forget_indexes()
        index = state.source_index(store, source)
        if index.n_pending:
            errands.start(store, scans.scan_of(source))
        st.toast(f"{md_escape(source.name)} was added: {_how_many(index)}.", icon=":material/check:")
        st.session_state[_ADDED] = source.name
        st.rerun()
