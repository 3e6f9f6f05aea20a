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
    """A number for each row (N,): equal for images of one patient or of equal content, and for whatever these link."""
    if table.empty:
        return np.zeros(0, np.int64)
    patients, _ = pd.factorize(patient_keys(table))
    contents, _ = pd.factorize(table["sha256"])
    n_patients = int(patients.max()) + 1
    n_nodes = n_patients + int(contents.max()) + 1
    links = coo_array((np.ones(len(table)), (patients, contents + n_patients)), shape=(n_nodes, n_nodes))
    _, component = connected_components(links, directed=False)
    return np.asarray(component[patients], dtype=np.int64)
