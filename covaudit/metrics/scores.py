"""Everything that is said of a network in numbers: each metric of each split, source, group and class, with its
interval."""

from collections.abc import Iterator, Sequence
from math import isnan, nan

import pandas as pd

from covaudit.domain.estimate import Estimate, Place
from covaudit.metrics.attributes import groups_of
from covaudit.metrics.group import Group, Plan, to_estimate
from covaudit.metrics.intervals import (
    N_RESAMPLES,
    UNDEFINED,
    Interval,
    bootstrap_method,
    percentile,
    square_and_add,
)
from covaudit.metrics.keys import PER_CLASS, Key

EVALUATED = ("val", "internal", "external")
TESTS = ("internal", "external")
OF_SOURCE = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "brier")
OF_LABEL_SOURCE = ("exact_match", "hamming_loss", "macro_f1", "auroc", "brier")
OF_GROUP = ("accuracy", "balanced_accuracy", "auroc")
OF_LABEL_GROUP = ("exact_match", "macro_f1", "auroc")
PER_SOURCE_AND_CLASS = ("sensitivity", "specificity")
GAP = ("accuracy", "balanced_accuracy", "macro_f1", "auroc")
LABEL_GAP = ("exact_match", "balanced_accuracy", "macro_f1", "auroc")


def evaluate(
    predictions: pd.DataFrame, classes: Sequence[str], seed: int, n_resamples: int = N_RESAMPLES
) -> list[Estimate]:
    """All estimates of a run, from the predictions table (columns source, patient, class_name, predicted, split and
    `p_<class>`; of a multi-label task also `t_<class>`; sex, age, view and base_image where they are known).

    For val, internal and external: `keys.OVERALL` (multi-label: `labels.OVERALL`) over all images, `PER_CLASS` per
    class, the design effect where patients have several images; fewer metrics per source and, for the tests, per group
    of sex, age and view. For split `gap`, internal minus external: `GAP`, and the sensitivity of each class. `n` counts
    the images of the metric's denominator (of both splits for the gap).

    Proportions have Wilson's interval, or the patient bootstrap where a patient has several images; AUROC has DeLong's
    (by patient: Obuchowski's); all other metrics have the patient bootstrap. A split without images has estimates too:
    NaN with n = 0. `method` of a NaN says why it is undefined.

    Raises `UnknownName` for a truth or prediction that is none of `classes`.
    """
    plan = Plan.of(predictions, classes, seed, n_resamples)
    splits = {split: predictions[predictions["split"] == split] for split in EVALUATED}
    whole = {split: Group.of(rows, plan, split) for split, rows in splits.items()}
    found = [estimate for group in whole.values() for estimate in _whole(group)]
    for split, rows in splits.items():
        found += _narrowed(rows, plan, split)
    return found + list(_gap(whole["internal"], whole["external"]))


def _whole(group: Group) -> Iterator[Estimate]:
    keys = [*map(Key, group.plan.overall), *group.plan.of_classes(PER_CLASS)]
    yield from group.estimates(keys)
    yield from group.design_effect()


def _narrowed(rows: pd.DataFrame, plan: Plan, split: str) -> Iterator[Estimate]:
    of_classes = plan.of_classes(PER_SOURCE_AND_CLASS)
    keys = [*map(Key, OF_LABEL_SOURCE if plan.is_multi_label else OF_SOURCE), *of_classes]
    for source, part in rows.groupby("source", sort=True, observed=True):
        yield from Group.of(part, plan, split, source=str(source), is_ranked=False).estimates(keys)
    keys = [*map(Key, OF_LABEL_GROUP if plan.is_multi_label else OF_GROUP), *of_classes]
    for name, part in groups_of(rows) if split in TESTS else ():
        yield from Group.of(part, plan, split, group=name, is_ranked=False).estimates(keys)


def _gap(internal: Group, external: Group) -> Iterator[Estimate]:
    plan = internal.plan
    for key in (*map(Key, LABEL_GAP if plan.is_multi_label else GAP), *plan.of_classes(["sensitivity"])):
        value = internal.value(key) - external.value(key)
        reason = _why_no_gap(internal, external, key)
        interval = UNDEFINED._replace(method=reason) if reason else _gap_interval(internal, external, key)
        name = None if key.class_index is None else plan.classes[key.class_index]
        n = internal.n(key) + external.n(key)
        yield to_estimate(Place("gap", key.metric, class_name=name), nan if reason else value, interval, n)


def _why_no_gap(internal: Group, external: Group, key: Key) -> str:
    for group in (internal, external):
        if isnan(group.value(key)):
            return f"{group.why_undefined(key)} ({group.place.split})"
    same_classes = internal.answers.present() == external.answers.present()
    if key.metric not in internal.plan.proportions and not same_classes:
        return "undefined: internal and external do not hold the same classes"
    return ""


def _gap_interval(internal: Group, external: Group, key: Key) -> Interval:
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
