"""Metrics as people read them: the headline gap in words, tables with an interval and n in every cell."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from covaudit.domain.estimate import Estimate, Place
from covaudit.figures.text import METRICS, SPLITS
from covaudit.ui.text import TOO_FEW, class_title, interval, literal, score

NOTE = "Note"
HEADLINE = "balanced_accuracy"
_PER_CLASS = ("sensitivity", "specificity", "ppv", "npv", "f1", "auroc", "auprc")
_OVERALL = (
    "exact_match", "hamming_loss", "contradictions", "balanced_accuracy", "accuracy", "macro_f1", "mcc", "kappa",
    "auroc", "auprc", "brier", "log_loss", "ece",
)  # fmt: skip


def find(
    estimates: Sequence[Estimate],
    split: str,
    metric: str,
    source: str | None = None,
    class_name: str | None = None,
    group: str | None = None,
    baseline: str | None = None,
) -> Estimate:
    """The estimate, or an undefined one where there is none."""
    place = Place(split, metric, source, class_name, group, baseline)
    return next(
        (one for one in estimates if one.place == place),
        Estimate.model_validate({"class" if name == "class_name" else name: v for name, v in place._asdict().items()}),
    )


def headline_metrics(estimates: Sequence[Estimate], metric: str = HEADLINE) -> None:
    """Internal, external and gap as three numbers, each with its interval and n."""
    for split, box in zip(("internal", "external", "gap"), st.columns(3, gap="small"), strict=True):
        found = find(estimates, split, metric)
        label = SPLITS[split]
        with box.container(border=True, height="stretch"):
            show_number(label, found)


def show_number(label: str, found: Estimate) -> None:
    """One big number with its interval and n below it. `label` is our own words."""
    under = f"95 %: {score(found.low)} to {score(found.high)}, n {found.n:,}" if found.is_defined else "not defined"
    st.metric(label, score(found.value), under if found.n else "no image", delta_color="off", delta_arrow="off")


def gap_words(estimates: Sequence[Estimate], metric: str = HEADLINE) -> str:
    """The gap as one or two sentences. Our own words only, fit for Markdown."""
    gap, name = find(estimates, "gap", metric), METRICS[metric].lower()
    if not find(estimates, "external", metric).n:
        return "There is no external test: nothing can be said about sources that the network has not seen."
    if not gap.is_defined:
        return f"The gap in {name} is not defined: a class has no image in one of the two tests."
    span = f"(95 % interval {score(gap.low)} to {score(gap.high)})"
    if gap.low > 0:
        return (
            f"On sources that it has not seen the network loses **{score(gap.value)}** of {name} {span}. "
            "The interval lies above 0: the loss is more than chance."
        )
    if gap.high < 0:
        return (
            f"The network does better by **{score(-gap.value)}** of {name} on the external test "
            f"(95 % interval of the gap {score(gap.low)} to {score(gap.high)}): that test may be easier."
        )
    return (
        f"The gap in {name} is **{score(gap.value)}** {span}. The interval holds 0: "
        f"with this many images no loss can be told from chance; a gap up to {score(gap.high)} fits the data too."
    )


def class_frame(estimates: Sequence[Estimate], split: str, classes: Sequence[str]) -> pd.DataFrame:
    """One row a class: n and each metric with its interval."""
    return pd.DataFrame([_class_row(estimates, split, name) for name in classes])


def _class_row(estimates: Sequence[Estimate], split: str, name: str) -> dict[str, object]:
    found = {metric: find(estimates, split, metric, class_name=name) for metric in _PER_CLASS}
    n = found["sensitivity"].n
    row: dict[str, object] = {"Class": class_title(name), "Images": n, NOTE: "too few" if n < TOO_FEW else ""}
    return row | {METRICS[metric]: interval(estimate) for metric, estimate in found.items()}


def overall_frame(estimates: Sequence[Estimate]) -> pd.DataFrame:
    """One row a metric, one column a split, overall values."""
    there = {one.metric for one in estimates if one.is_overall}
    metrics = [metric for metric in _OVERALL if metric in there]
    splits = ("val", "internal", "external", "gap")
    rows = [
        {"Metric": METRICS[metric]} | {SPLITS[s]: interval(find(estimates, s, metric)) for s in splits}
        for metric in metrics
    ]
    return pd.DataFrame(rows)


def source_frame(estimates: Sequence[Estimate], classes: Sequence[str]) -> pd.DataFrame:
    """One row a test and source: n, balanced accuracy, accuracy, sensitivity of each class."""
    pairs = dict.fromkeys(
        (e.split, e.source) for e in estimates if e.source and e.is_of_network and e.split in ("internal", "external")
    )
    return pd.DataFrame([_source_row(estimates, split, str(source), classes) for split, source in pairs])


def _source_row(estimates: Sequence[Estimate], split: str, source: str, classes: Sequence[str]) -> dict[str, object]:
    right = "accuracy" if find(estimates, split, "accuracy", source).n else "exact_match"
    accuracy = find(estimates, split, right, source)
    row: dict[str, object] = {"Test": SPLITS[split], "Source": literal(source), "Images": accuracy.n}
    row[NOTE] = "too few" if accuracy.n < TOO_FEW else ""
    if right == "accuracy":
        row[METRICS[HEADLINE]] = interval(find(estimates, split, HEADLINE, source))
    row[METRICS[right]] = interval(accuracy)
    for name in classes:
        row[f"Sensitivity {literal(name, 20)}"] = interval(find(estimates, split, "sensitivity", source, name))
    return row


def show_counted(frame: pd.DataFrame, alt: str) -> None:
    """A table whose rows of fewer than 30 images are grey and say so."""
    if frame.empty:
        st.text("No images.")
        return
    grey = "#9AA7AC" if st.context.theme.type == "dark" else "#5F6E75"
    few = frame["Images"] < TOO_FEW
    frame = frame if few.any() else frame.drop(columns=NOTE)
    styled = frame.style.apply(
        lambda row: [f"color: {grey}; font-style: italic" if few[row.name] else ""] * len(row), axis=1
    )
    st.dataframe(styled, hide_index=True, alt=alt)
    if few.any():
        st.markdown(f":gray[Grey rows rest on fewer than {TOO_FEW} images: too few to judge by.]")


def estimates_frame(estimates: Sequence[Estimate]) -> pd.DataFrame:
    """Every estimate as a row, for export; NaN stays empty."""
    columns = (*Place._fields, "value", "low", "high", "n", "method")
    frame = pd.DataFrame([{name: getattr(one, name) for name in columns} for one in estimates], columns=list(columns))
    return frame.rename(columns={"class_name": "class"})


def reasons(estimates: Sequence[Estimate]) -> dict[str, list[str]]:
    """Why values of the run are undefined: reason -> what it holds for, such as "PPV of CVP, external test"."""
    found: dict[str, list[str]] = {}
    for one in estimates:
        if one.is_defined or not one.is_of_network or one.source or one.group or one.metric not in METRICS:
            continue
        what = METRICS[one.metric] + (f" of {one.class_name}" if one.class_name else "")
        where = SPLITS.get(one.split, one.split).lower()
        found.setdefault(one.method.removeprefix("undefined: "), []).append(f"{what}, {where}")
    return found
