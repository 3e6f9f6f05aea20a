"""Two cross-validated runs, fold by fold: the corrected resampled t-test."""

from collections.abc import Sequence
from math import isnan
from typing import NamedTuple

from covaudit.domain.estimate import Estimate, Place
from covaudit.domain.experiment import Experiment
from covaudit.figures.text import DASH
from covaudit.reports.text import score

METRICS = ("balanced_accuracy", "accuracy", "exact_match", "macro_f1", "auroc")


class FoldTest(NamedTuple):
    """Second minus first of a metric of the internal test, averaged over the folds, with its 95 % interval; `p_holm` is
    Holm's over the metrics. Without a spread over the folds `low` is `high`, and there is no interval."""

    metric: str
    value: float
    low: float
    high: float
    p: float
    p_holm: float


def difference_words(one: FoldTest) -> str:
    """'0.12 [−0.03, 0.26]', or words where the folds have no spread; a dash where it is undefined."""
    if isnan(one.value):
        return DASH
    if one.low == one.high:
        return f"{score(one.value)} in every fold (no interval)"
    return f"{score(one.value)} [{score(one.low)}, {score(one.high)}]"


def are_alike(first: Experiment, second: Experiment) -> bool:
    """Whether both were cross-validated on the same folds: same images, same split, same seed."""
    names = ("task", "train", "sampling", "split", "seed")
    return first.n_folds > 1 and all(getattr(first, name) == getattr(second, name) for name in names)


def size_ratio(experiment: Experiment) -> float:
    """Images of the internal test of a fold over those of its training."""
    split = experiment.split
    if split.method == "leave-one-source-out":
        return split.internal / (1 - split.val - split.internal)
    return 1 / max(1, experiment.n_folds - 2)  # of k parts one tests, one validates and the others train


def compare_folds(
    experiments: tuple[Experiment, Experiment], estimates: tuple[Sequence[Estimate], Sequence[Estimate]]
) -> list[FoldTest]:
    """One test for each metric that every fold of both runs has; none for runs that are not alike."""
    from covaudit.metrics.family import corrected_t_test, holm  # SciPy: a second that no page needs

    first, second = experiments
    if not are_alike(first, second):
        return []
    tables = [{one.place: one for one in found} for found in estimates]
    values = {metric: [_of_folds(table, metric, first.n_folds) for table in tables] for metric in METRICS}
    found = {
        metric: corrected_t_test(one, two, size_ratio(first)) for metric, (one, two) in values.items() if one and two
    }
    adjusted = holm([test.p_value for test in found.values()])
    return [
        FoldTest(metric, test.value, test.low, test.high, test.p_value, p)
        for (metric, test), p in zip(found.items(), adjusted, strict=True)
    ]


def _of_folds(table: dict[Place, Estimate], metric: str, k: int) -> list[float]:
    """The metric in each fold; empty where one has none."""
    found = [table.get(Place("internal", metric, fold=fold)) for fold in range(k)]
    return [one.value for one in found if one is not None] if None not in found else []
