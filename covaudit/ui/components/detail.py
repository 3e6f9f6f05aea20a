"""One image of the gallery: as it is, and under its heat map."""

from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from covaudit.domain.experiment import HEAT_METHODS
from covaudit.domain.explanation import METHOD_CARDS, OF_PIXELS, MapOptions
from covaudit.domain.run import Run
from covaudit.errors import MissingArtifact
from covaudit.explain.overlay import overlay_png
from covaudit.figures.text import SPLITS
from covaudit.store import Store, results
from covaudit.ui import prediction, state
from covaudit.ui.components.gallery import heat_words, open_image
from covaudit.ui.components.images import (
    ALPHA,
    Choice,
    alt_of,
    chosen_overlay_of,
    is_empty_map,
    lung_mask_of,
    lungs_words,
    original_of,
    overlay_of,
    show_colour_bar,
)
from covaudit.ui.components.probabilities import show_probabilities
from covaudit.ui.components.sanity import badge, outcomes
from covaudit.ui.errors import shown_errors
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
    wanted = _choose_map(store, run, row)
    left, right = st.columns(2, gap="medium")
    with left:
        st.image(
            original_of(store, run, row, lungs), width="stretch", output_format="PNG", alt=alt_of(row, "Radiograph")
        )
        st.text(f"As the network saw it; {lungs_words(store, run, row)}" if lungs else "As the network saw it")
    with right:
        _show_map(store, run, row, wanted, alpha, lungs)
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


class Wanted(NamedTuple):
    """The map that a person asks for: number of a view, names of a method and of a class, and how it is made."""

    view: int
    method: str
    target: str
    options: MapOptions


def _choose_map(store: Store, run: Run, row: "pd.Series[Any]") -> Wanted:
    """Class, method and view of the map to draw; at first those that the run was audited by."""
    classes, audited = list(run.experiment.task.classes), _audited(run, row)
    branches = [branch["name"] for branch in _facts(store, run).get("cam_branches", [])]
    boxes = st.columns(3 if branches else 2, gap="medium", vertical_alignment="bottom")
    target = boxes[0].selectbox(
        "Heat map of class", classes, index=classes.index(audited.target), format_func=literal, key="heat_class"
    )
    methods = list(METHOD_CARDS)
    method = boxes[1].selectbox(
        "Method", methods, index=methods.index(audited.method), format_func=lambda name: METHOD_CARDS[name].title,
        key="heat_method", help="HiResCAM and Grad-CAM are kept with the run; the others are computed when asked for.",
    )  # fmt: skip
    view = "whole"
    if branches and method in HEAT_METHODS:
        view = boxes[2].selectbox("Part of the network", ["whole", *branches], key="heat_view")
    options = _choose_variants(method) if view == "whole" else MapOptions()
    return Wanted(["whole", *branches].index(view), method, target, options)


def _audited(run: Run, row: "pd.Series[Any]") -> Wanted:
    classes = run.experiment.task.classes
    target = row["heat_target"] if row["heat_target"] in classes else classes[0]
    return Wanted(0, run.experiment.explanation.method, target, MapOptions())


def _facts(store: Store, run: Run) -> dict[str, Any]:
    try:
        return results.network_facts(store, run)
    except MissingArtifact:
        return {}


def _choose_variants(method: str) -> MapOptions:
    """The papers' own ways of drawing; none is on unless a person turns it on."""
    with st.popover("Variants of the papers", icon=":material/tune:"):
        cut = st.slider(
            "Blank what is below this share of the maximum", 0, 95, 0, 5, format="%d %%", key="heat_threshold",
            help="Paper 1's figure shows what is above 60 %.",
        )  # fmt: skip
        relu = method in ("grad-cam", "hires-cam", "guided-grad-cam") and st.toggle(
            "Drop negative gradients first", key="heat_relu", help="As paper 2's Grad-CAM does. No longer Grad-CAM."
        )
        smooth = st.toggle("Amplify and blur", key="heat_smooth", help="As paper 2 draws the saliency of Efficient.")
    return MapOptions(threshold=cut / 100, relu_gradients=bool(relu), smooth=smooth)


def _show_map(store: Store, run: Run, row: "pd.Series[Any]", wanted: Wanted, alpha: float, lungs: bool) -> None:
    audited = _audited(run, row)
    with shown_errors():
        drawn, is_empty = _drawn(store, run, row, wanted, audited, alpha, lungs)
        st.image(drawn, width="stretch", output_format="PNG", alt=alt_of(row, "Heat map"))
        name = literal(wanted.target, 20)
        if is_empty:
            st.text(f"No evidence for {name}: the map is empty.")
        elif wanted == audited:
            st.text(f"Heat map of {name}: {heat_words(row).replace(chr(10), ', ')}")
        else:
            card = METHOD_CARDS[wanted.method]
            blurred = " Drawn blurred by 1 % of the side." if wanted.method in OF_PIXELS else ""
            st.text(f"Heat map of {name}, {card.title}: {card.reads}.{blurred} Not the audited one.")
        st.markdown(badge(outcomes(store, run), wanted.method))


def _drawn(
    store: Store, run: Run, row: "pd.Series[Any]", wanted: Wanted, audited: Wanted, alpha: float, lungs: bool
) -> tuple[bytes, bool]:
    """The overlay and whether its map is empty: what the run kept where it kept it, else computed now."""
    if wanted == audited:
        return overlay_of(store, run, row, alpha, lungs), is_empty_map(store, run, row)
    kept = None
    if wanted.method in HEAT_METHODS and wanted.options == MapOptions():
        numbers = list(HEAT_METHODS).index(wanted.method), run.experiment.task.classes.index(wanted.target)
        kept = chosen_overlay_of(store, run, row, Choice(wanted.view, *numbers), alpha, lungs)
    if kept is not None:
        return kept, False
    if wanted.view:
        raise MissingArtifact("This run did not keep the maps of parts of its network.")
    found = prediction.explain_row(store, run, row, wanted.target, wanted.method, wanted.options)
    return overlay_png(found.film, found.heat, alpha, lung_mask_of(store, run, row) if lungs else None), found.is_empty


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
