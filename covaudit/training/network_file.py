"""A trained network on disk: `network.json` says what it is, `weights.safetensors` holds the numbers.

Nothing is unpickled.
"""

import json
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from covaudit.domain.training import Preparation
from covaudit.errors import MissingArtifact
from covaudit.training.intensity import feed
from covaudit.training.pace import pace_of
from covaudit.training.prepare import Recipe
from models.registry import build_network


class CamView(BaseModel):
    """A view of the heat map beside that of the whole network: a branch, at a layer with a grid of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    layer: str
    offset: float
    stride: float
    cells: int


class NetworkFile(BaseModel):
    """What is needed to predict with a trained network: the order of `classes` is that of its outputs.

    With `is_multi_label` each output is a sigmoid of its own, and a class is predicted above one half.

    Heat maps are drawn by `cam_method` at `cam_layer`, of `cam_cells` cells a side, whose cell i looks at pixel
    `cam_offset + cam_stride * i`; `cam_branches` are the views of parts of the network, for those that have any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str
    classes: tuple[str, ...]
    image_size: int
    cam_method: str
    cam_layer: str
    cam_offset: float
    cam_stride: float
    cam_cells: int
    cam_branches: tuple[CamView, ...] = ()
    in_chans: int = 1
    is_multi_label: bool = False
    intensity: Literal["standard", "unit", "raw"] = "standard"
    preparation: Preparation = Preparation()
    levels: tuple[float, ...] = ()

    @property
    def views(self) -> tuple[CamView, ...]:
        """The whole network's view, then those of its branches."""
        whole = CamView(
            name="whole", layer=self.cam_layer, offset=self.cam_offset, stride=self.cam_stride, cells=self.cam_cells
        )
        return (whole, *self.cam_branches)

    @property
    def recipe(self) -> Recipe:
        """How an image is prepared for this network."""
        return Recipe(self.image_size, self.preparation, self.levels)


def weights_bytes(network: nn.Module) -> bytes:
    """The state of a network as safetensors."""
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()})


def load_network(folder: Path, device: torch.device) -> tuple[nn.Module, NetworkFile]:
    """The trained network of a run folder, in evaluation mode.

    Raises:
        MissingArtifact: a file is gone, damaged, or does not fit the network that it names.
    """
    try:
        described = NetworkFile.model_validate(json.loads((folder / "network.json").read_text()))
        network = build_network(
            described.network, len(described.classes), described.in_chans, image_size=described.image_size
        )
        feed(network, described.intensity)
        network.load_state_dict(load_file(folder / "weights.safetensors"))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, ValidationError) as error:
        raise MissingArtifact(
            "The trained network of this run cannot be loaded: its files are gone or damaged. "
            "Retry the run to train it again."
        ) from error
    network = network.to(device).eval()
    pace_of(network, device).lay_out_network(network)
    return network, described
