"""More sections of the Results page: averages, groups, calibration, the papers' interval."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from covaudit.domain.estimate import Estimate
from covaudit.domain.run import Run
from covaudit.figures.precision_recall import plot_pr, pr_info
from covaudit.figures.reliability import plot_reliability
from covaudit.figures.text import METRICS, SPLITS
from covaudit.metrics.calibration import ReliabilityBin, reliability_curve
from covaudit.metrics.curves import PrCurve, pr_curves
from covaudit.metrics.wald import as_in_paper
from covaudit.store import Store, results
from covaudit.ui.components import scores
from covaudit.ui.components.charts import show_chart
from covaudit.ui.components.images import run_key
from covaudit.ui.components.scores import find
from covaudit.ui.errors import shown_errors
from covaudit.ui.text import DASH, TOO_FEW, class_title, interval, literal, score

TESTS = ("internal", "external")
_AVERAGED = ("sensitivity", "specificity", "ppv", "npv", "f1", "auroc", "auprc")
_PLAIN = {"macro_sensitivity": "balanced_accuracy", "macro_auroc": "auroc", "macro_auprc": "auprc"}
_MICRO = {"sensitivity", "ppv", "f1"}


def averages_frame(estimates: Sequence[Estimate], split: str) -> pd.DataFrame:
    """Macro, weighted and micro averages over the classes; a dash where an average is not computed."""
    rows = []
    for average in ("macro", "weighted", "micro"):
        row = {"Average": average.capitalize()}
        for metric in _AVERAGED:
            name = f"{average}_{metric}"
            found = find(estimates, split, _PLAIN.get(name, name))
            if average == "micro" and metric in _MICRO and not found.n:
                # With one class an image, all three are the accuracy.
                found = find(estimates, split, "micro_f1")
            row[METRICS[metric]] = interval(found) if found.n else DASH
        rows.append(row)
    return pd.DataFrame(rows)


def show_averages(estimates: Sequence[Estimate], split: str) -> None:
    st.markdown(f"**{SPLITS[split]}: averages over the classes**")
    st.dataframe(averages_frame(estimates, split), hide_index=True, alt="Averages over the classes, 95 % intervals")
    effect = find(estimates, split, "design_effect")
    if effect.is_defined:
        st.text(
            f"Design effect of patients with several images: {score(effect.value)}. The {effect.n:,} images tell as "
            f"much as {effect.n / max(effect.value, 1e-9):,.0f} independent ones."
        )


def wald_frame(estimates: Sequence[Estimate], split: str, classes: Sequence[str]) -> pd.DataFrame:
    """Class metrics with our interval and paper 2's ±, and why the latter misleads."""
    rows = []
    for name in classes:
        for metric in ("ppv", "sensitivity", "f1"):
            one = find(estimates, split, metric, class_name=name)
            if one.is_defined:
                wald = as_in_paper(one)
                rows.append(
                    {"Class": class_title(name), "Metric": METRICS[metric], "n": one.n, "Ours": interval(one),
                     "Paper 2's rule": f"{score(one.value)} ± {wald.half_width:.3f}", "Flag": wald.flag}
                )  # fmt: skip
    return pd.DataFrame(rows)


def show_wald(estimates: Sequence[Estimate], split: str, classes: Sequence[str]) -> None:
    """Beside our intervals those that paper 2 would print."""
    with st.expander("As paper 2 would print it (Wald)", icon=":material/compare_arrows:"):
        frame = wald_frame(estimates, split, classes)
        if frame.empty:
            st.text("No metric is defined here.")
            return
        st.text("1.96 √(p(1−p)/n), flagged where it is apart from ours by more than a fifth or prints ± 0.")
        st.dataframe(frame, hide_index=True, alt="Our intervals beside those of paper 2's rule")


def group_frame(estimates: Sequence[Estimate], classes: Sequence[str]) -> pd.DataFrame:
    """One row a test and group of sex, age or view."""
    places = dict.fromkeys((e.split, e.group) for e in estimates if e.group and e.is_of_network)
    first = "exact_match" if any(e.metric == "exact_match" for e in estimates) else "balanced_accuracy"
    rows = []
    for split, group in places:
        found = {metric: find(estimates, split, metric, group=group) for metric in (first, "accuracy", "auroc")}
        n = max(one.n for one in found.values())
        row: dict[str, object] = {"Test": SPLITS[split], "Group": literal(group), "Images": n}
        row[scores.NOTE] = "too few" if n < TOO_FEW else ""
        row |= {METRICS[metric]: interval(one) for metric, one in found.items() if one.n}
        for name in classes:
            own = find(estimates, split, "sensitivity", class_name=name, group=group)
            row[f"Sensitivity {literal(name, 20)}"] = interval(own)
        rows.append(row)
    return pd.DataFrame(rows)


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
        st.text(f"Brier over the labels: {interval(find(estimates, 'internal', 'brier'))} internal.")
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
