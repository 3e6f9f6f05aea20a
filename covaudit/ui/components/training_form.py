"""The training protocol in Compose: a name to start from, the fields that matter most, and all others behind them."""

from collections.abc import Mapping
from typing import Any

import streamlit as st
from pydantic import BaseModel
from streamlit.delta_generator import DeltaGenerator

from covaudit.domain.experiment import Split
from covaudit.domain.protocols import PROTOCOLS, Protocol, changed_fields, warnings
from covaudit.domain.training import Augmentation, Copies, EarlyStopping, Plateau, Preparation, Training
from covaudit.ui import draft
from covaudit.ui.draft import Draft
from covaudit.ui.text import literal, md_escape
from models.specs import NetworkSpec

_OWN = "A protocol of your own"
_CHOICES: Mapping[str, Mapping[str, str]] = {
    "class_weights": {
        "minority": "Minority classes count more: N max / N j",
        "literal": "As printed in paper 1, N j / N: a negative control",
        "none": "All images count the same",
    },
    "weighted_mean": {"weights": "By the sum of the weights", "images": "By the number of images, as Keras"},
    "optimiser": {"adamw": "AdamW", "adam": "Adam", "adamax": "Adamax"},
    "schedule": {"one-cycle": "One cycle", "plateau": "Lower on a plateau", "constant": "Constant"},
    "keep": {
        "best": "Best validation balanced accuracy",
        "best-loss": "Lowest validation loss",
        "best-accuracy": "Best validation accuracy",
        "last": "Last epoch",
    },
    "monitor": {"val_loss": "Validation loss", "val_accuracy": "Validation accuracy"},
    "intensity": {"standard": "Near zero mean", "unit": "0 to 1", "raw": "0 to 255"},
    "interpolation": {"area": "Area", "nearest": "Nearest", "bilinear": "Bilinear"},
    "lungs": {"as they are": "Leave as they are", "crop": "Crop to the lungs", "mask": "Black out all but the lungs"},
}
_LABELS = {
    "image_size": "Image size (px)",
    "epochs": "Epochs",
    "batch_size": "Batch size",
    "accumulate": "Batches a step",
    "lr": "Learning rate",
    "weight_decay": "Weight decay",
    "class_weights": "Class weights",
    "weighted_mean": "Weighted loss is divided",
    "optimiser": "Optimiser",
    "amsgrad": "AMSGrad",
    "passes": "Passes an epoch",
    "compile": "Compile",
    "schedule": "Learning rate over time",
    "keep": "Weights kept",
    "monitor": "Watches",
    "factor": "Times",
    "patience": "Patience (epochs)",
    "min_delta": "Least gain",
    "cooldown": "Cooldown (epochs)",
    "min_lr": "Lowest rate",
    "intensity": "Grey levels given",
    "interpolation": "Interpolation",
    "crop_start": "Crop left, top (px of 768)",
    "crop_end": "Crop right, bottom",
    "clahe_clip": "CLAHE clip (0: none)",
    "clahe_grid": "CLAHE tiles a side",
    "rotation": "Rotation (°)",
    "shift": "Shift (of the side)",
    "scale": "Zoom (of the side)",
    "shear": "Shear (°)",
    "horizontal_flip": "Mirrored (chance)",
    "vertical_flip": "Upside down (chance)",
    "gamma": "Gamma (log)",
    "contrast": "Contrast",
    "brightness": "Brightness",
    "noise": "Noise",
    "label": "Label",
    "train": "Copies to train",
    "test": "Copies to test",
    "lungs": "Lungs",
    "match_source": "Match grey levels to source",
    "inpaint_markers": "Paint over markers",
    "remove_borders": "Cut frames off",
    "balance_sources": "Draw sources evenly",
    "group_dro": "GroupDRO loss",
    "group_dro_step": "GroupDRO step",
}
_WHY = {
    "inpaint_markers": "Bright, sharp letters and words in the rim are painted over; faint ones stay.",
    "remove_borders": "Even black or white lines at the edges are cut off.",
    "lungs": "Needs lung masks: from the source, or found by the lung finder.",
    "match_source": "All films get the mean grey levels of this source's training films. Empty: none.",
    "balance_sources": "Within each class every source is drawn equally often.",
    "group_dro": "The groups of class and source with the highest loss count most (Sagawa et al. 2020).",
    "passes": "How often an epoch shows each image.",
    "accumulate": "Gradients of so many batches are added up before the weights move: a large batch in little memory.",
    "compile": "Through torch.compile, which takes from half a minute to some minutes before the first epoch and may "
    "pay in long trainings on a GPU. Where there is no compiler the network is trained as it is, and the log says so.",
}


def edit_main(base: Draft, spec: NetworkSpec | None) -> Training:
    """The protocol to start from and the fields that matter most."""
    _pick_protocol(base.training.protocol)
    return base.training.model_copy(update=_main_fields(base.training, spec))


def edit_rest(base: Draft, now: Training, sources: tuple[str, ...]) -> Training:
    """All other fields, and what to know before running them."""
    with st.expander("All fields of the protocol", icon=":material/tune:"):
        training = now.model_copy(update=_advanced(base.training))
    _say(training, PROTOCOLS.get(base.training.protocol), sources)
    return training


def offer_split(protocol: str, split: Split) -> None:
    """A button that divides the images as the paper of the protocol did."""
    named = PROTOCOLS.get(protocol)
    if named is None or protocol == "fast" or (split.method, split.folds) == (named.split, named.folds):
        return
    asked = Split.model_validate({"method": named.split, "folds": named.folds, **named.shares})
    words = f"Divide as the paper did ({named.split}{f', {named.folds} folds' if named.folds > 1 else ''})"
    st.button(words, key=draft.key("paper_split"), on_click=lambda: draft.change({"split": asked}))


def _pick_protocol(now: str) -> None:
    names = list(PROTOCOLS) if now in PROTOCOLS else [now, *PROTOCOLS]
    key = draft.key("protocol")

    def take_over() -> None:
        chosen = PROTOCOLS.get(st.session_state[key])
        if chosen is not None:
            kept = {"pretrained": draft.current().training.pretrained}
            draft.change({"training": chosen.training.model_copy(update=kept)})

    st.selectbox(
        "Protocol to start from", names, names.index(now), key=key, on_change=take_over,
        format_func=lambda name: PROTOCOLS[name].title if name in PROTOCOLS else f"{_OWN}: {literal(name)}",
    )  # fmt: skip


def _main_fields(base: Training, spec: NetworkSpec | None) -> dict[str, Any]:
    one, two, three = st.columns(3, gap="small")
    values = _fields(base, {"image_size": one, "epochs": two, "batch_size": three}, steps={"image_size": 32})
    refusal = spec and spec.refusal_of(values["image_size"])
    if refusal:
        one.error(f"Here {refusal}.")
    one, two, three = st.columns(3, gap="small", vertical_alignment="bottom")
    values |= _fields(base, {"lr": one, "weight_decay": two}, steps={"lr": 1e-4, "weight_decay": 1e-3})
    values["augment"] = three.toggle(
        "Augment", base.augment, key=draft.key("augment"), help="Shift, turn and scale the training images a little"
    )
    return values | _fields(base, {"class_weights": st.container()})


def _advanced(base: Training) -> dict[str, Any]:
    learning, augmentation, images, mitigations = st.tabs(["Learning", "Augmentation", "Images", "Mitigations"])
    values: dict[str, Any] = {}
    with learning:
        values |= _edit_learning(base)
    with augmentation:
        st.text("Each is drawn anew for each training image, from minus to plus the reach.")
        reach = _grid(base.augmentation, list(Augmentation.model_fields), 5, "augmentation")
        values["augmentation"] = Augmentation.model_validate(reach)
        values["copies"] = _edit_copies(base.copies)
    with images:
        columns = ["interpolation", "crop_start", "crop_end", "clahe_clip", "clahe_grid"]
        pixels = _grid(base.preparation, columns, 5, "preparation")
        values |= _grid(base, ["intensity"], 3)
    with mitigations:
        st.text("Each takes away something that a network may read instead of the disease.")
        pixels |= _grid(base.preparation, ["lungs", "match_source", "inpaint_markers", "remove_borders"], 4, "mitigate")
        values |= _grid(base, ["balance_sources", "group_dro", "group_dro_step"], 4)
    values["preparation"] = Preparation.model_validate(pixels)
    return values


def _edit_learning(base: Training) -> dict[str, Any]:
    values = _grid(base, ["optimiser", "amsgrad", "passes", "weighted_mean"], 4)
    values |= _grid(base, ["schedule", "keep", "accumulate", "compile"], 4)
    if values["schedule"] == "plateau":
        st.text("The rate falls when validation is not better for as many epochs as the patience says, as in Keras.")
        values["plateau"] = Plateau.model_validate(_grid(base.plateau, list(Plateau.model_fields), 6, "plateau"))
    stops = st.toggle("Stop early", base.stopping is not None, key=draft.key("stops"))
    if stops:
        asked = base.stopping or EarlyStopping()
        found = _grid(asked, list(EarlyStopping.model_fields), 3, "stopping")
        return values | {"stopping": EarlyStopping.model_validate(found)}
    return values | {"stopping": None}


def _edit_copies(base: Copies | None) -> Copies | None:
    on = st.toggle(
        "Changed copies in the place of one label's images", base is not None, key=draft.key("copies"),
        help="As in paper 2: copies are made after the split, and those of one film stay on one side.",
    )  # fmt: skip
    found = _grid(base or Copies(), list(Copies.model_fields), 3, "copies") if on else None
    return Copies.model_validate(found) if found and found["label"] else None


def _grid(base: BaseModel, names: list[str], wide: int, group: str = "") -> dict[str, Any]:
    """One widget for each field, `wide` of them in a row."""
    places: dict[str, DeltaGenerator] = {}
    for start in range(0, len(names), wide):
        columns = st.columns(wide, gap="small", vertical_alignment="bottom")
        places |= dict(zip(names[start : start + wide], columns, strict=False))
    return _fields(base, places, group=group)


def _fields(
    base: BaseModel, places: Mapping[str, DeltaGenerator], group: str = "", steps: Mapping[str, float] | None = None
) -> dict[str, Any]:
    return {
        name: _field(base, name, box, f"{group}_{name}" if group else name, (steps or {}).get(name))
        for name, box in places.items()
    }


def _field(base: BaseModel, name: str, box: DeltaGenerator, key: str, step: float | None) -> Any:
    """A widget that fits the field's type and limits."""
    now, label, why = getattr(base, name), _LABELS[name], _WHY.get(name)
    if name in _CHOICES:
        titles = _CHOICES[name]
        keys = list(titles)
        return box.selectbox(label, keys, keys.index(now), format_func=titles.__getitem__, key=draft.key(key), help=why)
    if isinstance(now, bool):
        return box.toggle(label, now, key=draft.key(key), help=why)
    if isinstance(now, str):
        return (box.text_input(label, now, key=draft.key(key), help=why) or "").strip()
    low, high = _limits(base, name)
    if isinstance(now, int):
        return int(box.number_input(label, int(low), int(high), now, int(step or 1), key=draft.key(key), help=why))
    return float(box.number_input(label, low, high, now, step or 0.01, format="%g", key=draft.key(key), help=why))


def _limits(base: BaseModel, name: str) -> tuple[float, float]:
    low, high = 0.0, 1.0
    for rule in type(base).model_fields[name].metadata:
        low = getattr(rule, "ge", 1e-9 if hasattr(rule, "gt") else low)
        high = getattr(rule, "le", 0.999 if hasattr(rule, "lt") else high)
    return float(low), float(high)


def _say(training: Training, protocol: Protocol | None, sources: tuple[str, ...]) -> None:
    """How far the fields are still those of the protocol, what it leaves open, and what misleads."""
    changed = changed_fields(training)
    if protocol is not None and changed:
        st.text(f"As {protocol.name}, but for: {', '.join(name.replace('_', ' ') for name in changed)}.")
    elif protocol is not None:
        st.text(f"All fields are those of {protocol.name}.")
    if protocol is not None and protocol.differences:
        with st.expander(f"Where paper, code and this program part ({len(protocol.differences)})"):
            st.markdown("\n".join(f"- {md_escape(sentence, 600)}" for sentence in protocol.differences))
    found = warnings(training, len(sources))
    if found:
        st.warning("  \n".join(md_escape(sentence, 400) for sentence in found), icon=":material/warning:")
    asked = training.preparation.match_source
    if asked and asked not in sources:
        st.error(f"The train mixture draws nothing from {md_escape(asked)}, to match grey levels to.")
