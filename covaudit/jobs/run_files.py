"""The files of a run: written whole or not at all, readable elsewhere with NumPy, pandas and safetensors alone."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from covaudit.domain.experiment import Experiment
from covaudit.store.artifacts import write_whole, writing_whole
from covaudit.training.network_file import NetworkFile, weights_bytes
from covaudit.training.pixels import PixelSet


def write_files(
    folder: Path, experiment: Experiment, samples: pd.DataFrame, predictions: pd.DataFrame, heatmaps: NDArray[np.uint8],
    pixels: PixelSet, network: nn.Module, described: NetworkFile,
) -> list[Path]:  # fmt: skip
    """Every file but the log; returns their paths, for the store to record with their hashes."""
    tables = {"samples.parquet": samples, "predictions.parquet": predictions}
    arrays = {"heatmaps.npy": heatmaps, "pixels.npy": pixels.pixels, "regions.npy": pixels.regions}
    plain = {
        "experiment.yaml": experiment.to_yaml().encode(),
        "network.json": described.model_dump_json(indent=2).encode(),
        "weights.safetensors": weights_bytes(network),
    }
    for name, table in tables.items():
        with writing_whole(folder / name) as file:
            table.to_parquet(file, index=False)
    for name, array in arrays.items():
        with writing_whole(folder / name) as file:
            np.save(file, array)
    for name, content in plain.items():
        write_whole(folder / name, content)
    return [folder / name for name in (*plain, *tables, *arrays)]
