"""Paper 2: intervals, F1 and macro averages from the printed values; counts that no number of images can give."""

from collections.abc import Iterator
from typing import Any

from covaudit.metrics.wald import wald_half_width
from covaudit.papers import printed
from covaudit.papers.cells import Cell, fixed

# F2: the sizes before the labels became several, which the paper's intervals of experiment A rest on.
_SIZE_OF_INTERVAL = {("A", "Pneumonia"): 280, ("A", "Virus"): 140}
_FLAT = "printed as ± 0: one interval that ends where the value does says nothing of how few the images are"
_WEIGHTED = "the printed macro values are the weighted averages; the mean over the five classes is another"


def class_interval_cells() -> Iterator[Cell]:
    """± of Tables 5, 7 and 9 by 1.96 sqrt(p (1 - p) / n), n the images of the class."""
    for row in printed.rows("paper2", "classes"):
        experiment, target = row["experiment"], row["class"]
        n = _SIZE_OF_INTERVAL.get((experiment, target), printed.support(experiment, target))
        for metric in printed.OF_CLASS:
            value, half = row[metric]
            found = fixed(100 * wald_half_width(value / 100, n), 2)
            reason = "" if found == fixed(half, 2) else f"1.96 √(p(1−p)/{n}) is {found}"
            if not reason and n != printed.support(experiment, target):
                reason = f"the interval counts {n} images, the test set has {printed.support(experiment, target)}"
            if not reason and half == 0 and value > 0:
                reason = _FLAT
            yield _cell(printed.TABLE_CLASSES, row, f"{target}, {metric} ±", fixed(half, 2), found, reason)


def overall_interval_cells() -> Iterator[Cell]:
    """± of Tables 4, 6 and 8, n all images."""
    for row in printed.rows("paper2", "overall"):
        n = printed.support(row["experiment"])
        for metric in printed.OVERALL:
            value, half = row[metric]
            scale, digits = (1.0, 4) if metric == "hamming_loss" else (100.0, 2)
            found = fixed(scale * wald_half_width(value / scale, n), digits)
            reason = "" if found == fixed(half, digits) else f"1.96 √(p(1−p)/{n}) is {found}: one last digit apart"
            yield _cell(printed.TABLE_OVERALL, row, f"{metric} ±", fixed(half, digits), found, reason)


def f1_cells() -> Iterator[Cell]:
    """F1 of each class from the printed precision and recall."""
    for row in printed.rows("paper2", "classes"):
        (precision, _), (recall, _), (f1, _) = (row[metric] for metric in printed.OF_CLASS)
        total = precision + recall
        found = 2 * precision * recall / total if total else 0.0
        # Precision and recall are rounded themselves: 0.01 may be lost.
        reason = "" if abs(found - f1) < 0.0151 else f"2PR / (P + R) is {fixed(found, 2)}"
        yield _cell(printed.TABLE_CLASSES, row, f"{row['class']}, f1", fixed(f1, 2), fixed(found, 2), reason)


def macro_cells() -> Iterator[Cell]:
    """Macro averages of Tables 4, 6 and 8 from the class rows of Tables 5, 7 and 9."""
    classes = printed.rows("paper2", "classes")
    for row in printed.rows("paper2", "overall"):
        own = [one for one in classes if (one["experiment"], one["network"]) == (row["experiment"], row["network"])]
        means = {metric: sum(one[metric][0] for one in own) / len(own) for metric in printed.OF_CLASS}
        is_weighted = any(abs(means[metric] - row[f"macro_{metric}"][0]) > 0.5 for metric in printed.OF_CLASS)
        for metric, mean in means.items():
            value = row[f"macro_{metric}"][0]
            reason = "" if abs(mean - value) < 0.0151 else f"the mean of the printed class values is {fixed(mean, 2)}"
            reason = _WEIGHTED if is_weighted else reason
            if reason and metric == "f1" and not is_weighted:
                reason += f"; of the classes' 2PR / (P + R) it is {fixed(_mean_f1(own), 2)}"
            yield _cell(printed.TABLE_OVERALL, row, f"macro_{metric}", fixed(value, 2), fixed(mean, 2), reason)


def _mean_f1(own: list[dict[str, Any]]) -> float:
    pairs = [(one["precision"][0], one["recall"][0]) for one in own]
    return sum(2 * p * r / (p + r) if p + r else 0.0 for p, r in pairs) / len(pairs)


def count_cells() -> Iterator[Cell]:
    """Shares of whole images: a recall of n images, or an accuracy, must be k / n for some whole k."""
    for row in printed.rows("paper2", "classes"):
        n, value = printed.support(row["experiment"], row["class"]), row["recall"][0]
        yield _counted(printed.TABLE_CLASSES, row, f"{row['class']}, recall", value, n)
    for row in printed.rows("paper2", "overall"):
        n, value = printed.support(row["experiment"]), row["exact_match_accuracy"][0]
        yield _counted(printed.TABLE_OVERALL, row, "exact_match_accuracy", value, n)


def _counted(tables: Any, row: dict[str, Any], column: str, value: float, n: int) -> Cell:
    whole = round(value / 100 * n)
    found = fixed(100 * whole / n, 2)
    reason = "" if found == fixed(value, 2) else f"{whole} of {n} images is {found}; no whole number gives the printed"
    return _cell(tables, row, column, fixed(value, 2), found, reason)


def time_cells() -> Iterator[Cell]:
    """Total times of Tables 1 to 3 as epochs."""
    for row in printed.rows("paper2", "times"):
        epochs = row["seconds"] / row["seconds_per_epoch"]
        yield _cell(
            printed.TABLE_TIMES, row, "epochs by time", f"{row['seconds']:,} s", fixed(epochs, 1),
            "" if epochs == int(epochs) else "the total is no whole number of epochs",
        )  # fmt: skip


def _cell(tables: Any, row: dict[str, Any], column: str, value: str, found: str, reason: str) -> Cell:
    return Cell("2", tables[row["experiment"]], f"{row['experiment']}: {row['network']}", column, value, found, reason)
