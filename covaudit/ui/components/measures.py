"""More sections of the Results page: averages, groups, calibration, the papers' interval."""

from collections.abc import Sequence

import streamlit as st

from covaudit.domain.estimate import Estimate
from covaudit.domain.run import Run
from covaudit.figures.precision_recall import plot_pr, pr_info
from covaudit.figures.reliability import plot_reliability
from covaudit.figures.text import METRICS, SPLITS
from covaudit.metrics.calibration import ReliabilityBin, reliability_curve
from covaudit.metrics.curves import PrCurve, pr_curves
from covaudit.reports.tables import averages_frame, find, group_frame, wald_frame
from covaudit.reports.words import design_effect_words
from covaudit.store import Store, results
from covaudit.ui.components import scores
from covaudit.ui.components.charts import show_chart
from covaudit.ui.components.images import run_key
from covaudit.ui.errors import shown_errors
from covaudit.ui.text import interval

TESTS = ("internal", "external")


def show_averages(estimates: Sequence[Estimate], split: str) -> None:
    st.markdown(f"**{SPLITS[split]}: averages over the classes**")
    st.dataframe(averages_frame(estimates, split), hide_index=True, alt="Averages over the classes, 95 % intervals")
    for words in design_effect_words(estimates, split):
        st.text(words)


def show_wald(estimates: Sequence[Estimate], split: str, classes: Sequence[str]) -> None:
    """Beside our intervals those that paper 2 would print."""
    with st.expander("As paper 2 would print it (Wald)", icon=":material/compare_arrows:"):
        frame = wald_frame(estimates, split, classes)
        if frame.empty:
            st.text("No metric is defined here.")
            return
        st.text("1.96 √(p(1−p)/n), flagged where it is apart from ours by more than a fifth or prints ± 0.")
        st.dataframe(frame, hide_index=True, alt="Our intervals beside those of paper 2's rule")


def show_groups(run: Run, estimates: Sequence[Estimate]) -> None:
    st.subheader("By sex, age and view", anchor=False)
    frame = group_frame(estimates, run.experiment.task.classes)
    if frame.empty:
        st.text("The sources of the tests do not say sex, age or view, or all their images are of one kind.")
        return
    scores.show_counted(frame, "Metrics by test and group with 95 % intervals")


def show_precision(store: Store, run: Run, estimates: Sequence[Estimate]) -> None:
    """PPV against sensitivity, both tests side by side."""
    st.subheader("Precision-recall curves", anchor=False)
    st.text("The dotted line is the prevalence: the PPV of calling every image the class.")
    with shown_errors():
        for split, box in zip(TESTS, st.columns(2, gap="medium"), strict=True):
            with box:
                st.markdown(f"**{SPLITS[split]}**")
                info = pr_info(_pr(store, run, run_key(store, run), split), estimates, split)
                show_chart(plot_pr(info), key=f"pr_{run.id}_{split}", alt=f"{SPLITS[split]}: PPV against sensitivity")


@st.cache_data(max_entries=100, show_spinner=False)
def _pr(_store: Store, _run: Run, key: str, split: str) -> list[PrCurve]:
    return pr_curves(results.predictions(_store, _run), split, _run.experiment.task.classes)


def show_calibration(store: Store, run: Run, estimates: Sequence[Estimate]) -> None:
    """Confidence against the share of right answers, with Brier, log loss and ECE."""
    st.subheader("Calibration", anchor=False)
    if run.experiment.task.is_multi_label:
        parts = [f"{SPLITS[split].lower()} {interval(find(estimates, split, 'brier'))}" for split in TESTS]
        st.text(f"Brier, the mean over the labels: {', '.join(parts)}.")
        return
    with shown_errors():
        for split, box in zip(TESTS, st.columns(2, gap="medium"), strict=True):
            with box:
                parts = [f"{METRICS[m]} {interval(find(estimates, split, m))}" for m in ("ece", "brier", "log_loss")]
                st.markdown(f"**{SPLITS[split]}**")
                st.text("\n".join(parts))
                bins = _reliability(store, run, run_key(store, run), split)
                alt = f"{SPLITS[split]}: confidence against the share of right answers"
                show_chart(plot_reliability(bins), key=f"reliability_{run.id}_{split}", alt=alt)


@st.cache_data(max_entries=100, show_spinner=False)
def _reliability(_store: Store, _run: Run, key: str, split: str) -> list[ReliabilityBin]:
    return reliability_curve(results.predictions(_store, _run), split, _run.experiment.task.classes)
