"""Words and digits in figures."""

from collections.abc import Mapping
from math import isnan

from covaudit.domain.labels import TITLES

DASH = "–"
TOO_FEW = 30
"""Below this many images an estimate is drawn hollow."""

METRICS: Mapping[str, str] = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "brier": "Brier",
    "log_loss": "Log loss",
    "ece": "ECE",
    "mcc": "MCC",
    "kappa": "Cohen's kappa",
    "exact_match": "Exact match",
    "hamming_loss": "Hamming loss",
    "contradictions": "Contradictions",
    "normal_and_pneumonia": "Normal and Pneumonia at once",
    "virus_and_bacteria": "Virus and Bacteria at once",
    "covid_without_virus": "COVID without Virus",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "f1": "F1",
    "ppv_at_prevalence": "PPV at the prevalence",
    "npv_at_prevalence": "NPV at the prevalence",
}
SPLITS: Mapping[str, str] = {
    "train": "Train",
    "val": "Validation",
    "internal": "Internal test",
    "external": "External test",
    "gap": "Gap (internal − external)",
    "difference": "Difference",
}


def literal(text: object, limit: int = 60) -> str:
    """A user's string that Plotly shows as it is, on one line, at most `limit` characters.

    Plotly draws `<b>`, `<a href>`, `<br>` and `&entities;` of any text as HTML.
    """
    shown = "".join(char if char.isprintable() else " " for char in str(text))
    shown = shown if len(shown) <= limit else shown[: limit - 1] + "…"
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def class_title(name: str) -> str:
    """'CVP, COVID-19 pneumonia' for a class of the papers, else the name itself; literal."""
    return f"{literal(name)}, {TITLES[name]}" if name in TITLES else literal(name)


def number(value: float, signed: bool = False) -> str:
    """Two decimals with a real minus sign; a dash for NaN."""
    # Adding 0.0 turns the -0.0 of a rounded -0.001 into 0.0.
    return DASH if isnan(value) else f"{round(value, 2) + 0.0:{'+' if signed else ''}.2f}".replace("-", "−")


def interval(low: float, high: float, signed: bool = False) -> str:
    """'[0.91, 0.95]'; nothing where the interval is undefined."""
    return "" if isnan(low) or isnan(high) else f"[{number(low, signed)}, {number(high, signed)}]"


def share(value: float) -> str:
    """Whole per cent; a dash for NaN."""
    return DASH if isnan(value) else f"{100 * value:.0f} %"


def duration(seconds: float) -> str:
    """'40 s', '3 min', '2 h 5 min'."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def duration_range(low: float, high: float) -> str:
    """'12–18 min', '40–55 s': one unit for both ends, fit for the larger."""
    unit, name = (1, "s") if high < 90 else (60, "min") if high < 5400 else (3600, "h")
    first, last = max(1, round(low / unit)), max(1, round(high / unit))
    return f"{first} {name}" if first == last else f"{first}–{last} {name}"
