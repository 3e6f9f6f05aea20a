"""What every check gets: one run's material, read only."""

from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.domain.estimate import Estimate
from covaudit.domain.experiment import Experiment


class Predict(Protocol):
    """Maps grey levels (M, S, S) of the run's image size to probabilities (M, K).

    In a run with several folds, `folds` (M,) says for each image whose network is asked."""

    def __call__(self, images: NDArray[np.uint8], folds: NDArray[np.int64] | None = None) -> NDArray[np.float32]: ...


class Evidence(NamedTuple):
    """`samples` and `predictions` as in the run's Parquet files; `regions` (N, S, S) bits of `domain.regions`;
    `predict` asks the run's network, or the network of a fold."""

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
