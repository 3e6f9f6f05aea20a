"""Two runs on the images that both were tested on: is the difference more than chance?"""

from collections.abc import Sequence
from math import isnan, nan
from typing import NamedTuple

import numpy as np
import pandas as pd

from covaudit.domain.estimate import Estimate, Place
from covaudit.domain.seeds import derive_seed
from covaudit.errors import CovauditError, clip
from covaudit.metrics.answers import Answers, Tested, is_clustered, n_patients, read_answers
from covaudit.metrics.collapsed import collapsed_interval
from covaudit.metrics.delong import AreaDifference, area_of, delong_difference
from covaudit.metrics.family import MatrixDifference, compare_matrices, exact_mcnemar, smallest_detectable
from covaudit.metrics.group import to_estimate
from covaudit.metrics.intervals import (
    N_RESAMPLES,
    UNDEFINED,
    Interval,
    bootstrap,
    bootstrap_method,
    percentile,
    square_and_add,
)
from covaudit.metrics.keys import Floats, Key, Weights
from covaudit.metrics.labels import LabelAnswers, is_multi_label, meter_of, read_labels

TEST_SPLITS = ("internal", "external")
COMPARED = (Key("accuracy"), Key("balanced_accuracy"), Key("macro_f1"), Key("auroc"))
LABELS_COMPARED = (Key("exact_match"), Key("balanced_accuracy"), Key("macro_f1"), Key("auroc"))
_IMAGE = ["source", "image_id"]


class Paired(NamedTuple):
    """Two runs, `first` and `second`, on the `n` images of `n_patients` patients that both were tested on.

    Images by who was right (multi-label: in all labels): `both_right`, `only_first`, `only_second`, `neither`.
    `p_value` is McNemar's, of the two discordant counts. `detectable` is the smallest difference in being right that
    this test would have shown in four cases of five. `first` and `second` map metrics to values on the shared images;
    `differences` are second minus first with their intervals, split "difference"; `auroc` is DeLong's test, None where
    it is undefined. `cells` compares the confusion matrices.
    """

    n: int
    n_patients: int
    both_right: int
    only_first: int
    only_second: int
    neither: int
    p_value: float
    p_method: str
    first: dict[str, float]
    second: dict[str, float]
    differences: tuple[Estimate, ...]
    detectable: float
    auroc: AreaDifference | None
    cells: MatrixDifference


def compare_pair(
    first: pd.DataFrame,
    second: pd.DataFrame,
    classes: Sequence[str],
    seed: int,
    split: str | None = None,
    n_resamples: int = N_RESAMPLES,
) -> Paired:
    """Compare two predictions tables on their shared test images (same source and image id).

    `split` is "internal" or "external" to take the images that are in that split of both runs, or None for the images
    in any test split of both: an image that one run trained on is never shared.

    Raises `CovauditError` where no image is shared, and where a shared image has two different true classes.
    """
    left, right = _shared(first, second, (split,) if split else TEST_SPLITS)
    is_multi = is_multi_label(left, classes) and is_multi_label(right, classes)
    one, two = (read_labels(rows, classes) if is_multi else read_answers(rows, classes) for rows in (left, right))
    compared = LABELS_COMPARED if is_multi else COMPARED
    right_one, right_two = ((rows["predicted"] == rows["class_name"]).to_numpy() for rows in (left, right))
    only_first, only_second = int((right_one & ~right_two).sum()), int((~right_one & right_two).sum())
    values = [{key: float(found[0]) for key, found in meter_of(a)(_ones(a)).items()} for a in (one, two)]
    patients = n_patients(one)
    return Paired(
        n=one.n,
        n_patients=patients,
        both_right=int((right_one & right_two).sum()),
        only_first=only_first,
        only_second=only_second,
        neither=int((~right_one & ~right_two).sum()),
        p_value=exact_mcnemar(only_first, only_second),
        p_method=_mcnemar_method(one),
        first={key.metric: values[0][key] for key in compared},
        second={key.metric: values[1][key] for key in compared},
        differences=tuple(
            to_estimate(Place("difference", key.metric), value, interval, one.n)
            for key, value, interval in difference_intervals(one, two, compared, seed, n_resamples)
        ),
        detectable=smallest_detectable((only_first + only_second) / one.n, patients),
        auroc=_delong(one, two),
        cells=compare_matrices(left, right, None if is_multi else classes),
    )


def _shared(first: pd.DataFrame, second: pd.DataFrame, splits: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the images in both tables, in the same order."""
    left, right = (
        table[table["split"].isin(splits)]
        .drop_duplicates(_IMAGE)
        .set_index(_IMAGE, drop=False)
        .rename_axis([None, None])
        for table in (first, second)
    )
    shared = left.index.intersection(right.index).sort_values()
    if shared.empty:
        raise CovauditError(
            f"The two runs share no test image ({len(left)} and {len(right)} images in {' or '.join(splits)}). "
            "A paired test needs the same images: choose two runs with the same test mixture and seed."
        )
    left, right = left.loc[shared], right.loc[shared]
    differ = (left["class_name"].astype(str) != right["class_name"].astype(str)).to_numpy()
    if differ.any():
        row, other = left[differ].iloc[0], right[differ].iloc[0]
        raise CovauditError(
            f"In {int(differ.sum())} of {len(left)} shared images the true class differs: {clip(row['image_id'])} is "
            f"{clip(row['class_name'])} and {clip(other['class_name'])}. Compare runs of the same task and labels."
        )
    return left, right


def difference_intervals(
    one: Answers | LabelAnswers,
    two: Answers | LabelAnswers,
    keys: Sequence[Key],
    seed: int,
    n_resamples: int = N_RESAMPLES,
) -> list[tuple[Key, float, Interval]]:
    """Second minus first of each metric, on the same images in the same order: the paired patient bootstrap."""
    if not one.n:
        return [(key, nan, UNDEFINED._replace(method="undefined: no image")) for key in keys]
    values = [
        {key: float(found[0]) for key, found in meter_of(answers)(_ones(answers)).items()} for answers in (one, two)
    ]
    measure_one, measure_two = meter_of(one), meter_of(two)

    def measure(weights: Weights) -> dict[Key, Floats]:
        found_one, found_two = measure_one(weights), measure_two(weights)
        return {key: found_two[key] - found_one[key] for key in keys}

    resampled = bootstrap(measure, one.patient, n_resamples, np.random.default_rng(derive_seed(seed, "difference")))
    method = bootstrap_method(n_resamples, seed, "paired patient bootstrap")
    found = []
    for key in keys:
        first, second = values[0][key], values[1][key]
        parts = [
            (1.0, second, collapsed_interval(two, key, values[1])),
            (-1.0, first, collapsed_interval(one, key, values[0])),
        ]
        interval = percentile(resampled[key], method) or _unpaired(second - first, parts)
        found.append((key, second - first, interval))
    return found


def _unpaired(value: float, parts: list[tuple[float, float, Interval]]) -> Interval:
    # Where the runs never differ the bootstrap has no width; forgetting the pairing can only widen the interval.
    if isnan(value):
        return UNDEFINED
    return square_and_add(value, parts, "square-and-add of both intervals, unpaired")


def _delong(one: Tested, two: Tested) -> AreaDifference | None:
    first, second = area_of(one, None), area_of(two, None)
    return delong_difference(first, second, is_clustered(one)) if first and second else None


def _mcnemar_method(answers: Tested) -> str:
    repeated = is_clustered(answers)
    return "exact McNemar" + ("; optimistic, for some patients have several images" if repeated else "")


def _ones(answers: Tested) -> Weights:
    return np.ones((1, answers.n), dtype=np.float32)
