"""A group of images with every metric's value, interval and n."""

from collections.abc import Callable, Iterable, Iterator
from math import isnan, nan
from typing import NamedTuple

import numpy as np
import pandas as pd

from covaudit.domain.estimate import Estimate, Place
from covaudit.domain.seeds import derive_seed
from covaudit.metrics.answers import Answers, Tested, is_clustered, read_answers
from covaudit.metrics.collapsed import collapsed_interval
from covaudit.metrics.delong import area_of, delong_interval
from covaudit.metrics.intervals import (
    UNDEFINED,
    Interval,
    bootstrap,
    bootstrap_method,
    centred,
    design_effect,
    percentile,
    wilson,
)
from covaudit.metrics.keys import NEEDS_PROBABILITIES, NEEDS_TWO_CLASSES, OVERALL, PROPORTIONS, Floats, Key
from covaudit.metrics.labels import OVERALL as LABEL_OVERALL
from covaudit.metrics.labels import PROPORTIONS as LABEL_PROPORTIONS
from covaudit.metrics.labels import LabelAnswers, contradictions_of, is_multi_label, label_meter, read_labels
from covaudit.metrics.weighted import Measure, meter


class Plan(NamedTuple):
    """What is the same for all groups of images."""

    classes: tuple[str, ...]
    seed: int
    n_resamples: int
    is_multi_label: bool

    @classmethod
    def of(cls, predictions: pd.DataFrame, classes: Iterable[str], seed: int, n_resamples: int) -> "Plan":
        names = tuple(classes)
        return cls(names, seed, n_resamples, is_multi_label(predictions, names))

    @property
    def overall(self) -> tuple[str, ...]:
        return (*LABEL_OVERALL, *contradictions_of(self.classes)) if self.is_multi_label else OVERALL

    @property
    def proportions(self) -> frozenset[str]:
        return LABEL_PROPORTIONS if self.is_multi_label else PROPORTIONS

    def of_classes(self, metrics: Iterable[str]) -> list[Key]:
        return [Key(metric, index) for index in range(len(self.classes)) for metric in metrics]

    def read(self, rows: pd.DataFrame) -> tuple[Tested, Callable[[bool], Measure]]:
        """The answers of a group, and how to build their meter, with or without AUROC and AUPRC."""
        if self.is_multi_label:
            labels: LabelAnswers = read_labels(rows, self.classes)
            return labels, lambda is_ranked: label_meter(labels, is_ranked)
        answers: Answers = read_answers(rows, self.classes)
        return answers, lambda is_ranked: meter(answers, is_ranked)


class Group(NamedTuple):
    """The images of a split, or of one source or group in it; resampled once for all metrics."""

    plan: Plan
    place: Place
    answers: Tested
    values: dict[Key, float]
    resampled: dict[Key, Floats]

    @classmethod
    def of(
        cls,
        rows: pd.DataFrame,
        plan: Plan,
        split: str,
        source: str | None = None,
        group: str | None = None,
        is_ranked: bool = True,
    ) -> "Group":
        """A split, or a source or a group in it; `is_ranked` False resamples all but AUROC and AUPRC."""
        answers, build = plan.read(rows)
        place = Place(split, "", source, None, group)
        if not answers.n:
            return cls(plan, place, answers, {}, {})
        ones = np.ones((1, answers.n), dtype=np.float32)
        values = {key: float(value[0]) for key, value in build(True)(ones).items()}
        rng = np.random.default_rng(derive_seed(plan.seed, "intervals", split, source or "", group or ""))
        return cls(plan, place, answers, values, bootstrap(build(is_ranked), answers.patient, plan.n_resamples, rng))

    def estimates(self, keys: Iterable[Key]) -> Iterator[Estimate]:
        for key in keys:
            value, interval = self.value(key), self.interval(key)
            method = self.why_undefined(key) if isnan(value) else interval.method
            yield self.estimate(key, value, interval._replace(method=method), self.n(key))

    def estimate(self, key: Key, value: float, interval: Interval, n: int) -> Estimate:
        """An estimate of these images."""
        name = None if key.class_index is None else self.plan.classes[key.class_index]
        place = self.place._replace(metric=key.metric, class_name=name)
        return to_estimate(place, value, interval, n)

    def value(self, key: Key) -> float:
        return self.values.get(key, nan)

    def n(self, key: Key) -> int:
        return int(self.answers.images_of(key).sum())

    def interval(self, key: Key) -> Interval:
        if isnan(self.value(key)):
            return UNDEFINED
        mask = self.answers.images_of(key)
        is_several = is_clustered(self.answers, mask)
        if key.metric in self.plan.proportions and not is_several:
            return wilson(self.values[key], int(mask.sum()))
        if key.metric == "auroc":
            found = delong_interval(area_of(self.answers, key.class_index), is_several)
            return found or self._collapsed(key)
        method = bootstrap_method(self.plan.n_resamples, self.plan.seed)
        if key.metric == "ece":
            return centred(self.resampled[key], self.values[key], method) or self._collapsed(key)
        return percentile(self.resampled[key], method) or self._collapsed(key)

    def _collapsed(self, key: Key) -> Interval:
        return collapsed_interval(self.answers, key, self.values)

    def has_collapsed(self, key: Key) -> bool:
        return percentile(self.resampled[key], "") is None

    def design_effect(self) -> Iterator[Estimate]:
        """How much the patients' several images cost, measured on the accuracy (multi-label: the exact match)."""
        key = Key(self.plan.overall[0])
        if self.answers.n and is_clustered(self.answers):
            effect = design_effect(self.resampled[key], self.values[key], self.answers.n)
            method = f"variance of the {key.metric} by patients over that by images"
            yield self.estimate(Key("design_effect"), effect, Interval(nan, nan, method), self.answers.n)

    def why_undefined(self, key: Key) -> str:
        name = self.plan.classes[key.class_index] if key.class_index is not None else ""
        if not self.answers.n:
            return "undefined: no image"
        if key.metric in NEEDS_PROBABILITIES and not np.isfinite(self.answers.probability).all():
            return "undefined: the probabilities are not finite"
        present = [self.plan.classes[index] for index in self.answers.present()]
        if self.plan.is_multi_label:
            return self._why_no_label(key, name, present)
        needs_two = key.metric in NEEDS_TWO_CLASSES or key.metric.startswith(("macro_", "weighted_"))
        if needs_two and len(present) == 1:
            return f"undefined: only class {present[0]} has images"
        if key.metric in ("ppv", "npv"):
            return f"undefined: {'none' if key.metric == 'ppv' else 'every one'} was predicted {name}"
        if key.metric == "mcc":
            return "undefined: one class alone was predicted"
        if name:
            return f"undefined: no image of class {name}"
        return "undefined: in a class it is undefined"

    def _why_no_label(self, key: Key, name: str, present: list[str]) -> str:
        if key.metric in ("ppv", "npv"):
            return f"undefined: {'no' if key.metric == 'ppv' else 'every'} image was given {name}"
        if name:
            has = self.answers.true(self.plan.classes.index(name)).any()
            return f"undefined: {'every' if has else 'no'} image is {name}"
        return "undefined: for a label it is undefined" if len(present) > 1 else "undefined: fewer than two labels vary"


def to_estimate(place: Place, value: float, interval: Interval, n: int) -> Estimate:
    """An estimate from its parts."""
    # By dict: the field's alias, `class`, is no Python name, and mypy takes the alias for the argument's name.
    plain = {"class" if name == "class_name" else name: part for name, part in place._asdict().items()}
    numbers = {"value": value, "low": interval.low, "high": interval.high, "n": n, "method": interval.method[:200]}
    return Estimate.model_validate(plain | numbers)
