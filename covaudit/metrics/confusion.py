"""Confusion counts of one split."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from covaudit.domain.estimate import Confusion
from covaudit.metrics.answers import read_answers


def confusion(predictions: pd.DataFrame, split: str, classes: Sequence[str]) -> Confusion:
    """Counts of the images of `split`; rows are the truth, columns the prediction. All 0 for a split without images.

    Raises `UnknownName` for a truth or prediction that is none of `classes`.
    """
    answers = read_answers(predictions[predictions["split"] == split], classes)
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (answers.truth, answers.predicted), 1)
    return Confusion(split=split, classes=tuple(classes), counts=tuple(tuple(map(int, row)) for row in counts))
