"""Confusion counts of one split."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from covaudit.domain.estimate import Confusion
from covaudit.metrics.answers import read_answers
from covaudit.metrics.labels import is_multi_label


def confusion(predictions: pd.DataFrame, split: str, classes: Sequence[str]) -> Confusion:
    """Counts of the images of `split`; rows are the truth, columns the prediction. All 0 for a split without images.

    Of a multi-label task the rows and columns are the label sets that occur, the true ones first. Raises `UnknownName`
    for a truth or prediction that is none of `classes`.
    """
    rows = predictions[predictions["split"] == split]
    if is_multi_label(predictions, classes):
        classes = list(dict.fromkeys([*sorted(rows["class_name"].unique()), *sorted(rows["predicted"].unique())]))
        truth, predicted = (
            rows[name].map(classes.index).to_numpy(dtype=np.intp) for name in ("class_name", "predicted")
        )
    else:
        answers = read_answers(rows, classes)
        truth, predicted = answers.truth, answers.predicted
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (truth, predicted), 1)
    return Confusion(split=split, classes=tuple(classes), counts=tuple(tuple(map(int, row)) for row in counts))
