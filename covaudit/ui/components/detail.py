"""One image of the gallery: as it is, and under its heat map."""

from typing import Any

import pandas as pd
import streamlit as st

from covaudit.domain.experiment import HEAT_METHODS
from covaudit.domain.run import Run
from covaudit.figures.text import SPLITS
from covaudit.store import Store, results
from covaudit.ui import state
from covaudit.ui.components.gallery import heat_words, open_image
from covaudit.ui.components.images import (
    ALPHA,
    Choice,
    alt_of,
    chosen_overlay_of,
    lungs_words,
    original_of,
    overlay_of,
    show_colour_bar,
)
from covaudit.ui.components.probabilities import show_probabilities
from covaudit.ui.text import literal


def show_detail(store: Store, run: Run, table: pd.DataFrame, chosen: pd.DataFrame) -> None:
    """The image that the address names; previous and next follow the filters and their order."""
    asked = st.query_params[state.IMAGE]
    found = table[table["sample_row"].astype(str) == asked]
    _show_steps(chosen, asked)
    if found.empty:
        st.warning("This image is not among the heat maps of the run.")
        return
    row = found.iloc[0]
    alpha, lungs = _show_controls(row)
    choice = _choose_map(store, run, row)
    left, right = st.columns(2, gap="medium")
    with left:
        st.image(
            original_of(store, run, row, lungs), width="stretch", output_format="PNG", alt=alt_of(row, "Radiograph")
        )
        st.text(f"As the network saw it; {lungs_words(store, run, row)}" if lungs else "As the network saw it")
    with right:
        _show_map(store, run, row, choice, alpha, lungs)
    show_colour_bar()
    _show_facts(run, row)


def _show_steps(chosen: pd.DataFrame, asked: str) -> None:
    rows = [str(row) for row in chosen["sample_row"]]
    place = rows.index(asked) if asked in rows else -1
    before, after = rows[place - 1] if place > 0 else None, rows[place + 1] if 0 <= place < len(rows) - 1 else None
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button("Back to all", icon=":material/grid_view:", on_click=_close, shortcut="Escape")
        st.button(
            "Previous",
            icon=":material/chevron_left:",
            disabled=before is None,
            on_click=_go,
            args=(before,),
            shortcut="k",
        )
        st.button(
            "Next", icon=":material/chevron_right:", disabled=after is None, on_click=_go, args=(after,), shortcut="j"
        )
        st.text(f"{place + 1} of {len(rows)}" if place >= 0 else "outside the filters", width="content")


def _show_controls(row: "pd.Series[Any]") -> tuple[float, bool]:
    left, right = st.columns(2, gap="medium", vertical_alignment="bottom")
    percent = left.slider(
        "Opacity of the heat", 0, 100, round(100 * ALPHA), 5, format="%d %%", key="opacity", bind="query-params"
    )
    lungs = right.toggle(
        "Outline of the lungs",
        key="lungs",
        bind="query-params",
        disabled=bool(pd.isna(row["outside_lungs"])),
        help="Where the source, or a network that finds lungs, says where they are.",
    )
    return percent / 100, bool(lungs)


def _choose_map(store: Store, run: Run, row: "pd.Series[Any]") -> Choice | None:
    """Class, method and view of the map to draw; None for the one that the run was audited by."""
    if results.class_maps(store, run) is None:
        return None
    classes, methods = list(run.experiment.task.classes), list(HEAT_METHODS)
    branches = [branch["name"] for branch in results.network_facts(store, run).get("cam_branches", [])]
    boxes = st.columns(3 if branches else 2, gap="medium", vertical_alignment="bottom")
    audited = classes.index(row["heat_target"]) if row["heat_target"] in classes else 0
    target = boxes[0].selectbox("Heat map of class", classes, index=audited, format_func=literal, key="heat_class")
    usual = methods.index(run.experiment.explanation.method)
    method = boxes[1].selectbox("Method", methods, index=usual, format_func=HEAT_METHODS.__getitem__, key="heat_method")
    view = boxes[2].selectbox("Part of the network", ["whole", *branches], key="heat_view") if branches else "whole"
    choice = Choice(["whole", *branches].index(view), methods.index(method), classes.index(target))
    return None if choice == (0, usual, audited) else choice


def _show_map(store: Store, run: Run, row: "pd.Series[Any]", choice: Choice | None, alpha: float, lungs: bool) -> None:
    drawn = overlay_of(store, run, row, alpha, lungs) if choice is None else None
    if choice is not None:
        drawn = chosen_overlay_of(store, run, row, choice, alpha, lungs)
    if drawn is None:
        st.info("This map was not kept.", icon=":material/info:")
        return
    st.image(drawn, width="stretch", output_format="PNG", alt=alt_of(row, "Heat map"))
    if choice is None:
        st.text(f"Heat map of {literal(row['heat_target'], 20)}: {heat_words(row).replace(chr(10), ', ')}")
    else:
        name = run.experiment.task.classes[choice.target]
        st.text(f"Heat map of {literal(name, 20)}, {list(HEAT_METHODS.values())[choice.method]}; not the audited one")


def _show_facts(run: Run, row: "pd.Series[Any]") -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**Probabilities**")
        classes = run.experiment.task.classes
        show_probabilities(classes, [float(row[f"p_{name}"]) for name in classes], str(row["predicted"]))
    with right:
        st.markdown("**Image**")
        facts = {
            "Image": row["image_id"], "Source": row["source"], "Patient": row["patient"], "Label": row["label"],
            "True class": row["class_name"], "Predicted": row["predicted"],
            "Test": SPLITS.get(row["split"], row["split"]),
        }  # fmt: skip
        frame = pd.DataFrame({"What": list(facts), "Value": [literal(value) for value in facts.values()]})
        st.dataframe(frame, hide_index=True, alt="What is known of the image")


def _go(sample_row: str | None) -> None:
    if sample_row is not None:
        open_image(int(sample_row))


def _close() -> None:
    if state.IMAGE in st.query_params:
        del st.query_params[state.IMAGE]
