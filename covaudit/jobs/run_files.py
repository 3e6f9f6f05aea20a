"""The files of a run: written whole or not at all, readable elsewhere with NumPy, pandas and safetensors alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from covaudit.domain.experiment import Experiment
from covaudit.explain.heatmaps import ClassMaps
from covaudit.store.artifacts import write_whole, writing_whole
from covaudit.store.files import class_maps_file
from covaudit.training.network_file import NetworkFile, weights_bytes
from covaudit.training.pixels import PixelSet


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """What one fold of several has to say of itself, for `gather` to read."""
    write_whole(folder / "summary.json", json.dumps(summary, ensure_ascii=False).encode())


def write_files(
    folder: Path, experiment: Experiment, samples: pd.DataFrame, predictions: pd.DataFrame, heatmaps: NDArray[np.uint8],
    maps: ClassMaps, pixels: PixelSet, network: nn.Module, described: NetworkFile,
) -> list[Path]:  # fmt: skip
    """Every file but the log; returns their paths, for the store to record with their hashes."""
    tables = {"samples.parquet": samples, "predictions.parquet": predictions}
    arrays = {"heatmaps.npy": heatmaps, "pixels.npy": pixels.pixels, "regions.npy": pixels.regions}
    arrays |= {class_maps_file(number): one for number, one in enumerate(maps.maps)}
    plain = {
        "experiment.yaml": experiment.to_yaml().encode(),
        "network.json": described.model_dump_json(indent=2).encode(),
        "weights.safetensors": weights_bytes(network),
    }
    for name, content in plain.items():
        write_whole(folder / name, content)
    return [*(folder / name for name in plain), *write_tables(folder, tables), *write_arrays(folder, arrays)]


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> list[Path]:
    """Parquet files by their names."""
    for name, table in tables.items():
        with writing_whole(folder / name) as file:
            table.to_parquet(file, index=False)
    return [folder / name for name in tables]


def write_arrays(folder: Path, arrays: Mapping[str, NDArray[np.uint8]]) -> list[Path]:
    """NumPy files by their names."""
    for name, array in arrays.items():
        with writing_whole(folder / name) as file:
            np.save(file, array)
    return [folder / name for name in arrays]
