"""In what number format and memory layout a network trains on a device: the fastest that is never slower than float32.

On a processor without AMX tiles bfloat16 is 1.4 to 6 times slower than float32, so it is left alone.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn

# Its gates and depthwise convolutions gain nothing from bfloat16 on processors that have it.
_NO_GAIN_ON_CPU = ("EfficientNet",)
_BFLOAT16_CAPABILITY, _TENSOR_CORE_CAPABILITY = 8, 7


class Pace(NamedTuple):
    """`autocast` is the format of what autocast thinks safe, None for float32 throughout; weights stay float32."""

    autocast: torch.dtype | None = None
    is_channels_last: bool = False

    def computing(self, device: torch.device) -> AbstractContextManager[object]:
        """The context of a forward pass."""
        return nullcontext() if self.autocast is None else torch.autocast(device.type, self.autocast)

    def lay_out_network(self, network: nn.Module) -> None:
        """Put the weights in the memory layout, in place."""
        if self.is_channels_last:
            network.to(memory_format=torch.channels_last)

    def lay_out(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) in the memory layout."""
        return images.contiguous(memory_format=torch.channels_last) if self.is_channels_last else images

    def build_scaler(self, device: torch.device) -> torch.amp.GradScaler:
        """What keeps small gradients from vanishing in float16; it does nothing in other formats."""
        return torch.amp.GradScaler(device.type, enabled=self.autocast is torch.float16)

    @property
    def name(self) -> str:
        """The format, for the log and the results."""
        return "float32" if self.autocast is None else str(self.autocast).removeprefix("torch.")


def pace_of(network: nn.Module, device: torch.device) -> Pace:
    """The pace of a network on a device."""
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)[0]
        if capability >= _BFLOAT16_CAPABILITY:
            return Pace(torch.bfloat16, is_channels_last=True)
        return Pace(torch.float16, is_channels_last=True) if capability == _TENSOR_CORE_CAPABILITY else Pace()
    return _pace_on_processor(network) if device.type == "cpu" else Pace()


def _pace_on_processor(network: nn.Module) -> Pace:
    """channels_last is 1.07 to 1.34 times as fast in training. With images of one channel its backward pass crashes
    torch 2.14 on some processors, so only those get it on whose kind it was tried: with AVX2 and no AVX-512."""
    able = torch.cpu.get_capabilities()
    if able.get("amx_tile", False) and type(network).__name__ not in _NO_GAIN_ON_CPU:
        return Pace(torch.bfloat16)
    return Pace(is_channels_last=able.get("avx2", False) and not able.get("avx512_f", False))
