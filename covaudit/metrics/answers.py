"""What a network answered on a group of images, as arrays: the form that every metric is computed from."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covaudit.errors import UnknownName
from covaudit.metrics.keys import Key, images_of_class

PROBABILITY = "p_"
"""Prefix of the probability columns of a predictions table: `p_<class>`."""
TRUTH = "t_"
"""Prefix of the truth columns (0 or 1) of a multi-label task's predictions table: `t_<class>`."""
BASE_IMAGE = "base_image"
"""Column that names the image of which a test image is an augmented copy."""

Mask = NDArray[np.bool_]


class Tested(Protocol):
    """N images that were answered, whatever the kind of task. `patient` (N,) numbers the clusters from 0."""

    @property
    def n(self) -> int: ...
    @property
    def patient(self) -> NDArray[np.intp]: ...
    @property
    def probability(self) -> NDArray[np.float64]: ...
    def present(self) -> list[int]:
        """The classes that can be told from the rest, ascending."""
        ...

    def true(self, index: int) -> Mask:
        """The images (N,) that are of a class."""
        ...

    def images_of(self, key: Key) -> Mask:
        """The images (N,) that a metric is computed over: those of its denominator."""
        ...


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
        return [int(index) for index in np.unique(self.truth)]

    def true(self, index: int) -> Mask:
        return np.asarray(self.truth == index, dtype=bool)

    def images_of(self, key: Key) -> Mask:
        if key.class_index is None:
            return np.ones(self.n, dtype=bool)
        return images_of_class(self.true(key.class_index), self.predicted == key.class_index, key.metric)


def n_patients(answers: Tested, mask: Mask | None = None) -> int:
    """How many patients the images of `mask` (N,), or all, come from."""
    return len(np.unique(answers.patient if mask is None else answers.patient[mask]))


def is_clustered(answers: Tested, mask: Mask | None = None) -> bool:
    """Some patient has several of the images."""
    return n_patients(answers, mask) < (answers.n if mask is None else int(mask.sum()))


def read_answers(predictions: pd.DataFrame, classes: Sequence[str]) -> Answers:
    """Arrays of a predictions table. Raises `UnknownName` for a truth or prediction that is none of `classes`."""
    return Answers(
        truth=_codes(predictions["class_name"], classes),
        predicted=_codes(predictions["predicted"], classes),
        probability=predictions[[PROBABILITY + name for name in classes]].to_numpy(dtype=np.float64),
        patient=read_patients(predictions),
    )


def read_patients(predictions: pd.DataFrame) -> NDArray[np.intp]:
    """Number of the patient of each row (N,), from 0.

    A patient is known by source and patient together: two sources may both have a patient "1". Copies of one image,
    where a column `base_image` tells them, are one patient's, even where each copy was given a patient of its own.
    """
    patient = _numbers(predictions[["source", "patient"]])
    if BASE_IMAGE not in predictions or predictions[BASE_IMAGE].isna().all():
        return patient
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    known = predictions[BASE_IMAGE].notna().to_numpy()
    base = _numbers(predictions.loc[known, ["source", BASE_IMAGE]]) + int(patient.max()) + 1
    size = int(base.max()) + 1
    links = coo_array((np.ones(len(base)), (patient[known], base)), shape=(size, size))
    together = connected_components(links, directed=False)[1][patient]
    return np.unique(together, return_inverse=True)[1].astype(np.intp)


def _numbers(owner: pd.DataFrame) -> NDArray[np.intp]:
    numbers = owner.astype(str).groupby(list(owner.columns), sort=True).ngroup()
    return np.asarray(numbers.to_numpy(dtype=np.intp))


def _codes(names: "pd.Series[str]", classes: Sequence[str]) -> NDArray[np.intp]:
    codes = np.asarray(pd.Index(list(classes)).get_indexer(pd.Index(names.astype(str))), dtype=np.intp)
    if (codes < 0).any():
        stranger = str(names.iloc[int(np.argmin(codes))])
        raise UnknownName("class", stranger, classes, "The predictions belong to another task.")
    return codes
