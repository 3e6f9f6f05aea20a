"""What every check gets: one run's material, read only."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.audit import rules
from covaudit.domain.estimate import Estimate
from covaudit.domain.experiment import Experiment
from covaudit.domain.seeds import derive_seed
from covaudit.explain.sanity import Cascade
from covaudit.sources.roles import n_trained
from covaudit.training.predict import name_answers


class Predict(Protocol):
    """Maps grey levels (M, S, S) of the run's image size to probabilities (M, K).

    In a run with several folds, `folds` (M,) says for each image whose network is asked."""

    def __call__(self, images: NDArray[np.uint8], folds: NDArray[np.int64] | None = None) -> NDArray[np.float32]: ...


class NotTested(NamedTuple):
    """What a check says that could not be made: the reason as a sentence."""

    check: str
    reason: str


_NO_MAPS = np.zeros((0, 1, 1), np.uint8)
_EPSILON = 1e-6


class Evidence(NamedTuple):
    """`samples` and `predictions` as in the run's Parquet files; `pixels` (N, S, S) grey levels and `regions` (N, S, S)
    bits of `domain.regions`, rows as in `samples`; `predict` asks the run's network, or the network of a
    fold; `heatmaps` (T, s, s), rows as `heatmap_row` says, whose cells are `cell` pixels wide; `cascade` is how they
    change when the network forgets."""

    experiment: Experiment
    samples: pd.DataFrame
    predictions: pd.DataFrame
    estimates: list[Estimate]
    pixels: NDArray[np.uint8]
    regions: NDArray[np.uint8]
    predict: Predict
    heatmaps: NDArray[np.uint8] = _NO_MAPS
    cell: float = 1.0
    cascade: Cascade | None = None

    def estimate(self, split: str, metric: str, baseline: str | None = None) -> Estimate | None:
        """The overall estimate of a metric, None where it was not computed or is undefined."""
        for found in self.estimates:
            if found.place == (split, metric, None, None, None, baseline, None):
                return found if found.is_defined else None
        return None

    def tested(self, *splits: str) -> pd.DataFrame:
        """The predictions of these splits, both tests if none is named."""
        return self.predictions[self.predictions["split"].isin(splits or ("internal", "external"))]

    def sample_of(self, table: pd.DataFrame, n: int, use: str) -> pd.DataFrame:
        """At most `n` rows of a table of predictions, each of another patient, so that exact tests count what is
        independent; as many of each true class as there are, or nearly."""
        seed = derive_seed(self.experiment.seed, use)
        shuffled = one_of_each_patient(table.sample(len(table), random_state=seed))
        turn = shuffled.groupby("class_name").cumcount()
        return shuffled.iloc[np.argsort(turn.to_numpy(), kind="stable")[:n]].sort_index()

    def n_films(self, portion: rules.Portion, questions: float) -> int:
        """How many films a check may change, where it asks the network `questions` times about each."""
        trained = n_trained(self.samples) * self.experiment.training.passes
        wanted = rules.ASKED_PER_TRAINED * trained * portion.share / questions
        return min(max(int(wanted), portion.least), portion.most)

    def films(self, table: pd.DataFrame) -> NDArray[np.uint8]:
        """The films (len(table), S, S) of rows of the predictions."""
        return np.array(self.pixels[table["sample_row"].to_numpy()])

    def ask(self, films: NDArray[np.uint8], table: pd.DataFrame) -> NDArray[np.float32]:
        """Probabilities (R * n, K) of R changes, one after the other, of the n films of a table of predictions, each by
        the network that was tested on it."""
        if "fold" not in table:
            return self.predict(films)
        return self.predict(films, np.tile(table["fold"].to_numpy(dtype=np.int64), len(films) // len(table)))

    def given(self, table: pd.DataFrame) -> NDArray[np.float32]:
        """The probabilities (n, K) that rows of the predictions already have: unchanged films are not asked again."""
        return np.array(table[[f"p_{name}" for name in self.experiment.task.classes]], dtype=np.float32)

    def answers(self, found: NDArray[np.float32]) -> NDArray[Any]:
        """Probabilities (M, K) as the names that `predicted` has."""
        task = self.experiment.task
        names = name_answers(found, task.classes, task.is_multi_label)
        return np.asarray(names, dtype=object)


def log_odds(found: NDArray[np.float32]) -> NDArray[np.float64]:
    """log p / (1 - p) of probabilities, kept away from infinity."""
    p = np.clip(found.astype(np.float64), _EPSILON, 1 - _EPSILON)
    return np.asarray(np.log(p / (1 - p)))


def one_of_each_patient(table: pd.DataFrame) -> pd.DataFrame:
    """The first row of each patient."""
    return table[~pd.Series(patients_of(table), index=table.index).duplicated()]


def patients_of(table: pd.DataFrame) -> NDArray[np.str_]:
    """Patients are unique within their source only."""
    return np.array([f"{source}/{patient}" for source, patient in zip(table["source"], table["patient"], strict=True)])
