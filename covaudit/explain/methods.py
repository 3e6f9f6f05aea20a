"""Maps of single pixels beside those of a layer: Captum's methods behind one function, batched, weights frozen.

What is explained is the same as for Grad-CAM: the log-odds of a class, in a multi-label task its logit.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import torch
from captum.attr import GuidedBackprop, IntegratedGradients, Occlusion, Saliency
from torch import Tensor, nn
from torch.nn import functional

from covaudit.domain.explanation import MapOptions
from covaudit.errors import UnknownName
from covaudit.explain.gradcam import explain_batch, log_odds
from covaudit.explain.grid import Grid, place
from covaudit.explain.rectifiers import guided_twin
from covaudit.training.loaders import MEAN, SPREAD
from covaudit.training.network_file import NetworkFile

_BATCH = 32


class Scores(nn.Module):
    """What is explained: the log-odds of every class (N, K) of images (N, C, H, W), or the logits as they are."""

    def __init__(self, network: nn.Module, is_multi_label: bool) -> None:
        super().__init__()
        self.network, self.is_multi_label = network, is_multi_label

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images).float()
        return logits if self.is_multi_label else log_odds(logits)


class Question(NamedTuple):
    """Normalised images (N, C, H, W), the class (N,) that each is asked about, and where the cells of `layer`, a layer
    for Grad-CAM, look."""

    network: nn.Module
    images: Tensor
    targets: Tensor
    layer: str
    grid: Grid
    is_multi_label: bool = False
    options: MapOptions = MapOptions()

    @property
    def scores(self) -> Scores:
        return Scores(self.network, self.is_multi_label)

    @property
    def baseline(self) -> float:
        """The grey level of nothing, as the network is fed it."""
        return 0.0 if self.options.baseline == "grey" else -MEAN / SPREAD


def question_of(
    network: nn.Module, described: NetworkFile, images: Tensor, targets: Tensor, options: MapOptions
) -> Question:
    """What is asked of a run's network: images (N, C, H, W) and classes (N,), at the layer that its maps are of."""
    grid = Grid(described.cam_offset, described.cam_stride, described.cam_cells)
    return Question(
        network, images, targets.to(images.device), described.cam_layer, grid, described.is_multi_label, options
    )


def explain(method: str, question: Question) -> Tensor:
    """Maps (N, H, W) of the class that each image is asked about, by one of `MAPS`.

    Those of Integrated Gradients and occlusion have a sign: below 0 speaks against the class. The others are not below
    0. None is normalised.

    Raises:
        UnknownName: no such method.
        CannotExplain: the method says nothing of this network.
    """
    if method not in MAPS:
        raise UnknownName("method", method, MAPS)
    question.network.eval()
    with _frozen(question.network), torch.enable_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="captum")
        return MAPS[method](question).detach().float().cpu()


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Inside, the weights want no gradient: nothing is kept for them."""
    wanted = {parameter: parameter.requires_grad for parameter in network.parameters()}
    network.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, was in wanted.items():
            parameter.requires_grad_(was)


def _saliency(question: Question) -> Tensor:
    found: Tensor = Saliency(question.scores).attribute(question.images, target=question.targets, abs=True)
    return found.amax(dim=1)


def _guided_backprop(question: Question) -> Tensor:
    twin = guided_twin(question.network, question.images[:1])
    explainer = GuidedBackprop(Scores(twin, question.is_multi_label))
    found: Tensor = explainer.attribute(question.images, target=question.targets)
    return found.abs().amax(dim=1)


def _guided_grad_cam(question: Question) -> Tensor:
    """Not Captum's `GuidedGradCam`: it stretches the layer's map over the image, half a cell beside where it looks."""
    return _guided_backprop(question) * _grad_cam(question).to(question.images.device)


def _integrated_gradients(question: Question) -> Tensor:
    found: Tensor = IntegratedGradients(question.scores).attribute(
        question.images, baselines=question.baseline, target=question.targets, n_steps=question.options.steps,
        internal_batch_size=max(_BATCH, len(question.images)),
    )  # fmt: skip
    return found.sum(dim=1)


def _occlusion(question: Question) -> Tensor:
    channels, side = question.images.shape[1], question.images.shape[-1]
    patch = max(2, side // question.options.patches)
    found: Tensor = Occlusion(question.scores).attribute(
        question.images, (channels, patch, patch), (channels, patch // 2, patch // 2), question.baseline,
        question.targets, perturbations_per_eval=max(1, _BATCH // len(question.images)),
    )  # fmt: skip
    return found.mean(dim=1)


def _layer_map(question: Question, method: str) -> Tensor:
    found = explain_batch(
        question.network, (question.layer,), question.images, (method,),
        is_multi_label=question.is_multi_label, relu_gradients=question.options.relu_gradients,
    )  # fmt: skip
    targets = question.targets.to(found.logits.device)
    maps = found.maps[question.layer][torch.arange(len(targets)), 0, targets].float().cpu().numpy()
    placed = torch.from_numpy(place(maps, question.grid, question.images.shape[-1]))
    size = tuple(question.images.shape[-2:])
    return functional.interpolate(placed[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def _grad_cam(question: Question) -> Tensor:
    return _layer_map(question, "grad-cam")


def _hires_cam(question: Question) -> Tensor:
    return _layer_map(question, "hires-cam")


MAPS: Mapping[str, Callable[[Question], Tensor]] = {
    "hires-cam": _hires_cam,
    "grad-cam": _grad_cam,
    "guided-grad-cam": _guided_grad_cam,
    "guided-backprop": _guided_backprop,
    "saliency": _saliency,
    "integrated-gradients": _integrated_gradients,
    "occlusion": _occlusion,
}
