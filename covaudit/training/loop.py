"""The training loop: a generator of `EpochRecord`. It knows neither store nor page."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor, nn

from covaudit.domain.run import EpochRecord
from covaudit.domain.training import Training
from covaudit.errors import JobFailed
from covaudit.faults import reach
from covaudit.training.augment import augment
from covaudit.training.checkpoint import Checkpoint
from covaudit.training.compiling import compiling
from covaudit.training.learner import Learner, TrainingData, Validation
from covaudit.training.loaders import Rows, normalise, take, to_images
from covaudit.training.predict import predict_logits
from covaudit.training.schedule import is_finite, learning_rate

OnStep = Callable[[int, int], None]


def fit(
    network: nn.Module,
    data: TrainingData,
    training: Training,
    seed: int,
    device: torch.device,
    on_step: OnStep = lambda step, steps: None,
    *,
    resume: Checkpoint | None = None,
    on_checkpoint: Callable[[Checkpoint], None] = lambda checkpoint: None,
    on_note: Callable[[str], None] = lambda sentence: None,
) -> Iterator[EpochRecord]:
    """Train `network` in place, one record an epoch; when exhausted it holds the weights that the protocol keeps.

    `on_checkpoint` gets where the training stands after each epoch, before that epoch's record is given out. With
    `resume` the records of the epochs done come first, and then, on the CPU, the same weights to the last bit as if it
    had never stopped; a checkpoint of another training is not used. `on_note` gets sentences for the log.

    Raises:
        JobFailed: the loss is no longer finite, or memory ran out.
    """
    learner = Learner(network, data, training, seed, device)
    if resume is not None and resume.key == learner.key():
        learner.restore(resume)
        yield from learner.records
    with compiling(learner, on_note) if training.compile and not learner.is_done else nullcontext():
        while not learner.is_done:
            record, found = _run_epoch(learner, on_step, on_note)
            record = learner.finish_epoch(record, found)
            on_checkpoint(learner.checkpoint())
            yield record
    network.load_state_dict(learner.best_state)


def _run_epoch(learner: Learner, on_step: OnStep, on_note: Callable[[str], None]) -> tuple[EpochRecord, Validation]:
    begun = time.monotonic()
    learner.network.train()
    total, seen, done = 0.0, 0, learner.epoch * learner.steps
    for step, rows in enumerate(learner.batches(learner.epoch)):
        loss = _train_step(learner, rows, on_note)
        if not np.isfinite(loss):
            raise JobFailed(_diverged(learner, f", step {step + 1}"))
        total, seen = total + loss * len(rows), seen + len(rows)
        on_step(done + step + 1, learner.steps * learner.training.epochs)
    rate = learning_rate(learner.optimiser)
    found = _validate(learner)
    if not (np.isfinite(found.loss) and is_finite(learner.network.parameters())):
        raise JobFailed(_diverged(learner, ", after the last step"))
    record = EpochRecord(
        epoch=learner.epoch + 1,
        train_loss=total / seen,
        val_loss=found.loss,
        val_balanced_accuracy=found.balanced_accuracy,
        lr=rate,
        seconds=time.monotonic() - begun,
    )
    return record, found


def _train_step(learner: Learner, rows: Rows, on_note: Callable[[str], None]) -> float:
    """One update of the weights; its loss. When the device's memory runs out, the batch is halved, once."""
    try:
        loss = _add_gradients(learner, rows)
    except torch.OutOfMemoryError as error:
        loss = _halve(learner, rows, error, on_note)
    learner.scaler.step(learner.optimiser)
    learner.scaler.update()
    if learner.cycle is not None:
        learner.cycle.step()
    return loss


def _halve(learner: Learner, rows: Rows, error: Exception, on_note: Callable[[str], None]) -> float:
    """The step again in two halves, and every step after it."""
    size = min(len(rows), learner.training.batch_size)
    if learner.parts > 1 or size < 4:
        raise JobFailed(_out_of_memory(learner.training)) from error
    learner.parts = 2
    torch.cuda.empty_cache()
    on_note(
        f"The device's memory ran out with batches of {size} images: from here on each is computed in two halves "
        "whose gradients are added, not compiled. Batch norm sees the halves."
    )
    try:
        return _add_gradients(learner, rows)
    except torch.OutOfMemoryError as again:
        raise JobFailed(_out_of_memory(learner.training)) from again


def _add_gradients(learner: Learner, rows: Rows) -> float:
    """Gradients of a step's images from nothing, added up over parts of them; their loss."""
    reach("gpu")
    learner.optimiser.zero_grad(set_to_none=True)
    targets, groups = (
        torch.from_numpy(array[rows]).to(learner.device) for array in (learner.data.targets, learner.groups)
    )
    mass, total = learner.objective.mass(targets), torch.zeros((), device=learner.device)
    for part in learner.parts_of(rows):
        images, chosen = _load(learner, rows[part]), slice(int(part[0]), int(part[-1]) + 1)
        with learner.pace.computing(learner.device):
            logits = learner.network_for(len(part))(images).float()
        share = learner.objective.mass(targets[chosen]) / mass
        loss = learner.objective.loss(logits, targets[chosen], groups[chosen]) * share
        learner.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    return float(total)


def _load(learner: Learner, rows: Rows) -> Tensor:
    """Images (n, 1, S, S) as the network takes them, augmented if the protocol says so."""
    pixels, training = take(learner.data.pixels, rows), learner.training
    if training.augment:
        images = augment(pixels, learner.device, learner.draws, training.augmentation)
    else:
        images = to_images(pixels, learner.device)
    return learner.pace.lay_out(normalise(images))


def _validate(learner: Learner) -> Validation:
    """Loss, accuracy and balanced accuracy of the val split."""
    data, size = learner.data, max(learner.training.batch_size // learner.parts, 1)
    logits = torch.from_numpy(predict_logits(learner.network, data.pixels, data.val, learner.device, size))
    targets = data.targets[data.val]
    loss = learner.objective.plain_loss(logits, torch.from_numpy(targets))
    told = logits.argmax(dim=1).numpy() if targets.ndim == 1 else (logits > 0).numpy()
    return Validation(float(loss), float((told == targets).mean()), _balanced_accuracy(told, targets))


def _balanced_accuracy(told: NDArray[np.generic], targets: NDArray[np.int64]) -> float:
    """Of the likeliest class; in a multi-label task the mean over the outputs that have both a 0 and a 1."""
    if targets.ndim == 1:
        return float(balanced_accuracy_score(targets, told))
    both = [place for place in range(targets.shape[1]) if len(np.unique(targets[:, place])) == 2]
    scores = [balanced_accuracy_score(targets[:, place], told[:, place]) for place in both]
    return float(np.mean(scores)) if scores else 0.0


def _diverged(learner: Learner, where: str) -> str:
    kept = f" The weights after epoch {learner.epoch} are kept as a checkpoint." if learner.epoch else ""
    return (
        f"Training diverged: the loss was not a finite number in epoch {learner.epoch + 1}{where}. "
        f"Lower the learning rate (it is {learner.training.lr:g}) and run again.{kept}"
    )


def _out_of_memory(training: Training) -> str:
    return (
        f"The device's memory ran out with batches of {training.batch_size} images of {training.image_size} px, and "
        "with half of that too. Use a smaller batch size or image size, or a lighter network."
    )
