"""The training loop: a generator of `EpochRecord`. It knows neither store nor page."""

import copy
import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor, nn
from torch.nn import functional

from covaudit.domain.experiment import Training
from covaudit.domain.run import EpochRecord
from covaudit.domain.seeds import derive_seed
from covaudit.errors import JobFailed
from covaudit.training.augment import augment
from covaudit.training.loaders import Rows, batches, normalise, to_images
from covaudit.training.predict import predict_logits


class TrainingData(NamedTuple):
    """`pixels` (N, S, S) grey levels and the rows of the train and val splits.

    `targets` are class numbers (N,), or for a multi-label task a 0 or 1 for each class (N, K).
    """

    pixels: NDArray[np.uint8]
    targets: NDArray[np.int64]
    train: Rows
    val: Rows
    n_classes: int


def fit(
    network: nn.Module,
    data: TrainingData,
    training: Training,
    seed: int,
    device: torch.device,
    on_step: Callable[[int, int], None] = lambda step, steps: None,
) -> Iterator[EpochRecord]:
    """Train `network` in place, one record an epoch; when exhausted it holds the weights of the best epoch.

    Best is the highest validation balanced accuracy, then the lowest validation loss. AdamW with one cycle.

    Raises:
        JobFailed: the loss is no longer finite.
    """
    torch.manual_seed(derive_seed(seed, "torch"))
    draws = torch.Generator().manual_seed(derive_seed(seed, "augment"))
    weights = class_weights(data.targets[data.train], data.n_classes, training.class_weights).to(device)
    steps = len(list(batches(data.train, training.batch_size, seed)))
    optimiser = torch.optim.AdamW(network.parameters(), lr=training.lr, weight_decay=training.weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, training.lr, total_steps=steps * training.epochs)
    best: tuple[float, float] = (-1.0, -math.inf)
    best_state: dict[str, Tensor] = {}
    for epoch in range(training.epochs):
        begun = time.monotonic()
        network.train()
        total = 0.0
        for step, rows in enumerate(batches(data.train, training.batch_size, derive_seed(seed, "shuffle", epoch))):
            images = to_images(data.pixels[rows], device)
            images = augment(images, draws) if training.augment else images
            targets = torch.from_numpy(data.targets[rows]).to(device)
            optimiser.zero_grad(set_to_none=True)
            loss = loss_of(network(normalise(images)), targets, weights)
            if not bool(torch.isfinite(loss)):
                raise JobFailed(_diverged(epoch, step, training.lr))
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) * len(rows)
            on_step(epoch * steps + step + 1, steps * training.epochs)
        val_loss, score = _validate(network, data, weights, training.batch_size, device)
        is_best = (score, -val_loss) > best
        if is_best:
            best, best_state = (score, -val_loss), copy.deepcopy(network.state_dict())
        yield EpochRecord(
            epoch=epoch + 1,
            train_loss=total / len(data.train),
            val_loss=val_loss,
            val_balanced_accuracy=score,
            lr=float(schedule.get_last_lr()[0]),
            seconds=time.monotonic() - begun,
            is_best=is_best,
        )
    network.load_state_dict(best_state)


def loss_of(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy of class numbers (N,); for zeros and ones (N, K) the mean binary cross entropy of all outputs,
    where `weights` play no part, as in paper 2."""
    if targets.ndim == 1:
        return functional.cross_entropy(logits, targets, weight=weights)
    return functional.binary_cross_entropy_with_logits(logits, targets.float())


def _balanced_accuracy(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Of the likeliest class; in a multi-label task the mean over the outputs that have both a 0 and a 1."""
    if targets.ndim == 1:
        return float(balanced_accuracy_score(targets, logits.argmax(axis=1)))
    told = [place for place in range(targets.shape[1]) if len(np.unique(targets[:, place])) == 2]
    scores = [balanced_accuracy_score(targets[:, place], logits[:, place] > 0) for place in told]
    return float(np.mean(scores)) if scores else 0.0


def class_weights(targets: NDArray[np.int64], n_classes: int, rule: str) -> Tensor:
    """(K,) loss weights. `minority` is N_max / N_j, what paper 1's authors ran.

    The paper prints N_j / N, which gives the majority more (papers' error E1).
    """
    counts = np.bincount(targets, minlength=n_classes) if targets.ndim == 1 else targets.sum(axis=0)
    weights = counts.max() / np.maximum(counts, 1) if rule == "minority" else np.ones(n_classes)
    return torch.as_tensor(weights, dtype=torch.float32)


def _validate(
    network: nn.Module, data: TrainingData, weights: Tensor, batch_size: int, device: torch.device
) -> tuple[float, float]:
    """Loss and balanced accuracy of the val split."""
    logits = torch.from_numpy(predict_logits(network, data.pixels, data.val, device, batch_size))
    targets = data.targets[data.val]
    loss = loss_of(logits, torch.from_numpy(targets), weights.cpu())
    return float(loss), _balanced_accuracy(logits.numpy(), targets)


def _diverged(epoch: int, step: int, lr: float) -> str:
    return (
        f"Training diverged: the loss was not a finite number in epoch {epoch + 1}, step {step + 1}. "
        f"Lower the learning rate (it is {lr:g}) and run again."
    )
