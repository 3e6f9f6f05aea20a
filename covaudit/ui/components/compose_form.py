"""The fields of an experiment, one widget each; every widget starts from the base draft."""

from collections.abc import Mapping
from types import ModuleType
from typing import cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from covaudit.domain.experiment import PAPER_PARTS, SPLIT_METHODS, Explanation, Split, SplitMethod, Training
from covaudit.domain.labels import TITLES
from covaudit.domain.task import TASKS, Task
from covaudit.ui import draft
from covaudit.ui.components import training_form
from covaudit.ui.draft import Draft
from covaudit.ui.text import literal
from models.registry import NETWORKS, TIMM_PREFIX

_HEAT = {
    "hires-cam": "HiResCAM: the gradient stays where it is",
    "grad-cam": "Grad-CAM: one weight a channel",
}
_START = {"none": "Random weights", "imagenet": "ImageNet weights"}


def edit_question(base: Draft) -> tuple[str, Task, str]:
    """Name, task and notes."""
    left, right = st.columns(2, gap="medium")
    name = left.text_input("Name", base.name, max_chars=80, key=draft.key("name"))
    tasks = {task.name: task for task in (*TASKS.values(), base.task)}
    key = draft.key("task")
    chosen = right.selectbox(
        "Task: which classes to tell apart",
        list(tasks),
        index=list(tasks).index(base.task.name),
        format_func=lambda one: f"{literal(one)}: {', '.join(literal(name) for name in tasks[one].classes)}",
        key=key,
        on_change=lambda: draft.change({"task": tasks[st.session_state[key]]}),
    )
    task = tasks[chosen]
    st.text(" · ".join(_meanings(task)))
    notes = st.text_area("Notes", base.notes, max_chars=4000, key=draft.key("notes"), height=80)
    return name or "", task, notes or ""


def _meanings(task: Task) -> list[str]:
    if task.vectors is not None:
        return [f"{TITLES.get(label, label)}: {task.class_of(label)}" for label in task.vectors]
    return [f"{name} = {TITLES[name]}" for name in task.classes if name in TITLES]


def edit_training(base: Draft, sources: tuple[str, ...]) -> tuple[str, Training]:
    """The network and how it is trained; `sources` are those of the train mixture."""
    st.subheader("Network and training", anchor=False)
    names = list(NETWORKS) if base.network in NETWORKS else [*NETWORKS, base.network]
    left, right = st.columns([2, 3], gap="large")
    with left:
        network = st.selectbox(
            "Network", names, names.index(base.network), format_func=_network_title, key=draft.key("network")
        )
        spec = NETWORKS.get(network)
        if spec is not None:
            st.text(f"{spec.parameters:,} parameters; made for {spec.native_size} px.\n{spec.publication}")
        is_fixed = spec is not None and not spec.has_imagenet_weights
        start = _pick(st, "Starts from", _START, base.training.pretrained, "pretrained", disabled=is_fixed)
    with right:
        training = training_form.edit_training(base, spec, sources)
    has_weights = spec is None or spec.has_imagenet_weights
    return str(network), training.model_copy(update={"pretrained": start if has_weights else "none"})


def _pick(
    box: DeltaGenerator | ModuleType, label: str, titles: Mapping[str, str], now: str, name: str, *,
    disabled: bool = False, why: str | None = None,
) -> str:  # fmt: skip
    """A choice among the keys of `titles`, shown by their titles."""
    keys = list(titles)
    chosen = box.selectbox(
        label, keys, keys.index(now), format_func=titles.__getitem__, key=draft.key(name), disabled=disabled, help=why
    )
    return str(chosen)


def _network_title(name: str) -> str:
    if name in NETWORKS:
        return NETWORKS[name].title
    return literal(name) if name.startswith(TIMM_PREFIX) else f"{literal(name)} (unknown)"


def edit_split(base: Draft) -> tuple[Split, int]:
    """How the train mixture is divided, how many times, and the seed."""
    st.subheader("Split", anchor=False)
    training_form.offer_split(base.training.protocol, base.split)
    one, two, three, four, five = st.columns([3, 1, 1, 1, 1], gap="small")
    method = _pick(one, "Divide the train mixture", SPLIT_METHODS, base.split.method, "split")
    has_folds = method in ("patient", "image", "paper")
    folds = two.number_input(
        "Folds", 1, 20, base.split.folds, key=draft.key("folds"), disabled=not has_folds,
        help=f"1 trains one network; from 3 on, one each, and every image is tested once. As printed: {PAPER_PARTS}.",
    )  # fmt: skip
    has_val = method == "independent" or (method in ("patient", "image") and folds == 1)
    val = three.number_input(
        "Validation (%)", 5, 45, round(100 * base.split.val), 5, key=draft.key("val"), disabled=not has_val
    )
    internal = four.number_input(
        "Internal test (%)", 5, 45, round(100 * base.split.internal), 5, key=draft.key("internal"),
        disabled=not has_val or method == "independent",
    )  # fmt: skip
    seed = five.number_input("Seed", 0, 2**31 - 1, base.seed, key=draft.key("seed"))
    split = Split.model_construct(  # not valid yet, perhaps: 2 folds are told of when the experiment is checked
        method=cast(SplitMethod, method), folds=int(folds) if has_folds else 1, val=val / 100, internal=internal / 100
    )
    return split, int(seed)


def edit_acknowledgement(base: Draft) -> str:
    """Why leakage is accepted, in the person's own words."""
    found = st.text_area(
        "Leakage accepted because",
        base.acknowledged,
        max_chars=2000,
        key=draft.key("acknowledged"),
        height=80,
        placeholder="Only where patients or images are on both sides: why you run it all the same. Kept with the run.",
    )
    return found or ""


def edit_explanation(base: Draft) -> Explanation:
    """How the heat maps are drawn."""
    why = (
        "The same map where a global average pool follows the layer; at the earlier layer that small images need, "
        "only HiResCAM stays true to the network."
    )
    method = _pick(st, "Heat maps", _HEAT, base.explanation.method, "heat", why=why)
    return Explanation(method="grad-cam" if method == "grad-cam" else "hires-cam")
