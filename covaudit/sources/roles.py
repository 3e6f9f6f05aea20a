"""What an image was used for: in a run with several folds, in each of them."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ROLES = "roles"
"""The column of a run with several folds: the split of the image in each fold, such as 'train,internal,val'."""
ABSENT = "-"


def roles_of(samples: pd.DataFrame) -> NDArray[np.str_]:
    """The split (N, F) of each of N images in each of F folds; F is 1 for a run without folds."""
    if ROLES not in samples:
        return np.array(samples["split"], dtype=np.str_)[:, None]
    rows = [str(one).split(",") for one in samples[ROLES]]
    return np.array(rows, dtype=np.str_).reshape(len(rows), -1)


def has_role(samples: pd.DataFrame, *splits: str) -> NDArray[np.bool_]:
    """Whether each image (N,) was in one of these splits, in any fold."""
    return np.asarray(np.isin(roles_of(samples), splits).any(axis=1))


def n_trained(samples: pd.DataFrame) -> int:
    """Images that train one network: of several folds, those of the largest."""
    return int((roles_of(samples) == "train").sum(axis=0).max(initial=0))
