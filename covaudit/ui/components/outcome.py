"""The sections of the Results page."""

from collections.abc import Sequence
from functools import partial

import pandas as pd
import streamlit as st

from covaudit.domain.estimate import Confusion, Estimate
from covaudit.domain.finding import AuditFinding
from covaudit.domain.protocols import how_trained
from covaudit.domain.run import Run
from covaudit.figures.confusion import confusion_info, plot_confusion
from covaudit.figures.gap import gap_info, plot_gap
from covaudit.figures.history import history_info, plot_history
from covaudit.figures.roc import plot_roc, roc_info
from covaudit.figures.text import SPLITS
from covaudit.metrics.curves import RocCurve, roc_curves
from covaudit.reports import tables
from covaudit.reports.asked import mixture_note
from covaudit.reports.folds import FOLD_NOTE, fold_table
from covaudit.reports.limits import fold_words
from covaudit.sources.roles import ABSENT, ROLES, roles_of
from covaudit.store import Store, results, runs
from covaudit.ui.components import measures, scores
from covaudit.ui.components.charts import show_chart
from covaudit.ui.components.exports import csv_bytes, download, json_bytes
from covaudit.ui.components.findings import severity_counts, split_verdict
from covaudit.ui.components.frame import choose
from covaudit.ui.components.images import run_key
from covaudit.ui.components.links import link_run
from covaudit.ui.errors import shown_errors
from covaudit.ui.text import DASH, count, literal, md_escape

TESTS = ("internal", "external")


def show_links(run: Run, findings: Sequence[AuditFinding]) -> None:
    """What the audit says, and where the rest of the run is."""
    verdict, others = split_verdict(findings)
    if verdict is not None:
        st.markdown(f"**{md_escape(verdict.title, 120)}**")
    if others:
        st.markdown(severity_counts(others))
    link_run(run.id, "findings", "heat maps", "predict", "job")


def show_gap(estimates: Sequence[Estimate]) -> None:
    show_chart(plot_gap(gap_info(estimates)), key="gap", alt="Metrics on both tests with their intervals")


def show_classes(run: Run, estimates: Sequence[Estimate]) -> None:
    """Per-class metrics of the test that is chosen, and the overall ones."""
    st.subheader("By class", anchor=False)
    split = choose("Test", {name: SPLITS[name] for name in (*TESTS, "val")}, "split", "external")
    frame = tables.class_frame(estimates, split, run.experiment.task.classes)
    scores.show_counted(frame, f"{SPLITS[split]}: metrics by class with 95 % intervals")
    measures.show_averages(estimates, split)
    st.markdown("**All classes together**")
    st.dataframe(
        tables.overall_frame(estimates), hide_index=True, height="content", alt="Overall metrics with 95 % intervals"
    )
    methods = sorted({one.method for one in estimates if one.is_defined and one.method})
    measures.show_wald(estimates, split, run.experiment.task.classes)
    with st.expander("How the intervals were made, and why a dash stands where it does", icon=":material/info:"):
        st.text("Each value stands with its 95 % interval: [low, high]. Methods used in this run:")
        for method in methods:
            st.text(f"• {literal(method, 200)}")
        for reason, wheres in tables.reasons(estimates).items():
            st.text(f"{DASH} {literal(reason, 200)}: {literal(', '.join(wheres), 600)}")


def show_folds(run: Run, estimates: Sequence[Estimate]) -> None:
    """How the numbers of a run with folds came about, and each fold; nothing for a run with one fold."""
    said = fold_words(run.experiment)
    if not said:
        return
    st.subheader("Folds", anchor=False)
    st.text(" ".join(said))
    table = fold_table(run.experiment, estimates)
    frame = pd.DataFrame([row.cells for row in table.rows], columns=list(table.header))
    st.dataframe(frame, hide_index=True, alt="Each fold's metrics on both tests, their mean and standard deviation")
    st.text(FOLD_NOTE)


def show_confusions(confusions: Sequence[Confusion], key: str) -> None:
    """Both tests side by side; each cell holds its count and its share of the row."""
    st.subheader("Confusion matrices", anchor=False)
    found = {one.split: one for one in confusions}
    for split, box in zip(TESTS, st.columns(2, gap="medium"), strict=True):
        with box:
            st.markdown(f"**{SPLITS[split]}**")
            if split not in found:
                st.text("No image in this test.")
                continue
            alt = f"{SPLITS[split]}: counts of truth (rows) against prediction (columns)"
            show_chart(plot_confusion(confusion_info(found[split])), key=f"confusion_{key}_{split}", alt=alt)


def show_roc(store: Store, run: Run, estimates: Sequence[Estimate]) -> None:
    """Each class against the rest, both tests side by side."""
    st.subheader("ROC curves", anchor=False)
    with shown_errors():
        for split, box in zip(TESTS, st.columns(2, gap="medium"), strict=True):
            with box:
                st.markdown(f"**{SPLITS[split]}**")
                curves = _roc(store, run, run_key(store, run), split)
                alt = f"{SPLITS[split]}: sensitivity against 1 − specificity of each class"
                show_chart(plot_roc(roc_info(curves, estimates, split)), key=f"roc_{run.id}_{split}", alt=alt)


@st.cache_data(max_entries=100, show_spinner=False)
def _roc(_store: Store, _run: Run, key: str, split: str) -> list[RocCurve]:
    return roc_curves(results.predictions(_store, _run), split, _run.experiment.task.classes)


def show_sources(run: Run, estimates: Sequence[Estimate]) -> None:
    st.subheader("By source", anchor=False)
    frame = tables.source_frame(estimates, run.experiment.task.classes)
    scores.show_counted(frame, "Metrics by test and source with 95 % intervals")


def show_curves(store: Store, run: Run) -> None:
    st.subheader("Learning curves", anchor=False)
    fold, k = 0, run.experiment.n_folds
    if k > 1:
        fold = st.selectbox("Fold", range(k), format_func=lambda one: f"{one + 1} of {k}", key=f"curves_of_{run.id}")
    info = history_info(runs.epochs(store, run.id, fold=fold))
    alt = f"Losses and validation balanced accuracy of {len(info.epochs)} epochs"
    show_chart(plot_history(info), key=f"history_{run.id}_{fold}", alt=alt)


def show_used(store: Store, run: Run) -> None:
    """Which images the run drew, what it left out, and how it can be done again."""
    st.subheader("What was used", anchor=False)
    with shown_errors():
        table = results.samples(store, run)
        counts = _by_role(table).groupby(["source", "class_name", "split"]).size().unstack(fill_value=0)
        ordered = counts[[name for name in ("train", "val", "internal", "external", "dropped") if name in counts]]
        shown = ordered.rename(columns={**SPLITS, "dropped": "Could not be opened"}).reset_index()
        shown["source"], shown["class_name"] = shown["source"].map(literal), shown["class_name"].map(literal)
        shown = shown.rename(columns={"source": "Source", "class_name": "Class"})
        st.dataframe(shown, hide_index=True, alt="Images by source, class and split")
        st.text(
            f"{count(len(table), 'image')} of {count(table.groupby('source')['patient'].nunique().sum(), 'patient')}."
        )
        if ROLES in table:
            st.text(mixture_note(run.experiment))
    st.text(literal(how_trained(run.experiment.training), 600))
    summary = results.summary(store, run.id)
    if run.experiment.acknowledged:
        words = f"Leakage was accepted in writing: {run.experiment.acknowledged}"
        st.warning(md_escape(words, 2100), icon=":material/group:")
    for reason, n in summary.get("dropped", {}).items():
        st.text(f"Left out: {n:,} × {literal(reason, 200)}")
    with st.expander("The experiment as YAML", icon=":material/code:"):
        st.code(run.experiment.to_yaml(), language="yaml")
    with st.expander("Device, versions, hashes", icon=":material/memory:"):
        plain = {name: value for name, value in summary.items() if name not in ("counts", "dropped")}
        st.json(plain, expanded=1)


def _by_role(table: pd.DataFrame) -> pd.DataFrame:
    """Source, class and split of each image, of several folds once for each split that it had."""
    roles = pd.DataFrame(roles_of(table), index=table.index).stack().rename("split").droplevel(1)
    every = table[["source", "image_id", "class_name"]].join(roles[roles != ABSENT])
    return every.drop_duplicates()


def show_exports(store: Store, run: Run, estimates: Sequence[Estimate]) -> None:
    st.subheader("Take it with you", anchor=False)
    with st.container(horizontal=True, gap="small"):
        download("Report (HTML)", partial(_report, store, run.id), f"covaudit-{run.id}.html", "text/html")
        download("Estimates (CSV)", csv_bytes(tables.estimates_frame(estimates)), f"{run.id}-estimates.csv", "text/csv")
        download("Everything (JSON)", json_bytes(results.show(store, run.id)), f"{run.id}.json", "application/json")
        predictions = _predictions(store, run)
        if predictions is not None:
            download("Predictions (CSV)", csv_bytes(predictions), f"{run.id}-predictions.csv", "text/csv")
        download("Experiment (YAML)", run.experiment.to_yaml().encode(), f"{run.id}.yaml", "text/yaml")


def _report(store: Store, run_id: str) -> bytes:
    from covaudit.reports.html import render  # Jinja2 and the readers of all sources

    return render(store, run_id).encode("utf-8", "replace")


def _predictions(store: Store, run: Run) -> pd.DataFrame | None:
    with shown_errors():
        return results.predictions(store, run)
    return None
