"""Everything that is said of a network in numbers: each metric of each split, source and class, with its interval."""

from collections.abc import Iterable, Iterator, Sequence
from math import isnan, nan
from typing import NamedTuple

import numpy as np
import pandas as pd

from covaudit.domain.estimate import Estimate
from covaudit.domain.seeds import derive_seed
from covaudit.metrics.answers import Answers, read_answers
from covaudit.metrics.collapsed import collapsed_interval
from covaudit.metrics.intervals import (
    N_RESAMPLES,
    UNDEFINED,
    Interval,
    bootstrap,
    bootstrap_method,
    percentile,
    square_and_add,
    wilson,
)
from covaudit.metrics.weighted import OVERALL, PER_CLASS, PROPORTIONS, Floats, Key, images_of, meter

EVALUATED = ("val", "internal", "external")
PER_SOURCE_AND_CLASS = ("sensitivity", "specificity")
GAP = (Key("accuracy"), Key("balanced_accuracy"), Key("macro_f1"), Key("auroc"))


def evaluate(
    predictions: pd.DataFrame, classes: Sequence[str], seed: int, n_resamples: int = N_RESAMPLES
) -> list[Estimate]:
    """All estimates of a run, from the predictions table (columns source, patient, class_name, predicted, split and
    `p_<class>`).

    For val, internal and external: `OVERALL` over all images and per source, `PER_CLASS` per class, and
    `PER_SOURCE_AND_CLASS` per source and class. For split `gap`, internal minus external: `GAP`, and the sensitivity
    of each class. `n` counts the images of the metric's denominator (of both splits for the gap). Proportions have
    Wilson's interval; where a patient has several images, and for all other metrics, it is the patient bootstrap. A
    split without images has estimates too: NaN with n = 0. `method` of a NaN says why it is undefined.

    Raises `UnknownName` for a truth or prediction that is none of `classes`.
    """
    plan = _Plan(tuple(classes), seed, n_resamples)
    splits = {split: predictions[predictions["split"] == split] for split in EVALUATED}
    groups = {split: _Group.of(table, plan, split, None) for split, table in splits.items()}
    found = [estimate for group in groups.values() for estimate in group.estimates(_overall_keys(plan))]
    for split, table in splits.items():
        for source, rows in table.groupby("source", sort=True, observed=True):
            found += _Group.of(rows, plan, split, str(source)).estimates(_source_keys(plan))
    return found + list(_gap(groups["internal"], groups["external"]))


class _Plan(NamedTuple):
    """What is the same for all groups of images."""

    classes: tuple[str, ...]
    seed: int
    n_resamples: int

    def of_classes(self, metrics: Iterable[str]) -> list[Key]:
        return [Key(metric, index) for index in range(len(self.classes)) for metric in metrics]


def _overall_keys(plan: _Plan) -> list[Key]:
    return [*(Key(metric) for metric in OVERALL), *plan.of_classes(PER_CLASS)]


def _source_keys(plan: _Plan) -> list[Key]:
    return [*(Key(metric) for metric in OVERALL), *plan.of_classes(PER_SOURCE_AND_CLASS)]


class _Group(NamedTuple):
    """A group of images with every metric's value and its resampled values."""

    plan: _Plan
    split: str
    source: str | None
    answers: Answers
    values: dict[Key, float]
    resampled: dict[Key, Floats]

    @classmethod
    def of(cls, rows: pd.DataFrame, plan: _Plan, split: str, source: str | None) -> "_Group":
        answers = read_answers(rows, plan.classes)
        if not answers.n:
            return cls(plan, split, source, answers, {}, {})
        measure = meter(answers)
        values = {key: float(value[0]) for key, value in measure(np.ones((1, answers.n), dtype=np.float32)).items()}
        rng = np.random.default_rng(derive_seed(plan.seed, "intervals", split, source or ""))
        return cls(plan, split, source, answers, values, bootstrap(measure, answers.patient, plan.n_resamples, rng))

    def estimates(self, keys: Iterable[Key]) -> Iterator[Estimate]:
        for key in keys:
            value, interval, n = self.value(key), self.interval(key), self.n(key)
            method = self.why_undefined(key) if isnan(value) else interval.method
            yield _estimate(self.split, self.source, self.plan, key, value, interval._replace(method=method), n)

    def value(self, key: Key) -> float:
        return self.values.get(key, nan)

    def n(self, key: Key) -> int:
        return int(images_of(self.answers, key).sum())

    def interval(self, key: Key) -> Interval:
        if isnan(self.value(key)):
            return UNDEFINED
        mask = images_of(self.answers, key)
        if key.metric in PROPORTIONS and self.answers.n_patients(mask) == mask.sum():
            return wilson(self.values[key], int(mask.sum()))
        method = bootstrap_method(self.plan.n_resamples, self.plan.seed)
        return percentile(self.resampled[key], method) or collapsed_interval(self.answers, key, self.values)

    def has_collapsed(self, key: Key) -> bool:
        return percentile(self.resampled[key], "") is None

    def why_undefined(self, key: Key) -> str:
        present = [self.plan.classes[index] for index in self.answers.present()]
        name = self.plan.classes[key.class_index] if key.class_index is not None else ""
        if not present:
            return "undefined: no image"
        if key.metric in ("balanced_accuracy", "macro_f1", "auroc", "specificity") and len(present) == 1:
            return f"undefined: only class {present[0]} has images"
        if key.metric in ("ppv", "npv"):
            return f"undefined: {'none' if key.metric == 'ppv' else 'every one'} was predicted {name}"
        if name and name not in present:
            return f"undefined: no image of class {name}"
        return "undefined: the probabilities are not finite"


def _gap(internal: _Group, external: _Group) -> Iterator[Estimate]:
    plan = internal.plan
    for key in (*GAP, *plan.of_classes(["sensitivity"])):
        value = internal.value(key) - external.value(key)
        reason = _why_no_gap(internal, external, key)
        interval = UNDEFINED._replace(method=reason) if reason else _gap_interval(internal, external, key)
        yield _estimate("gap", None, plan, key, nan if reason else value, interval, internal.n(key) + external.n(key))


def _why_no_gap(internal: _Group, external: _Group, key: Key) -> str:
    for group in (internal, external):
        if isnan(group.value(key)):
            return f"{group.why_undefined(key)} ({group.split})"
    if key.metric not in PROPORTIONS and internal.answers.present() != external.answers.present():
        return "undefined: internal and external do not hold the same classes"
    return ""


def _gap_interval(internal: _Group, external: _Group, key: Key) -> Interval:
    # The two splits share no patient: their bootstraps are independent, and any row of one goes with any of the other.
    if not internal.has_collapsed(key) and not external.has_collapsed(key):
        found = percentile(
            internal.resampled[key] - external.resampled[key],
            bootstrap_method(internal.plan.n_resamples, internal.plan.seed),
        )
        if found is not None:
            return found
    parts = [(1.0, internal.values[key], internal.interval(key)), (-1.0, external.values[key], external.interval(key))]
    return square_and_add(internal.values[key] - external.values[key], parts, "square-and-add of both intervals")


def _estimate(
    split: str, source: str | None, plan: _Plan, key: Key, value: float, interval: Interval, n: int
) -> Estimate:
    # By dict: the field's alias, `class`, is no Python name, and mypy takes the alias for the argument's name.
    return Estimate.model_validate(
        {
            "split": split,
            "source": source,
            "class": None if key.class_index is None else plan.classes[key.class_index],
            "metric": key.metric,
            "value": value,
            "low": interval.low,
            "high": interval.high,
            "n": n,
            "method": interval.method,
        }
    )
