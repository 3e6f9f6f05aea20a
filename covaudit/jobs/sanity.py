"""The sanity gate of a run: what becomes of its heat maps when its network forgets."""

import time

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from covaudit.audit.evidence import patients_of
from covaudit.audit.sanity import choose_rows
from covaudit.domain.experiment import Experiment
from covaudit.domain.seeds import derive_seed
from covaudit.explain.sanity import Cascade, cam_cascade
from covaudit.training.network_file import NetworkFile


def forget(
    network: nn.Module, described: NetworkFile, experiment: Experiment, predictions: pd.DataFrame,
    pixels: NDArray[np.uint8], device: torch.device,
) -> Cascade | None:  # fmt: skip
    """How the heat maps of a few test images change when layers of the network forget; None without a test image."""
    begun = time.monotonic()
    chosen = choose_rows(predictions, derive_seed(experiment.seed, "sanity"))
    if chosen.empty:
        return None
    targets = chosen["heat_target"].map(list(described.classes).index).to_numpy(dtype=np.int64)
    films = np.array(pixels[chosen["sample_row"].to_numpy()])
    seed = derive_seed(experiment.seed, "sanity", "weights")
    found = cam_cascade(network, described, films, targets, patients_of(chosen), device, seed)
    return found._replace(seconds=time.monotonic() - begun)
