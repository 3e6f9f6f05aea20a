"""Heat maps as a paged gallery with filters that live in the address."""

from functools import partial
from math import ceil
from typing import Any

import pandas as pd
import streamlit as st

from covaudit.domain.experiment import HEAT_METHODS
from covaudit.domain.run import Run
from covaudit.figures.text import SPLITS
from covaudit.jobs import maps
from covaudit.store import Store, results
from covaudit.ui import state
from covaudit.ui.components.frame import choose
from covaudit.ui.components.images import alt_of, overlay_of, show_colour_bar
from covaudit.ui.components.sanity import badge, outcomes, show_gate, warn_if_blind
from covaudit.ui.text import count, literal, md_escape, share

PER_PAGE = 24
_MOST_IN_ZIP = 1000
_BOTH = "both"
_ANSWERS = {_BOTH: "Right and wrong", "right": "Right", "wrong": "Wrong"}
_TESTS = {_BOTH: "Both tests", "internal": SPLITS["internal"], "external": SPLITS["external"]}
_ORDERS: dict[str, tuple[str, str, bool]] = {
    "outside": ("Most heat outside the lungs", "outside_lungs", False),
    "inside": ("Least heat outside the lungs", "outside_lungs", True),
    "markers": ("Most heat on markers", "on_markers", False),
    "certain": ("Most certain", "certainty", False),
    "uncertain": ("Least certain", "certainty", True),
}
_ORDER_WORDS = {name: order[0] for name, order in _ORDERS.items()}


def filter_images(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """The rows that the filters leave, in the order that is chosen. Each filter is part of the address."""
    with st.container(horizontal=True, gap="large"):
        test = choose("Test", _TESTS, "test", _BOTH)
        answer = choose("Answer", _ANSWERS, "answer", _BOTH)
    left, middle, right = st.columns(3, gap="medium")
    classes = left.multiselect(
        "True class",
        list(run.experiment.task.classes),
        format_func=literal,
        key="class",
        placeholder="All classes",
        bind="query-params",
    )
    names = sorted(table["source"].unique())
    sources = middle.multiselect(
        "Source", names, format_func=literal, key="source", placeholder="All sources", bind="query-params"
    )
    keep = state.follow_address("order", _ORDER_WORDS, "outside")
    order = right.selectbox("Order", list(_ORDERS), format_func=_ORDER_WORDS.__getitem__, key="order", on_change=keep)
    kept = table
    if test != _BOTH:
        kept = kept[kept["split"] == test]
    if answer != _BOTH:
        kept = kept[(kept["predicted"] == kept["class_name"]) == (answer == "right")]
    if classes:
        kept = kept[kept["class_name"].isin(classes)]
    if sources:
        kept = kept[kept["source"].isin(sources)]
    return in_order(kept, order)


def in_order(table: pd.DataFrame, order: str) -> pd.DataFrame:
    """Sorted by the column of an order, unknown values last; ties by image id, so that pages stay the same."""
    _, column, ascending = _ORDERS[order]
    with_certainty = table.assign(certainty=certainty(table))
    return with_certainty.sort_values([column, "image_id"], ascending=[ascending, True], na_position="last")


def certainty(table: pd.DataFrame) -> "pd.Series[float]":
    """The probability of the predicted class."""
    columns = [name for name in table.columns if name.startswith("p_")]
    return table[columns].max(axis=1)


def show_gallery(store: Store, run: Run, rows: pd.DataFrame) -> None:
    """One page of cards, with the pages below."""
    if rows.empty:
        st.info("No image fits these filters.", icon=":material/filter_alt_off:")
        if st.button("Clear the filters", type="primary"):
            all_of_them = {"test": _BOTH, "answer": _BOTH}
            st.switch_page("pages/heat_maps.py", query_params={state.RUN: run.id, **all_of_them})
        return
    pages = ceil(len(rows) / PER_PAGE)
    page = min(int(st.session_state.get("page", 1)), pages)
    first = (page - 1) * PER_PAGE
    shown = rows.iloc[first : first + PER_PAGE]
    warn_if_blind(store, run)
    _summary(rows, first, len(shown))
    with st.grid(min_column_width=170, gap="small"):
        for _, row in shown.iterrows():
            _card(store, run, row)
    if pages > 1:
        st.pagination(pages, key="page", bind="query-params")
    show_colour_bar()
    st.text(_method_words(store, run))
    st.markdown(badge(outcomes(store, run), run.experiment.explanation.method))
    _show_download(store, run, rows)
    show_gate(store, run)


def _show_download(store: Store, run: Run, rows: pd.DataFrame) -> None:
    """The maps that the filters leave, drawn when somebody asks for them."""
    taken = rows.head(_MOST_IN_ZIP)
    st.download_button(
        f"These {len(taken):,} heat maps as a zip",
        partial(maps.zipped, store, run, taken),
        f"heat-maps-{run.id}.zip",
        "application/zip",
        icon=":material/download:",
        on_click="ignore",
        key="save_maps",
        help="PNG overlays, all maps as a NumPy array, and a table of the images."
        + (f" The first {_MOST_IN_ZIP:,}; 'python -m covaudit maps' writes all." if len(rows) > len(taken) else ""),
    )


def _method_words(store: Store, run: Run) -> str:
    """How the maps were made, and how fine they can be."""
    method = HEAT_METHODS[run.experiment.explanation.method]
    cells = results.summary(store, run.id).get("heat_map", {}).get("cells")
    fineness = f" from a layer of {cells} × {cells} cells, smoothed to the image's size" if cells else ""
    words = f"{method} of the predicted class{fineness}: where the score changes, not why."
    if run.experiment.n_folds > 1:
        words += " Of an image that the networks of all folds were tested on, the map is of the first fold's."
    return words


def _summary(rows: pd.DataFrame, first: int, shown: int) -> None:
    known = rows["outside_lungs"].dropna()
    words = f"{first + 1}–{first + shown} of {count(len(rows), 'image')}"
    if len(known):
        words += f"; half of them have more than {share(float(known.median()))} of their heat outside the lungs"
    st.text(f"{words}.")


def _card(store: Store, run: Run, row: "pd.Series[Any]") -> None:
    with st.container(border=True, gap="xsmall"):
        st.image(overlay_of(store, run, row), width="stretch", output_format="PNG", alt=alt_of(row, "Heat map"))
        is_right = row["predicted"] == row["class_name"]
        icon, colour = (":material/check:", "green") if is_right else (":material/close:", "red")
        words = f"{md_escape(row['predicted'], 20)} {share(row['certainty'])}"
        st.markdown(f":{colour}-badge[{icon} {words}]")
        st.text(f"Truth {literal(row['class_name'], 20)} · {literal(row['source'], 24)}")
        st.text(heat_words(row))
        st.button("Open", key=f"open_{row['sample_row']}", on_click=open_image, args=(int(row["sample_row"]),))


def heat_words(row: "pd.Series[Any]") -> str:
    """'71 % outside the lungs' and '40 % on markers', a line each, as far as it is known."""
    if pd.isna(row["outside_lungs"]):
        return "Lungs not known"
    markers = "" if pd.isna(row["on_markers"]) else f"\n{share(row['on_markers'])} on markers"
    return f"{share(row['outside_lungs'])} outside the lungs{markers}"


def open_image(sample_row: int) -> None:
    st.query_params[state.IMAGE] = str(sample_row)
