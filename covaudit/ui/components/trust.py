"""The trust panel of an uploaded image: what the answer rests on, and what the image looks like."""

from math import isnan
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from covaudit.domain.run import Run
from covaudit.explain.overlay import grey_png
from covaudit.store import Store, results
from covaudit.ui.errors import shown_errors
from covaudit.ui.text import literal, md_escape, share

if TYPE_CHECKING:
    from covaudit.explain.predict_image import ImagePrediction


_NEIGHBOUR = 88  # pixels: three side by side on a telephone


def show_cautions(answer: "ImagePrediction") -> None:
    for caution in answer.trust.cautions:
        st.warning(md_escape(caution, 300), icon=":material/warning:")


def show_trust(store: Store, run: Run, answer: "ImagePrediction") -> None:
    """Under the answer: the same image without its lungs and markers, the source it looks like, its neighbours."""
    trust = answer.trust
    st.markdown("**What the answer rests on**")
    if not isnan(trust.outside_lungs):
        outside = share(trust.outside_lungs)
        st.text(f"{outside} of the heat lies outside the lungs (outlined; found by {trust.lungs_by}).")
    _show_change(answer, trust.without_lungs, "With the lungs blanked", "no lungs were found to blank")
    _show_change(answer, trust.without_markers, "With markers and text erased", "no marker was found to erase")
    if trust.source:
        st.text(f"By its look alone it could be from source {literal(trust.source, 40)} (p = {trust.source_p:.2f}).")
    else:
        st.text("Source by its look alone: –, it is unlike the training images, or these came from one source.")
    _show_neighbours(store, run, answer)


def _show_change(answer: "ImagePrediction", without: NDArray[np.float32] | None, what: str, why: str) -> None:
    if without is None:
        st.text(f"{what}: –, {why}.")
        return
    place = int(np.argmax(answer.probabilities))
    before, after = float(answer.probabilities[place]), float(without[place])
    flips = (
        "" if int(np.argmax(without)) == place else f"; the answer becomes {answer.classes[int(np.argmax(without))]}"
    )
    st.text(f"{what}: {literal(answer.classes[place], 20)} {share(before)} → {share(after)}{literal(flips, 60)}.")


def _show_neighbours(store: Store, run: Run, answer: "ImagePrediction") -> None:
    if not answer.trust.neighbours:
        return
    st.markdown("**Nearest training images**")
    with shown_errors():
        pixels = results.pixels(store, run)
        row = st.container(horizontal=True, gap="small")
        for near in answer.trust.neighbours:
            name = f"{literal(near.class_name, 20)} · {literal(near.source, 24)}"
            alt = f"Training image {literal(near.image_id)}: {name}"
            with row.container(width=_NEIGHBOUR, gap="xsmall"):
                st.image(grey_png(np.asarray(pixels[near.row])), width=_NEIGHBOUR, output_format="PNG", alt=alt)
                st.text(name)
