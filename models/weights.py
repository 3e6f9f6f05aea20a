"""ImageNet weights put into a network: read safely, checked name by name, fitted to its channels and grey levels."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from models.pretrained import WeightsError, fetch_weights
from models.specs import GREY, Backbone, NetworkSpec, Normalisation

_READER = Path(__file__).with_name("read_pickle.py")
_READER_SECONDS = 180


def load_backbones(
    network: nn.Module, spec: NetworkSpec, folder: Path | None, levels: Normalisation | None = GREY
) -> None:
    """Put the ImageNet weights of every backbone of `spec` into `network`; heads stay as they are.

    `levels` is how the images are normalised that the network will be given; its first layers are fitted to that. None
    leaves their weights as published, whatever they are given.

    Raises:
        WeightsError: a file is not there, cannot be read safely, or is not of that backbone.
    """
    if not spec.backbones:
        raise WeightsError(f"Network {spec.name} has no ImageNet weights. Set training.pretrained to none.")
    for backbone in spec.backbones:
        path = fetch_weights(backbone, folder)
        content = read_state(path)
        fit_backbone(network.get_submodule(backbone.module), backbone, content, path.name, levels)


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by name, from safetensors or from a state dict that torch saved; nothing of this process is unpickled.

    Raises:
        WeightsError: it is damaged, or holds more than tensors.
    """
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    with tempfile.TemporaryDirectory(prefix="covaudit-weights-") as folder:
        target = Path(folder) / "tensors.safetensors"
        command = [sys.executable, "-I", str(_READER), str(path.resolve()), str(target)]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, timeout=_READER_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise WeightsError(f"{path.name} took too long to read. Provide it as safetensors.") from error
        if done.returncode != 0:
            raise WeightsError(
                f"{path.name} is not a plain state dict: it is damaged, or holds objects other than tensors, which "
                "may run code and are not opened. Provide the weights as safetensors."
            )
        return _read_safetensors(target)


def fit_backbone(
    part: nn.Module, backbone: Backbone, content: Mapping[str, Tensor], file: str, levels: Normalisation | None = GREY
) -> None:
    """Copy `content` into `part`, all but the classifier. Raises `WeightsError` that names what does not fit."""
    published: Any = timm.get_pretrained_cfg(backbone.timm_name)
    own = part.state_dict()
    wanted = [name for name in own if not _is_of(name, published.classifier) and "num_batches" not in name]
    found = {name.removeprefix("module."): tensor for name, tensor in content.items()}
    missing = [name for name in wanted if name not in found]
    if missing:
        raise WeightsError(
            f"{file} is not of {backbone.timm_name}: {len(missing)} of {len(wanted)} tensors are missing, the first "
            f"is {missing[0]}. Provide the weights that timm publishes at {backbone.origin}."
        )
    state = {name: found[name].to(own[name].dtype) for name in wanted}
    first = f"{published.first_conv}.weight"
    fitted = levels or Normalisation(published.mean, published.std)
    # The shift first: it needs the three channels.
    shift = _shift(state[first], fitted, published.mean, published.std)
    state[first] = _fit_channels(state[first], own[first].shape[1], fitted, published.std)
    wrong = [name for name in wanted if state[name].shape != own[name].shape]
    if wrong:
        name = wrong[0]
        raise WeightsError(
            f"{file} is not of {backbone.timm_name}: {name} has shape {tuple(found[name].shape)}, expected is "
            f"{tuple(own[name].shape)}. Provide the weights that timm publishes at {backbone.origin}."
        )
    part.load_state_dict(state, strict=False)
    _apply_shift(part, published.first_conv, shift)


def _fit_channels(weight: Tensor, in_chans: int, levels: Normalisation, spread: tuple[float, ...]) -> Tensor:
    """The first convolution for images of other levels: rescaled from the weights' own spread, and
    for one channel summed over the three, which all are the same grey."""
    if weight.ndim != 4 or weight.shape[1] != len(spread):
        return weight
    scaled = weight * (torch.tensor(levels.spread) / torch.tensor(spread)).to(weight).view(1, -1, 1, 1)
    return scaled.sum(dim=1, keepdim=True) if in_chans == 1 else scaled


def _shift(weight: Tensor, levels: Normalisation, mean: tuple[float, ...], spread: tuple[float, ...]) -> Tensor:
    """(outputs,) what the first convolution's output is off by, for another mean is subtracted from the images."""
    if weight.ndim != 4 or weight.shape[1] != len(spread):
        return torch.zeros(len(weight))
    offsets = (torch.tensor(levels.mean) - torch.tensor(mean)) / torch.tensor(spread)
    return (weight.sum(dim=(-2, -1)) * offsets.to(weight)).sum(dim=1)


def _apply_shift(part: nn.Module, first_conv: str, shift: Tensor) -> None:
    """To the convolution's bias, or where it has none to the mean of the batch norm that follows it."""
    bias = part.get_submodule(first_conv).bias
    with torch.no_grad():
        if isinstance(bias, Tensor):
            bias += shift
        else:
            norm: Any = next(one for one in part.modules() if isinstance(one, nn.BatchNorm2d))
            norm.running_mean -= shift


def _is_of(name: str, classifier: str | tuple[str, ...] | None) -> bool:
    names = (classifier,) if isinstance(classifier, str) else classifier or ()
    return any(name.startswith(f"{one}.") for one in names)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path.name} is damaged: it is no safetensors file. Provide it again.") from error
