"""What the experiment would be run on: images of each split and class, what is left out, and what leaks."""

import pandas as pd
import streamlit as st

from covaudit.domain.experiment import Experiment
from covaudit.errors import CovauditError
from covaudit.figures.text import SPLITS
from covaudit.jobs.plan import Plan, plan
from covaudit.store import Store
from covaudit.ui.text import count, literal, md_escape

_SPLITS = ("train", "val", "internal", "external")


def show_plan(store: Store, experiment: Experiment) -> None:
    """Images after drawing, caps and split; nothing where the experiment cannot be drawn, which is told below."""
    try:
        found = plan(store, experiment)
    except CovauditError:
        return
    with st.container(border=True):
        n_folds = experiment.n_folds
        title = "What it is run on" if n_folds == 1 else f"What the first of {n_folds} folds is run on"
        st.markdown(f"**{title}**")
        frame = plan_frame(found, experiment)
        numbers = {str(name): st.column_config.NumberColumn(format="localized") for name in frame.columns[1:]}
        st.dataframe(frame, hide_index=True, column_config=numbers, alt="Images of each split and class")
        if found.dropped:
            with st.expander(f"Left out: {count(sum(found.dropped.values()), 'image')}"):
                rows = [{"Reason": literal(reason, 200), "Images": n} for reason, n in found.dropped.items()]
                st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Images left out, by reason")
        if found.leakage and experiment.acknowledged.strip():
            words = md_escape(f"Leakage, accepted in writing: {found.leakage.words} of the split.", 400)
            st.warning(words, icon=":material/group:")


def plan_frame(found: Plan, experiment: Experiment) -> pd.DataFrame:
    """One row a split, one column a class."""
    classes = experiment.task.label_sets
    rows = []
    for split in _SPLITS:
        n = {name: found.counts.get((split, name), 0) for name in classes}
        if sum(n.values()):
            rows.append(
                {"Split": SPLITS.get(split, split), "All": sum(n.values())} | {literal(k, 30): v for k, v in n.items()}
            )
    return pd.DataFrame(rows)
