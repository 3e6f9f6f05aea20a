"""The fields of an experiment, one widget each; every widget starts from the base draft."""

from collections.abc import Mapping
from types import ModuleType

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from covaudit.domain.experiment import Explanation, Training
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
        start = pick(st, "Starts from", _START, base.training.pretrained, "pretrained", disabled=is_fixed)
    with right:
        training = training_form.edit_main(base, spec)
    training = training_form.edit_rest(base, training, sources)
    has_weights = spec is None or spec.has_imagenet_weights
    return str(network), training.model_copy(update={"pretrained": start if has_weights else "none"})


def pick(
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


def edit_explanation(base: Draft) -> Explanation:
    """How the heat maps are drawn."""
    why = (
        "The same map where a global average pool follows the layer; at the earlier layer that small images need, "
        "only HiResCAM stays true to the network."
    )
    method = pick(st, "Heat maps", _HEAT, base.explanation.method, "heat", why=why)
    return Explanation(method="grad-cam" if method == "grad-cam" else "hires-cam")
