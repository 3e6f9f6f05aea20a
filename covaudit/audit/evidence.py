"""What every check gets: one run's material, read only."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.domain.estimate import Estimate
from covaudit.domain.experiment import Experiment

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class Evidence(NamedTuple):
    """`samples` and `predictions` as in the run's Parquet files; `regions` (N, S, S) bits of `domain.regions`;
    `predict` maps grey levels (M, S, S) of the run's image size to probabilities (M, K)."""

    experiment: Experiment
    samples: pd.DataFrame
    predictions: pd.DataFrame
    estimates: list[Estimate]
    regions: NDArray[np.uint8]
    predict: Predict

    def estimate(self, split: str, metric: str) -> Estimate | None:
        """The overall estimate of a metric, None where it was not computed or is undefined."""
        for found in self.estimates:
            if (found.split, found.metric) == (split, metric) and found.is_overall:
                return found if found.is_defined else None
        return None
