"""Whether guided backpropagation means anything for a network, and a twin of the network to do it on.

Guided backpropagation drops negative gradients at every ReLU. Captum does it at modules; a ReLU that is a plain
function, or an activation of another kind, would pass unnoticed and leave a map that is not what it is called.
"""

import copy
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from covaudit.errors import CannotExplain

_RELUS = {"relu", "relu_"}
_OTHERS = {
    "celu": "CELU", "elu": "ELU", "gelu": "GELU", "hardswish": "Hardswish", "hardtanh": "Hardtanh",
    "leaky_relu": "LeakyReLU", "mish": "Mish", "prelu": "PReLU", "relu6": "ReLU6", "rrelu": "RReLU", "selu": "SELU",
    "silu": "SiLU", "softplus": "Softplus", "tanh": "Tanh",
}  # fmt: skip


def guided_twin(network: nn.Module, image: Tensor) -> nn.Module:
    """A copy of the network in which every ReLU has its input to itself and overwrites nothing; `image` (1, C, H, W) is
    one to try it with.

    Where a ReLU shares its input with a shortcut (Xception), Captum's hook would see, and cut, both their gradients.

    Raises:
        CannotExplain: the network has no ReLU, one that is a function, or activations of another kind.
    """
    why = refusal(network, image)
    if why:
        raise CannotExplain(
            f"Guided backpropagation drops negative gradients at ReLUs, and {why}. Choose another method: HiResCAM, "
            "Grad-CAM, the input gradient, Integrated Gradients or occlusion."
        )
    twin = copy.deepcopy(network)
    for name, module in list(twin.named_modules(remove_duplicate=False)):
        if isinstance(module, nn.ReLU) and name:
            parent, _, child = name.rpartition(".")
            setattr(twin.get_submodule(parent), child, nn.Sequential(_OwnInput(), nn.ReLU()))
    return twin.eval().requires_grad_(False)


class _OwnInput(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.clone()


def refusal(network: nn.Module, image: Tensor) -> str | None:
    """Why guided backpropagation says nothing of this network, or None. Runs the network on `image` (1, C, H, W)."""
    seen, modules = _Activations(), Counter[str]()
    hooks = [
        module.register_forward_hook(lambda *_: modules.update(["relu"]))
        for module in network.modules()
        if isinstance(module, nn.ReLU)
    ]
    network.eval()
    try:
        with torch.no_grad(), seen:
            network(image)
    finally:
        for hook in hooks:
            hook.remove()
    others = sorted({_OTHERS[name] for name in seen.called if name in _OTHERS})
    if others:
        return f"this network has activations of another kind ({', '.join(others)})"
    if not seen.called:
        return "this network has none"
    if sum(seen.called.values()) > modules["relu"]:
        return "some of this network's are not modules, where they could be changed"
    return None


class _Activations(TorchFunctionMode):
    """Counts the calls of activations by name, of modules and of functions."""

    def __init__(self) -> None:
        super().__init__()
        self.called: Counter[str] = Counter()

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        name = getattr(func, "__name__", "")
        if name in _RELUS or name.removesuffix("_") in _OTHERS:
            self.called[name.removesuffix("_")] += 1
        return func(*args, **(kwargs or {}))
