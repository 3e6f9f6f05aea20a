"""What numbers a network is given: the papers fed 0..1 or 0..255, we feed grey levels near zero mean by default."""

from typing import Any

from torch import nn

from covaudit.training.loaders import MEAN, SPREAD

_FACTOR = {"unit": 1.0, "raw": 255.0}


def feed(network: nn.Module, intensity: str) -> nn.Module:
    """The network itself, which from now on turns what `normalise` made into 0..1 (unit) or 0..255 (raw) first.

    As part of the network it is the same in training, prediction, heat maps and checks.
    """
    if intensity in _FACTOR:
        factor = _FACTOR[intensity]

        def undo(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            return ((inputs[0] * SPREAD + MEAN) * factor, *inputs[1:])

        network.register_forward_pre_hook(undo)
    return network
