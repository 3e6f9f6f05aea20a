"""What a network answered on a group of images, as arrays: the form that every metric is computed from."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.errors import UnknownName

PROBABILITY = "p_"
"""Prefix of the probability columns of a predictions table: `p_<class>`."""


class Answers(NamedTuple):
    """N images, K classes. `truth` and `predicted` (N,) index the classes; `probability` (N, K) in [0, 1];
    `patient` (N,) numbers the patients from 0, each number used at least once."""

    truth: NDArray[np.intp]
    predicted: NDArray[np.intp]
    probability: NDArray[np.float64]
    patient: NDArray[np.intp]

    @property
    def n(self) -> int:
        return len(self.truth)

    @property
    def n_classes(self) -> int:
        return int(self.probability.shape[1])

    def present(self) -> list[int]:
        """The classes that at least one image truly has, ascending."""
        return [int(index) for index in np.unique(self.truth)]

    def n_patients(self, mask: NDArray[np.bool_]) -> int:
        """How many patients the images of `mask` (N,) come from."""
        return len(np.unique(self.patient[mask]))


def read_answers(predictions: pd.DataFrame, classes: Sequence[str]) -> Answers:
    """Arrays of a predictions table. A patient is known by source and patient together: two sources may both have a
    patient "1". Raises `UnknownName` for a truth or prediction that is none of `classes`."""
    owner = predictions[["source", "patient"]].astype(str)
    return Answers(
        truth=_codes(predictions["class_name"], classes),
        predicted=_codes(predictions["predicted"], classes),
        probability=predictions[[PROBABILITY + name for name in classes]].to_numpy(dtype=np.float64),
        patient=owner.groupby(["source", "patient"], sort=True).ngroup().to_numpy(dtype=np.intp),
    )


def _codes(names: "pd.Series[str]", classes: Sequence[str]) -> NDArray[np.intp]:
    codes = np.asarray(pd.Index(list(classes)).get_indexer(pd.Index(names.astype(str))), dtype=np.intp)
    if (codes < 0).any():
        stranger = str(names.iloc[int(np.argmin(codes))])
        raise UnknownName("class", stranger, classes, "The predictions belong to another task.")
    return codes
