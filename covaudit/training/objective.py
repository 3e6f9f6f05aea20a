"""What a training step makes smaller: weighted cross entropy, binary cross entropy, or the worst groups' loss."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from covaudit.domain.training import Training

Ints = NDArray[np.int64]


class Objective:
    """The loss of a batch.

    One class an image: cross entropy, each image weighted by its class. Multi-label targets (N, K): binary cross
    entropy, the mean of all outputs, where class weights play no part, as in paper 2. With `group_dro` the groups'
    losses are mixed by weights that grow with them (GroupDRO; Sagawa et al. 2020, algorithm 1), and class weights play
    no part: `group_weights` (G,) sum to one and are the only state.
    """

    def __init__(self, training: Training, targets: Ints, n_classes: int, n_groups: int, device: torch.device) -> None:
        rule = training.class_weights if targets.ndim == 1 and not training.group_dro else "none"
        counts = targets if targets.ndim == 1 else np.zeros(0, np.int64)
        self.class_weights = class_weights(counts, n_classes, rule).to(device)
        self.divides_by_weights = training.weighted_mean == "weights"
        self.group_step = training.group_dro_step if training.group_dro else 0.0
        self.group_weights = torch.full((max(n_groups, 1),), 1 / max(n_groups, 1), dtype=torch.float64, device=device)

    def loss(self, logits: Tensor, targets: Tensor, groups: Tensor) -> Tensor:
        """The loss of a batch that is trained on; moves the group weights."""
        if not self.group_step:
            return self.plain_loss(logits, targets)
        each = self._each(logits, targets).double()
        counts = torch.bincount(groups, minlength=len(self.group_weights))
        sums = torch.zeros_like(self.group_weights).index_add(0, groups, each)
        means = sums / counts.clamp_min(1)
        raised = self.group_weights * torch.exp(self.group_step * means.detach())
        self.group_weights = raised / raised.sum()
        return (means * self.group_weights).sum().float()

    def plain_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of images, weighted by class."""
        return (self._each(logits, targets) * self._weights(logits, targets)).sum() / self.mass(targets)

    def mass(self, targets: Tensor) -> Tensor:
        """What the summed losses of a batch are divided by; of parts of a batch it adds up to that of the whole."""
        if targets.ndim == 1 and self.divides_by_weights:
            return self.class_weights.to(targets.device)[targets].sum()
        return torch.tensor(float(len(targets)), device=targets.device)

    def _each(self, logits: Tensor, targets: Tensor) -> Tensor:
        if targets.ndim == 1:
            return functional.cross_entropy(logits, targets, reduction="none")
        return functional.binary_cross_entropy_with_logits(logits, targets.to(logits), reduction="none").mean(dim=1)

    def _weights(self, logits: Tensor, targets: Tensor) -> Tensor:
        return self.class_weights.to(logits)[targets] if targets.ndim == 1 else torch.ones_like(logits[:, 0])


def class_weights(targets: Ints, n_classes: int, rule: str) -> Tensor:
    """(K,) loss weights of class numbers (N,).

    `minority` is N_max / N_j, what paper 1's authors ran. `literal` is N_j / N as the paper prints it, which gives the
    majority more (papers' error E1): a negative control.
    """
    counts = np.bincount(targets, minlength=n_classes)
    weights = np.ones(n_classes)
    if rule == "minority":
        weights = counts.max() / np.maximum(counts, 1)
    elif rule == "literal":
        weights = counts / max(counts.sum(), 1)
    return torch.as_tensor(weights, dtype=torch.float32)
