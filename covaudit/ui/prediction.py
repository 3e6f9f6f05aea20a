"""The Predict page: the only place of the web process that loads torch, and only when there is an image to predict."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from covaudit import INTENDED_USE
from covaudit.domain.explanation import METHOD_CARDS, MapOptions
from covaudit.domain.labels import TITLES
from covaudit.domain.run import Run
from covaudit.errors import CovauditError
from covaudit.explain.overlay import enlarge_mask, grey_png, overlay_png, reduce
from covaudit.sources import phantom
from covaudit.sources.images import Opened, open_upload, warm_up
from covaudit.store import Store, results
from covaudit.ui.components.images import ALPHA, show_colour_bar
from covaudit.ui.components.probabilities import show_probabilities
from covaudit.ui.components.sanity import badge, outcomes
from covaudit.ui.components.trust import show_cautions, show_trust
from covaudit.ui.errors import shown_errors
from covaudit.ui.text import literal, md_escape

if TYPE_CHECKING:
    from covaudit.explain.on_demand import ImageMap
    from covaudit.explain.predict_image import ImagePrediction

MAX_FILES = 20
SHOWN_SIDE = 768
MAX_MEGABYTES = 64
ACCEPTED = ["png", "jpg", "jpeg", "tif", "tiff", "dcm", "dicom"]
EXAMPLES = {
    "Normal, marker of source a": ("NOR", 90_001, "phantom-a"),
    "COVID-19, marker of source b": ("CVP", 90_002, "phantom-b"),
    "COVID-19, marker of source a": ("CVP", 90_003, "phantom-a"),
}


class Image(NamedTuple):
    """A file that was opened, or refused: then `pixels` is None and `refusal` says why."""

    name: str
    pixels: npt.NDArray[np.uint8] | None
    notes: tuple[str, ...] = ()
    refusal: str = ""


def pick_images() -> list[Image]:
    """Uploaded files and made-up examples."""
    warm_up()
    files = st.file_uploader(
        "Images: PNG, JPEG, TIFF or DICOM",
        type=ACCEPTED,
        accept_multiple_files=True,
        max_upload_size=MAX_MEGABYTES,
        key="upload",
        help=f"At most {MAX_FILES} files of {MAX_MEGABYTES} MB. Files are read in memory and not kept.",
    )
    examples = st.multiselect("Or made-up examples", list(EXAMPLES), key="examples", placeholder="Choose some")
    if len(files) > MAX_FILES:
        st.warning(f"{len(files)} files came; the first {MAX_FILES} are shown. Upload the others after them.")
    opened = [_open(file.name, file.getvalue()) for file in files[:MAX_FILES]]
    return [*opened, *(_draw(name) for name in examples)]


def _open(name: str, data: bytes) -> Image:
    """Decode a file, or say in one sentence why it is refused: not remembered, for it may be better another time."""
    try:
        opened = _opened(name, data)
    except CovauditError as error:
        return Image(name, None, refusal=str(error))
    return Image(name, opened.pixels, opened.notes)


@st.cache_data(max_entries=40, show_spinner="Opening the image …")
def _opened(name: str, data: bytes) -> Opened:
    return open_upload(data, name)


@st.cache_data(show_spinner=False)
def _draw(name: str) -> Image:
    label, seed, style = EXAMPLES[name]
    drawn = phantom.render(label, seed, phantom.STYLES[style], size=256)
    return Image(name, np.asarray(drawn.image), (f"made up; the truth is {label}",))


def show_predictions(store: Store, run: Run, images: Sequence[Image]) -> None:
    """A card for each image; those that were refused say why, the others still get their prediction."""
    named = [(image.name, image.pixels) for image in images if image.pixels is not None]
    with st.spinner("Asking the network (the first time takes some seconds) …"):
        found = _predict(store, run, named)
    answers, method = iter(found), _choose_method(run)
    for image in images:
        with st.container(border=True):
            st.text(literal(image.name))
            answer = image.refusal if image.pixels is None else next(answers)
            if image.pixels is None or isinstance(answer, str):
                st.error(md_escape(str(answer), 600), icon=":material/block:")
            else:
                _show_card(store, run, image, image.pixels, answer, method)
    if found:
        show_colour_bar()
        st.text("The heat map shows where the score changes, not why. Probabilities are not calibrated.")
        if run.experiment.n_folds > 1:
            st.text(
                f"Probabilities are the mean of {run.experiment.n_folds} networks, one of each fold, as in the run's "
                "external test. The heat map is of the first fold's network."
            )
        st.warning(f"**{INTENDED_USE}**", icon=":material/science:")


def _choose_method(run: Run) -> str:
    methods = list(METHOD_CARDS)
    return st.selectbox(
        "Heat map by", methods, index=methods.index(run.experiment.explanation.method),
        format_func=lambda name: METHOD_CARDS[name].title, key="predict_method",
        help="The trust panel always speaks of the method that the run was audited by.",
    )  # fmt: skip


def _predict(
    store: Store, run: Run, named: Sequence[tuple[str, npt.NDArray[np.uint8]]]
) -> "list[ImagePrediction | str]":
    from covaudit.explain.predict_image import predict_images  # torch: 10 s, which no other page pays

    return predict_images(results.folder(store, run), named, store.settings.device)


def explain_upload(
    store: Store, run: Run, pixels: npt.NDArray[np.uint8], target: str, method: str
) -> npt.NDArray[np.uint8]:
    """The map (S, S) of a class of a person's image (H, W) by any method, computed once. Raises `CovauditError`."""
    folder = str(results.folder(store, run))
    heat: npt.NDArray[np.uint8] = _explained_upload(folder, pixels, target, method, store.settings.device)
    return heat


@st.cache_data(max_entries=40, show_spinner="Drawing the heat map …")
def _explained_upload(folder: str, pixels: npt.NDArray[np.uint8], target: str, method: str, device: str) -> Any:
    from covaudit.explain.on_demand import explain_image

    return explain_image(Path(folder), pixels, target, method, MapOptions(), device).heat


def explain_row(
    store: Store, run: Run, row: "pd.Series[Any]", target: str, method: str, options: MapOptions
) -> "ImageMap":
    """The map of a class of a test image by any method, computed now and kept. Raises `CovauditError`."""
    home, film = results.film_of(store, run, row.to_dict())
    found: ImageMap = _explained(str(home), film, target, method, options.model_dump_json(), store.settings.device)
    return found


@st.cache_data(max_entries=200, show_spinner="Asking the network (the first time takes some seconds) …")
def _explained(folder: str, film: npt.NDArray[np.uint8], target: str, method: str, options: str, device: str) -> Any:
    from covaudit.explain.on_demand import explain_film

    return explain_film(Path(folder), film, target, method, MapOptions.model_validate_json(options), device)


def _show_card(
    store: Store, run: Run, image: Image, pixels: npt.NDArray[np.uint8], answer: "ImagePrediction", method: str
) -> None:
    show_cautions(answer)
    seen, drawn, numbers = st.columns([1, 1, 1.4], gap="medium")
    name = literal(image.name)
    shown = reduce(pixels, SHOWN_SIDE)
    seen.image(grey_png(shown), width="stretch", output_format="PNG", alt=f"Radiograph {name}")
    seen.text(f"{pixels.shape[1]} × {pixels.shape[0]} pixels")
    where = "" if answer.view.shape == pixels.shape else ", on the part of the film that the network was given"
    film, lungs = reduce(answer.view, SHOWN_SIDE), answer.trust.lungs
    outline = enlarge_mask(lungs, film.shape) if lungs.any() else None
    with drawn, shown_errors():
        heat = answer.heatmap
        if method != run.experiment.explanation.method:
            heat = explain_upload(store, run, pixels, answer.explained, method)
        overlay, alt = overlay_png(film, heat, ALPHA, outline), f"Heat map of {literal(answer.explained)} on {name}"
        st.image(overlay, width="stretch", output_format="PNG", alt=alt)
        empty = "" if heat.any() else " is empty: no evidence"
        st.text(f"Heat map of {literal(answer.explained, 20)}{where}{empty}")
        st.markdown(badge(outcomes(store, run), method))
    with numbers:
        title = TITLES.get(answer.predicted, answer.predicted)
        st.markdown(f"The network says **{md_escape(title)}**")
        show_probabilities(answer.classes, [float(value) for value in answer.probabilities], answer.predicted)
        for note in image.notes:
            st.text(f"Note: {literal(note, 200)}")
        show_trust(store, run, answer)
