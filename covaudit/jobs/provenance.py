"""What must be kept with a run so that another person can judge and repeat it."""

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from covaudit import INTENDED_USE
from covaudit.domain.experiment import Experiment
from covaudit.explain.lungs import finder
from covaudit.jobs.environment import environment
from covaudit.training.network_file import NetworkFile
from covaudit.training.pace import pace_of
from models.pretrained import record_weights
from models.registry import spec_of


def digest_of(samples: pd.DataFrame) -> str:
    """One SHA-256 for all images of a run: of the sorted lines 'split sha256', whatever their names."""
    lines = sorted(samples["split"].astype(str) + " " + samples["sha256"].astype(str))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def initial_weights(experiment: Experiment, folder: Path | None) -> list[dict[str, str]]:
    """The files that the network started from, with their hashes; empty for random weights."""
    is_random = experiment.training.pretrained == "none"
    return [] if is_random else list(record_weights(spec_of(experiment.network), folder))


def provenance(
    experiment: Experiment, samples: pd.DataFrame, dropped: dict[str, int], network: nn.Module, described: NetworkFile,
    device: torch.device,
) -> dict[str, Any]:  # fmt: skip
    """Plain JSON: counts of what was used and left out, hashes, versions, device."""
    counts = samples.groupby(["split", "source", "class_name"]).size()
    return {
        "intended_use": INTENDED_USE,
        "counts": [
            {"split": split, "source": source, "class": name, "n": int(n)}
            for (split, source, name), n in counts.items()
        ],
        "dropped": dropped,
        "samples_sha256": digest_of(samples),
        "initialisation": "ImageNet" if experiment.training.pretrained == "imagenet" else "random",
        "parameters": sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad),
        "heat_map": {"method": described.cam_method, "layer": described.cam_layer, "cells": described.cam_cells},
        "lungs_found_by": finder(),
        "number_format": pace_of(network, device).name,
        "seed": experiment.seed,
        **environment(device),
    }
