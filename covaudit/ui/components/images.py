"""Images of a run and of a source as PNG bytes, kept so that turning a page draws only what is new."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from covaudit.domain.regions import LUNG, LUNGS_FOUND, LUNGS_KNOWN
from covaudit.domain.run import Run
from covaudit.explain.grid import Grid, to_bytes
from covaudit.explain.grid import place as grid_place
from covaudit.explain.overlay import colour_scale, grey_png, overlay_png, png
from covaudit.store import Store, results
from covaudit.ui.text import literal, share

ALPHA = 0.55
_KEPT = 2000


def overlay_of(store: Store, run: Run, row: "pd.Series[Any]", alpha: float = ALPHA, lungs: bool = False) -> bytes:
    """The heat map of a prediction drawn on its image; the image alone where it has no map."""
    return _overlay(store, run, run_key(store, run), _place(row), alpha, lungs)


class Choice(NamedTuple):
    """Which heat map of an image to draw: number of a view, of a method and of a class."""

    view: int
    method: int
    target: int


def chosen_overlay_of(
    store: Store, run: Run, row: "pd.Series[Any]", choice: Choice, alpha: float = ALPHA, lungs: bool = False
) -> bytes | None:
    """The heat map of any class, method and view drawn on the image; None where the run did not keep them."""
    return _chosen(store, run, run_key(store, run), _place(row), choice, alpha, lungs)


def is_empty_map(store: Store, run: Run, row: "pd.Series[Any]") -> bool:
    """Whether the run's map of a prediction has no evidence at all."""
    shown = _shown(store, run, _place(row))
    return shown.heatmap is not None and not shown.heatmap.any()


def lung_mask_of(store: Store, run: Run, row: "pd.Series[Any]") -> "np.ndarray[Any, np.dtype[np.bool_]] | None":
    """The lungs (H, W) of an image, None where they are not known."""
    return _lungs(_shown(store, run, _place(row)))


def original_of(store: Store, run: Run, row: "pd.Series[Any]", lungs: bool = False) -> bytes:
    """The image of a prediction as the network saw it."""
    return _original(store, run, run_key(store, run), _place(row), lungs)


def run_key(store: Store, run: Run) -> str:
    """What tells the files of this attempt from all others, for caches."""
    return str(results.folder(store, run))


def _place(row: "pd.Series[Any]") -> tuple[int, int]:
    return int(row["sample_row"]), int(row["heatmap_row"])


@st.cache_data(max_entries=_KEPT, show_spinner=False)
def _overlay(_store: Store, _run: Run, key: str, place: tuple[int, int], alpha: float, lungs: bool) -> bytes:
    shown = _shown(_store, _run, place)
    outline = _lungs(shown) if lungs else None
    if shown.heatmap is None:
        return grey_png(np.asarray(shown.pixels), outline)
    return overlay_png(np.asarray(shown.pixels), np.asarray(shown.heatmap), alpha, outline)


@st.cache_data(max_entries=_KEPT, show_spinner=False)
def _original(_store: Store, _run: Run, key: str, place: tuple[int, int], lungs: bool) -> bytes:
    shown = _shown(_store, _run, place)
    return grey_png(np.asarray(shown.pixels), _lungs(shown) if lungs else None)


@st.cache_data(max_entries=_KEPT, show_spinner=False)
def _chosen(
    _store: Store, _run: Run, key: str, place: tuple[int, int], choice: Choice, alpha: float, lungs: bool
) -> bytes | None:
    maps = results.class_maps(_store, _run, choice.view)
    if maps is None or place[1] < 0:
        return None
    shown, facts = _shown(_store, _run, place), results.network_facts(_store, _run)
    prefix, view = ("cam_", facts) if choice.view == 0 else ("", facts["cam_branches"][choice.view - 1])
    grid = Grid(view[f"{prefix}offset"], view[f"{prefix}stride"], view[f"{prefix}cells"])
    raw = np.asarray(maps[place[1], choice.method, choice.target], np.float32)[None]
    heatmap = to_bytes(grid_place(raw, grid, shown.pixels.shape[0]))[0]
    return overlay_png(np.asarray(shown.pixels), heatmap, alpha, _lungs(shown) if lungs else None)


def _shown(store: Store, run: Run, place: tuple[int, int]) -> results.Shown:
    return results.shown(store, run, pd.DataFrame({"sample_row": [place[0]], "heatmap_row": [place[1]]}))[0]


def _lungs(shown: results.Shown) -> "np.ndarray[Any, np.dtype[np.bool_]] | None":
    if shown.regions is None:
        return None
    mask = (np.asarray(shown.regions) & LUNG) > 0
    return mask if mask.any() else None


def lungs_words(store: Store, run: Run, row: "pd.Series[Any]") -> str:
    """Whose outline of the lungs an image has: its source's, or that of the network that found them."""
    regions = _shown(store, run, _place(row)).regions
    if regions is None or not regions[0, 0] & LUNGS_KNOWN:
        return "lungs not known"
    if not regions[0, 0] & LUNGS_FOUND:
        return "lungs as the source gives them"
    return f"lungs as {results.summary(store, run.id).get('lungs_found_by', 'a segmentation')} found them"


def alt_of(row: "pd.Series[Any]", what: str) -> str:
    """What a person who does not see the image is told."""
    outside = f", {share(row['outside_lungs'])} of the heat outside the lungs" if row["heatmap_row"] >= 0 else ""
    truth, predicted = literal(row["class_name"], 20), literal(row["predicted"], 20)
    return f"{what} of image {literal(row['image_id'])}: truth {truth}, predicted {predicted}{outside}"


def show_colour_bar() -> None:
    """What the colours of an overlay mean, in numbers."""
    strip = np.repeat(colour_scale()[None], 12, axis=0)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.text("0 %", width="content")
        st.image(
            png(strip), width=220, output_format="PNG", alt="Colours of the heat map from cold, dark, to hot, bright"
        )
        st.text("100 % of the image's hottest place", width="content")
