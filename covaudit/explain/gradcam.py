"""Grad-CAM and HiResCAM of every class in batches: where the score of a class changes, not why.

Both multiply the activations of a layer with the gradient of the score and sum over channels. Grad-CAM (Selvaraju et
al. 2017) takes the mean of the gradient over the map first. Where a global average pool follows, the gradient is the
same everywhere and so are the maps. At an earlier layer the mean forgets where the gradient was, and the heat of a
planted marker lands elsewhere; HiResCAM (Draelos and Carin 2020) keeps it.

The network runs once, without a graph up to the layer; only what follows is differentiated. That one pass gives the
prediction and the maps of all classes, at about the cost of the prediction alone. A test holds the maps to Captum's.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from covaudit.training.loaders import Rows, batches, normalise, take, to_images

METHODS = ("hires-cam", "grad-cam")
_MIN_CELLS = 7


def choose_layer(network: nn.Module, layers: tuple[str, ...], size: int, in_chans: int = 1) -> str:
    """The deepest of `layers` whose map has at least 7 cells a side for images of `size` pixels.

    ResNet's last has 7 at its native 224. Where none has as many, the finest.
    """
    sides: dict[str, int] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        return lambda module, inputs, output: sides.__setitem__(name, min(output.shape[-2:]))

    with ExitStack() as stack:
        for name in layers:
            stack.callback(network.get_submodule(name).register_forward_hook(keep(name)).remove)
        network.eval()
        with torch.inference_mode():
            device = next(network.parameters()).device
            network(torch.zeros(1, in_chans, size, size, device=device))
    return next((name for name in layers if sides[name] >= _MIN_CELLS), max(layers, key=sides.__getitem__))


def log_odds(logits: Tensor) -> Tensor:
    """log p / (1 - p) of each class, (N, K). Unlike the probability its gradient does not vanish for a certain answer,
    and unlike the logit it is the same for networks that differ by a constant (networks.md 6.1)."""
    n_classes = logits.shape[-1]
    others = logits.unsqueeze(-2).expand(*logits.shape[:-1], n_classes, n_classes)
    itself = torch.eye(n_classes, dtype=torch.bool, device=logits.device)
    return logits - others.masked_fill(itself, -torch.inf).logsumexp(dim=-1)


class Explained(NamedTuple):
    """Logits (N, K), and by layer the maps of every class by each method asked for, (N, M, K, h, w), not below 0."""

    logits: Tensor
    maps: Mapping[str, Tensor]


def explain_batch(
    network: nn.Module,
    layers: tuple[str, ...],
    images: Tensor,
    methods: tuple[str, ...] = METHODS,
    *,
    is_multi_label: bool = False,
    relu_gradients: bool = False,
) -> Explained:
    """Prediction and maps of all classes of normalised images (N, C, H, W), from one pass through the network.

    Explained is the log-odds of a class; in a multi-label task that is its logit. `relu_gradients` drops negative
    gradients first, as paper 2 did; it is never the default.
    """
    with _cut_at(network, layers) as kept:
        logits = network(images)
    with torch.enable_grad():
        scores = logits if is_multi_label else log_odds(logits)
        totals = scores.sum(dim=0)
        # Of two classes the one's log-odds are the other's, negated: one pass back is enough.
        is_mirrored = not is_multi_label and len(totals) == 2
        activations = [kept[name] for name in layers]
        gradients = [
            torch.autograd.grad(total, activations, retain_graph=place + 1 < len(totals))
            for place, total in enumerate(totals[:1] if is_mirrored else totals)
        ]
    if is_mirrored:
        gradients.append(tuple(-gradient for gradient in gradients[0]))
    maps = {
        name: torch.stack(
            [
                torch.stack([_weigh(method, activations[place], one[place], relu_gradients) for one in gradients], 1)
                for method in methods
            ],
            dim=1,
        )
        for place, name in enumerate(layers)
    }
    return Explained(logits.detach(), maps)


def _weigh(method: str, activation: Tensor, gradient: Tensor, relu_gradients: bool) -> Tensor:
    """The map (N, h, w) of one class."""
    activation = activation.detach()
    gradient = gradient.clamp(min=0) if relu_gradients else gradient
    if method == "grad-cam":
        return torch.einsum("nchw,nc->nhw", activation, gradient.mean(dim=(2, 3))).clamp(min=0)
    return (activation * gradient).sum(dim=1).clamp(min=0)


@contextmanager
def _cut_at(network: nn.Module, layers: tuple[str, ...]) -> Iterator[dict[str, Tensor]]:
    """Inside, the network keeps no graph before the layers, and one after them; yields the layers' outputs."""
    kept: dict[str, Tensor] = {}

    def cut(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            if output.requires_grad:  # behind another of the layers
                kept[name] = output
                return output
            kept[name] = output.detach().requires_grad_(True)
            torch.set_grad_enabled(True)  # `no_grad` below puts it back
            return kept[name].clone()  # what follows may write in place

        return hook

    network.eval()
    with ExitStack() as stack:
        for name in layers:
            stack.callback(network.get_submodule(name).register_forward_hook(cut(name)).remove)
        stack.enter_context(torch.no_grad())
        yield kept


def predict_with_maps(
    network: nn.Module,
    layers: tuple[str, ...],
    pixels: NDArray[np.uint8],
    rows: Rows,
    device: torch.device,
    methods: tuple[str, ...] = METHODS,
    *,
    is_multi_label: bool = False,
    batch_size: int = 64,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[tuple[Rows, NDArray[np.float32], dict[str, NDArray[np.float32]]]]:
    """By batch: which places of `rows`, their logits (n, K), and by layer their maps (n, M, K, h, w)."""
    for places in batches(np.arange(len(rows)), batch_size):
        images = normalise(to_images(take(pixels, rows[places]), device))
        found = explain_batch(network, layers, images, methods, is_multi_label=is_multi_label)
        maps = {name: one.detach().float().cpu().numpy() for name, one in found.maps.items()}
        yield places, found.logits.float().cpu().numpy(), maps
        on_progress(int(places[-1]) + 1, len(rows))


def attribute(
    network: nn.Module,
    layer: str,
    method: str,
    pixels: NDArray[np.uint8],
    rows: Rows,
    targets: NDArray[np.int64],
    device: torch.device,
    batch_size: int = 64,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    is_multi_label: bool = False,
) -> NDArray[np.float32]:
    """Positive evidence (len(rows), h, w) for the class `targets[i]` of image `rows[i]`, at the layer's own resolution.

    Maps are not normalised; a map without positive evidence is all zeros.
    """
    found = predict_with_maps(
        network, (layer,), pixels, rows, device, (method,),
        is_multi_label=is_multi_label, batch_size=batch_size, on_progress=on_progress,
    )  # fmt: skip
    return np.concatenate([maps[layer][np.arange(len(places)), 0, targets[places]] for places, _, maps in found])
