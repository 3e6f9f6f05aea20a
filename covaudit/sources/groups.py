"""Which images belong together: those of one patient, and those that are the same file under two patients' names."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def patient_keys(table: pd.DataFrame) -> pd.Series:
    """Patient names are unique within their source only."""
    return table["source"].astype(str) + "/" + table["patient"].astype(str)


def group_images(table: pd.DataFrame) -> NDArray[np.int64]:
    """A number for each row (N,): equal for images of one patient or of equal content, and for whatever these link.

    Where the table has a column `family`, equal for images found to be near duplicates, that links them too; a family
    that is missing (None, NaN) links nothing.
    """
    if table.empty:
        return np.zeros(0, np.int64)
    patients, _ = pd.factorize(patient_keys(table))
    offset = int(patients.max()) + 1
    rows, nodes = [patients], [patients]
    for name in ("sha256", "family"):
        if name in table.columns:
            contents, _ = pd.factorize(table[name])  # -1 where missing
            is_known = contents >= 0
            rows.append(patients[is_known])
            nodes.append(contents[is_known] + offset)
            offset += int(contents.max(initial=-1)) + 1
    ends = np.concatenate(rows), np.concatenate(nodes)
    links = coo_array((np.ones(len(ends[0])), ends), shape=(offset, offset))
    _, component = connected_components(links, directed=False)
    return np.asarray(component[patients], dtype=np.int64)
