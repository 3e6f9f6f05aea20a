"""Optimisers, and what lowers the learning rate or ends the training, counted to the epoch as the papers' Keras did."""

import math
from collections.abc import Iterator

import torch
from torch.nn import Parameter
from torch.optim import Adam, Adamax, AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from covaudit.domain.training import EarlyStopping, Plateau, Training


def build_optimiser(parameters: Iterator[Parameter], training: Training) -> Optimizer:
    """The optimiser of a protocol; betas are 0.9 and 0.999, as everywhere in the papers."""
    lr, decay = training.lr, training.weight_decay
    if training.optimiser == "adamw":
        return AdamW(parameters, lr=lr, weight_decay=decay, amsgrad=training.amsgrad, fused=True)
    if training.optimiser == "adam":
        return Adam(parameters, lr=lr, weight_decay=decay, amsgrad=training.amsgrad, fused=True)
    return Adamax(parameters, lr=lr, weight_decay=decay)


def build_cycle(optimiser: Optimizer, training: Training, steps: int) -> LRScheduler | None:
    """The schedule that moves at every step, if the protocol has one."""
    return OneCycleLR(optimiser, training.lr, total_steps=steps) if training.schedule == "one-cycle" else None


class PlateauCounter:
    """Keras' ReduceLROnPlateau. Better is by more than `min_delta`; the rate falls when `patience` epochs in a row were
    not better, and for `cooldown` epochs after that none is counted. (Torch's own waits one epoch more.)"""

    def __init__(self, rule: Plateau) -> None:
        self.rule = rule
        self.best, self.wait, self.cooling = -math.inf, 0, 0

    def step(self, value: float, optimiser: Optimizer) -> None:
        """Take one epoch's figure, the higher the better, and lower the rate if it is due."""
        if self.cooling > 0:
            self.cooling, self.wait = self.cooling - 1, 0
        if value > self.best + self.rule.min_delta:
            self.best, self.wait = value, 0
        elif self.cooling == 0:
            self.wait += 1
            if self.wait >= self.rule.patience:
                self._lower(optimiser)

    def _lower(self, optimiser: Optimizer) -> None:
        for group in optimiser.param_groups:
            if group["lr"] > self.rule.min_lr:
                group["lr"] = max(group["lr"] * self.rule.factor, self.rule.min_lr)
                self.cooling, self.wait = self.rule.cooldown, 0


class StoppingCounter:
    """Keras' EarlyStopping: it is over when `patience` epochs in a row were not better by more than `min_delta`."""

    def __init__(self, rule: EarlyStopping) -> None:
        self.rule = rule
        self.best, self.wait, self.is_over = -math.inf, 0, False

    def step(self, value: float) -> None:
        """Take one epoch's figure, the higher the better."""
        if value - self.rule.min_delta > self.best:
            self.best, self.wait = value, 0
            return
        self.wait += 1
        self.is_over = self.wait >= self.rule.patience


def learning_rate(optimiser: Optimizer) -> float:
    """The present learning rate."""
    return float(optimiser.param_groups[0]["lr"])


def is_finite(parameters: Iterator[Parameter]) -> bool:
    """Whether every number of the parameters is finite."""
    return all(bool(torch.isfinite(parameter).all()) for parameter in parameters)
