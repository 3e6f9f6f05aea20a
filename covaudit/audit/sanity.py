"""Whether a way of drawing heat maps may be used as evidence on a network: the rule of the sanity gate."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.audit import rules
from covaudit.metrics.intervals import mean_interval


class Judged(NamedTuple):
    """Mean rank correlation with the maps of networks that forgot, 0 where it is below, with its interval over n
    images; too few say nothing."""

    value: float
    low: float
    high: float
    n: int

    @property
    def fails(self) -> bool:
        return self.n >= rules.SANITY_ENOUGH and self.low > rules.SANITY_LIKENESS

    @property
    def passes(self) -> bool:
        return self.n >= rules.SANITY_ENOUGH and not self.fails


def judge(likeness: NDArray[np.float64], patients: NDArray[np.str_], seed: int) -> Judged:
    """The rule for rank correlations (..., N) of images of `patients`; the mean is over all but the last axis."""
    by_image = np.clip(likeness, 0, 1).reshape(-1, likeness.shape[-1]).mean(axis=0)
    known = ~np.isnan(by_image)
    mean = mean_interval(by_image[known], patients[known], seed)
    return Judged(mean.value, mean.low, mean.high, int(known.sum()))


def choose_rows(predictions: pd.DataFrame, seed: int) -> pd.DataFrame:
    """At most `rules.SANITY_IMAGES` rows of predictions with a heat map."""
    mapped = predictions[predictions["heatmap_row"] >= 0]
    return mapped.sample(min(len(mapped), rules.SANITY_IMAGES), random_state=seed)
