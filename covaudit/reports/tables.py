"""What is shown of a run's estimates, as tables of text: each cell a value with its interval, or a dash."""

from collections.abc import Sequence

import pandas as pd

from covaudit.domain.estimate import Estimate, Place
from covaudit.figures.text import DASH, METRICS, SPLITS, TOO_FEW
from covaudit.metrics.wald import as_in_paper
from covaudit.reports.text import class_title, interval, literal, score

NOTE = "Note"
HEADLINE = "balanced_accuracy"
TESTS = ("internal", "external")
RULES = {"youden": "Youden's index", "sensitivity_95": "Sensitivity ≥ 0.95", "specificity_95": "Specificity ≥ 0.95"}
_PER_CLASS = ("sensitivity", "specificity", "ppv", "npv", "f1", "auroc", "auprc")
OVERALL = (
    "exact_match", "hamming_loss", "contradictions", "normal_and_pneumonia", "virus_and_bacteria",
    "covid_without_virus", "balanced_accuracy", "accuracy", "macro_f1", "mcc", "kappa",
    "auroc", "auprc", "brier", "log_loss", "ece",
)  # fmt: skip


_AVERAGED = ("sensitivity", "specificity", "ppv", "npv", "f1", "auroc", "auprc")
_PLAIN = {"macro_sensitivity": "balanced_accuracy", "macro_auroc": "auroc", "macro_auprc": "auprc"}
_MICRO = {"sensitivity", "ppv", "f1"}


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
    metrics = [metric for metric in OVERALL if metric in there]
    splits = ("val", "internal", "external", "gap")
    found = {metric: {split: find(estimates, split, metric) for split in splits} for metric in metrics}
    # What is not computed, such as the gap in MCC, has no dash: that says undefined.
    rows = [
        {"Metric": METRICS[metric]} | {SPLITS[split]: interval(one) if one.method else "" for split, one in by.items()}
        for metric, by in found.items()
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


def group_frame(estimates: Sequence[Estimate], classes: Sequence[str]) -> pd.DataFrame:
    """One row a test and group of sex, age or view."""
    places = dict.fromkeys((e.split, e.group) for e in estimates if e.group and e.is_of_network)
    first = "exact_match" if any(e.metric == "exact_match" for e in estimates) else "balanced_accuracy"
    rows = []
    for split, group in places:
        found = {metric: find(estimates, split, metric, group=group) for metric in (first, "accuracy", "auroc")}
        n = max(one.n for one in found.values())
        row: dict[str, object] = {"Test": SPLITS[split], "Group": literal(group), "Images": n}
        row[NOTE] = "too few" if n < TOO_FEW else ""
        row |= {METRICS[metric]: interval(one) for metric, one in found.items() if one.n}
        for name in classes:
            own = find(estimates, split, "sensitivity", class_name=name, group=group)
            row[f"Sensitivity {literal(name, 20)}"] = interval(own)
        rows.append(row)
    return pd.DataFrame(rows)


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


def locked_frame(estimates: Sequence[Estimate], name: str) -> pd.DataFrame:
    """One row a rule: the threshold that validation chose, and what it gives on both tests."""
    rows = []
    for rule, title in RULES.items():
        threshold = find(estimates, "val", f"threshold_{rule}", class_name=name)
        row = {"Chosen on validation by": title, "Threshold": score(threshold.value)}
        for split in TESTS:
            for metric in ("sensitivity", "specificity"):
                found = find(estimates, split, f"{metric}_at_{rule}", class_name=name)
                row[f"{METRICS[metric]}, {split}"] = interval(found)
        rows.append(row)
    return pd.DataFrame(rows)


def has_images(estimates: Sequence[Estimate], split: str) -> bool:
    """Whether any image of a split was tested."""
    return any(one.n for one in estimates if one.split == split and one.is_overall)


def estimates_frame(estimates: Sequence[Estimate]) -> pd.DataFrame:
    """Every estimate as a row, for export; NaN stays empty."""
    columns = (*Place._fields, "value", "low", "high", "n", "method")
    frame = pd.DataFrame([{name: getattr(one, name) for name in columns} for one in estimates], columns=list(columns))
    return frame.rename(columns={"class_name": "class"})


def reasons(estimates: Sequence[Estimate]) -> dict[str, list[str]]:
    """Why values of the run are undefined: reason -> what it holds for, such as "PPV of CVP, external test".

    A test without any image is one reason, not one for each metric.
    """
    empty = [split for split in TESTS if not has_images(estimates, split)]
    found = {"no image": [f"all of the {SPLITS[split].lower()}" for split in empty]} if empty else {}
    for one in estimates:
        if one.split in empty or (one.split == "gap" and empty):
            continue
        if one.is_defined or not one.is_of_network or one.source or one.group or one.metric not in METRICS:
            continue
        what = METRICS[one.metric] + (f" of {one.class_name}" if one.class_name else "")
        where = SPLITS.get(one.split, one.split).lower()
        found.setdefault(one.method.removeprefix("undefined: "), []).append(f"{what}, {where}")
    return found
