"""Grad-CAM and HiResCAM in batches, by Captum: where the score of a class changes, not why.

Both multiply the activations of a layer with the gradient of the score and sum over channels. Grad-CAM (Selvaraju et
al. 2017) takes the mean of the gradient over the map first. Where a global average pool follows, the gradient is the
same everywhere and so are the maps. At an earlier layer the mean forgets where the gradient was, and the heat of a
planted marker lands elsewhere; HiResCAM (Draelos and Carin 2020) keeps it.
"""

from collections.abc import Callable

import numpy as np
import torch
from captum.attr import LayerGradCam, LayerGradientXActivation
from numpy.typing import NDArray
from torch import Tensor, nn

from covaudit.training.loaders import Rows, batches, normalise, take, to_images

_MIN_CELLS = 7


def choose_layer(network: nn.Module, layers: tuple[str, ...], size: int, in_chans: int = 1) -> str:
    """The deepest of `layers` whose map has at least 7 cells a side for images of `size` pixels.

    ResNet's last has 7 at its native 224. Where none has as many, the finest.
    """
    sides: dict[str, int] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        return lambda module, inputs, output: sides.__setitem__(name, min(output.shape[-2:]))

    hooks = [network.get_submodule(name).register_forward_hook(keep(name)) for name in layers]
    try:
        network.eval()
        with torch.inference_mode():
            device = next(network.parameters()).device
            network(torch.zeros(1, in_chans, size, size, device=device))
    finally:
        for hook in hooks:
            hook.remove()
    return next((name for name in layers if sides[name] >= _MIN_CELLS), max(layers, key=sides.__getitem__))


def log_odds(logits: Tensor) -> Tensor:
    """log p / (1 - p) of each class, (N, K). Unlike the probability its gradient does not vanish for a certain answer,
    and unlike the logit it is the same for networks that differ by a constant (networks.md 6.1)."""
    n_classes = logits.shape[-1]
    others = logits.unsqueeze(-2).expand(*logits.shape[:-1], n_classes, n_classes)
    itself = torch.eye(n_classes, dtype=torch.bool, device=logits.device)
    return logits - others.masked_fill(itself, -torch.inf).logsumexp(dim=-1)


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
) -> NDArray[np.float32]:
    """Positive evidence (len(rows), h, w) for the class `targets[i]` of image `rows[i]`, at the layer's own resolution.

    Explained is the log-odds of the class. Maps are not normalised; a map without positive evidence is all zeros.
    """
    network.eval()
    explain = _explainer(network, layer, method)
    found: list[NDArray[np.float32]] = []
    for places in batches(np.arange(len(rows)), batch_size):
        images = normalise(to_images(take(pixels, rows[places]), device))
        maps = explain(images, torch.from_numpy(targets[places]).to(device))
        found.append(maps.clamp(min=0).detach().float().cpu().numpy())
        on_progress(int(places[-1]) + 1, len(rows))
    return np.concatenate(found)


def _explainer(network: nn.Module, layer: str, method: str) -> Callable[[Tensor, Tensor], Tensor]:
    """Images and classes to maps (N, h, w)."""

    def score(images: Tensor) -> Tensor:
        return log_odds(network(images))

    module = network.get_submodule(layer)
    kinds = {"grad-cam": LayerGradCam, "hires-cam": LayerGradientXActivation}
    explainer = kinds[method](score, module)
    # LayerGradCam has summed over the channels already: one is left.
    return lambda images, classes: explainer.attribute(images, target=classes).sum(dim=1)
