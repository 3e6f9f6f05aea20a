"""How the train mixture is thinned out and divided, and why leakage is accepted, if it is."""

from collections.abc import Mapping, Sequence
from typing import Literal, cast

import streamlit as st

from covaudit.domain.split import MATCHES, PAPER_PARTS, SPLIT_METHODS, Sampling, Split, SplitMethod
from covaudit.domain.task import Task
from covaudit.ui import draft
from covaudit.ui.components import training_form
from covaudit.ui.components.compose_form import pick
from covaudit.ui.draft import Draft
from covaudit.ui.text import literal

_BY_ONE_FOLD = ("patient", "image")


def edit_split(base: Draft) -> tuple[Split, int]:
    """How the train mixture is divided, how many times, and the seed."""
    st.subheader("Split", anchor=False)
    training_form.offer_split(base.training.protocol, base.split)
    method = cast(SplitMethod, pick(st, "Divide the train mixture", SPLIT_METHODS, base.split.method, "split"))
    has_folds = method in ("patient", "image", "paper")
    one, two, three, four = st.columns(4, gap="small")
    folds = one.number_input(
        "Folds", 1, 20, base.split.folds, key=draft.key("folds"), disabled=not has_folds,
        help=f"1 trains one network; from 3 on, one each, and every image is tested once. As printed: {PAPER_PARTS}.",
    )  # fmt: skip
    by_shares = method in _BY_ONE_FOLD and folds == 1
    val = two.number_input(
        "Validation (%)", 5, 45, round(100 * base.split.val), 5, key=draft.key("val"),
        disabled=not (by_shares or method == "independent"),
    )  # fmt: skip
    internal = three.number_input(
        "Internal test (%)", 5, 45, round(100 * base.split.internal), 5, key=draft.key("internal"),
        disabled=not by_shares,
    )  # fmt: skip
    seed = four.number_input("Seed", 0, 2**31 - 1, base.seed, key=draft.key("seed"))
    split = Split.model_construct(  # not valid yet, perhaps: 2 folds are told of when the experiment is checked
        method=method, folds=int(folds) if has_folds else 1, val=val / 100, internal=internal / 100
    )
    return split, int(seed)


def edit_sampling(base: Draft, task: Task, sources: Sequence[str]) -> Sampling:
    """Caps for each class and source, beside those of the grid, and equal prevalence."""
    now = base.sampling
    with st.expander("Caps and prevalence", icon=":material/filter_alt:", expanded=now != Sampling()):
        st.text("The most images to train on, whole patients at a time. Blank: as many as are drawn.")
        per_class = _caps("class", task.label_sets, now.per_class)
        per_source = _caps("source", sources, now.per_source)
        match = pick(st, "Prevalence", MATCHES, now.match, "match")
    chosen = cast(Literal["none", "sources", "test"], match)
    return Sampling(per_class=per_class, per_source=per_source, match=chosen)


def _caps(kind: str, names: Sequence[str], now: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    with st.grid(4, min_column_width=150, gap="small") as grid:
        for name in names:
            with grid.cell():
                value = st.number_input(
                    f"At most, {kind} {literal(name, 24)}",
                    1,
                    None,
                    now.get(name),
                    key=draft.key(f"cap_{kind}_{name}"),
                )
            if value is not None:
                found[name] = int(value)
    return found


def edit_acknowledgement(base: Draft) -> str:
    """Why leakage is accepted, in the person's own words."""
    found = st.text_area(
        "Leakage accepted because",
        base.acknowledged,
        max_chars=2000,
        key=draft.key("acknowledged"),
        height=80,
        placeholder="Only where a patient or a film is on both sides: why it is run all the same. Kept with the run.",
    )
    return found or ""
