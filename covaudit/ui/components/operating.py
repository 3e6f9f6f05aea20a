"""Operating points: thresholds locked on validation, a slider to look at others, predictive values at a prevalence."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from covaudit.domain.estimate import Estimate
from covaudit.domain.run import Run
from covaudit.figures.text import METRICS, SPLITS
from covaudit.reports.tables import find, locked_frame
from covaudit.store import Store, results
from covaudit.ui.components.images import run_key
from covaudit.ui.errors import shown_errors
from covaudit.ui.text import class_title, interval, score

TESTS = ("internal", "external")
_AT = ("sensitivity", "specificity", "ppv", "npv", "ppv_at_prevalence", "npv_at_prevalence")


def show_thresholds(store: Store, run: Run, estimates: Sequence[Estimate]) -> None:
    """The section of the Results page."""
    names = [one.class_name for one in estimates if one.metric == "threshold_youden" and one.class_name]
    if not names:
        return
    st.subheader("Thresholds", anchor=False)
    name = names[0]
    if len(names) > 1:
        name = st.selectbox("Class against the rest", names, format_func=class_title, key=f"threshold_class_{run.id}")
    st.dataframe(
        locked_frame(estimates, name), hide_index=True, alt=f"Locked thresholds of {class_title(name)} on both tests"
    )
    with st.expander("Look at another threshold or prevalence", icon=":material/tune:"), shown_errors():
        _show_other(store, run, estimates, name)


def _show_other(store: Store, run: Run, estimates: Sequence[Estimate], name: str) -> None:
    chosen = find(estimates, "val", "threshold_youden", class_name=name).value
    locked = min(1.0, max(0.0, round(chosen, 2))) if chosen == chosen else 0.5
    key = f"{run.id}_{name}"
    left, right = st.columns(2, gap="medium")
    moved = left.slider(f"Threshold for {class_title(name)}", 0.0, 1.0, locked, 0.01, key=f"threshold_{key}")
    prevalence = right.slider("Prevalence in %", 0.1, 99.0, 10.0, 0.1, key=f"prevalence_{key}") / 100
    # The slider has two decimals, the locked threshold all of them.
    is_locked = moved == locked
    if is_locked:
        st.text(f"Locked: the threshold {score(chosen)} was chosen on validation by Youden's index.")
    else:
        st.warning(
            "Moved while looking at test results: these numbers are optimistic and not to be reported. "
            "A threshold must be chosen on validation.",
            icon=":material/lock_open:",
        )
    rows = []
    for split in TESTS:
        found = _at(store, run, run_key(store, run), split, name, chosen if is_locked else moved, prevalence)
        by_metric = {one.metric: one for one in found}
        rows.append({"Test": SPLITS[split]} | {METRICS[m]: interval(by_metric[m]) for m in _AT})
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Both tests at this threshold and prevalence")
    st.text("PPV and NPV of the test hold at the test's own prevalence; the last two columns at the one chosen.")


@st.cache_data(max_entries=200, show_spinner="Computing …")
def _at(
    _store: Store, _run: Run, key: str, split: str, name: str, threshold: float, prevalence: float
) -> list[Estimate]:
    from covaudit.metrics.thresholds import at_threshold  # SciPy and statsmodels: 1.5 s

    return at_threshold(results.predictions(_store, _run), split, name, threshold, prevalence, _run.experiment.seed)
