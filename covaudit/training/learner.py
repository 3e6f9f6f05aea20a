"""Everything that changes while a network trains: what a checkpoint holds, and nothing else."""

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from covaudit.domain.run import EpochRecord
from covaudit.domain.seeds import derive_seed
from covaudit.domain.training import Training
from covaudit.training.checkpoint import Checkpoint
from covaudit.training.loaders import Rows, balanced_rows, batches
from covaudit.training.objective import Objective
from covaudit.training.pace import pace_of
from covaudit.training.schedule import PlateauCounter, StoppingCounter, build_cycle, build_optimiser

_LATER = ("accumulate", "compile")


class TrainingData(NamedTuple):
    """`pixels` (N, S, S) grey levels and the rows of the train and val splits.

    `targets` are class numbers (N,), or for a multi-label task a 0 or 1 for each class (N, K). `label_sets` and
    `sources` (N,) number what balanced sampling and GroupDRO keep apart; without them all images are one group.
    """

    pixels: NDArray[np.uint8]
    targets: NDArray[np.int64]
    train: Rows
    val: Rows
    n_classes: int
    label_sets: NDArray[np.int64] | None = None
    sources: NDArray[np.int64] | None = None

    def groups(self) -> NDArray[np.int64]:
        """(N,) numbers of the pairs of label set and source."""
        if self.label_sets is None or self.sources is None:
            return np.zeros(len(self.targets), np.int64)
        return np.asarray(np.unique(self.label_sets * (self.sources.max() + 1) + self.sources, return_inverse=True)[1])


class Validation(NamedTuple):
    """What an epoch is judged by; `accuracy` is of all outputs in a multi-label task, as Keras counts it."""

    loss: float
    accuracy: float
    balanced_accuracy: float

    def figure(self, monitor: str) -> float:
        """The figure that a rule watches, the higher the better."""
        return self.accuracy if monitor == "val_accuracy" else -self.loss


class Learner:
    """A network in training."""

    def __init__(
        self, network: nn.Module, data: TrainingData, training: Training, seed: int, device: torch.device
    ) -> None:
        torch.manual_seed(derive_seed(seed, "torch"))
        self.network, self.data, self.training, self.seed, self.device = network, data, training, seed, device
        self.draws = torch.Generator().manual_seed(derive_seed(seed, "augment"))
        self.groups = data.groups()
        n_groups = int(self.groups.max()) + 1
        self.objective = Objective(training, data.targets[data.train], data.n_classes, n_groups, device)
        self.steps = len(self.batches(0))
        self.pace = pace_of(network, device)
        self.pace.lay_out_network(network)
        self.scaler = self.pace.build_scaler(device)
        self.optimiser = build_optimiser(network.parameters(), training)
        self.cycle = build_cycle(self.optimiser, training, self.steps * training.epochs)
        self.plateau = PlateauCounter(training.plateau) if training.schedule == "plateau" else None
        self.stopping = StoppingCounter(training.stopping) if training.stopping else None
        self.records: list[EpochRecord] = []
        self.best: tuple[float, float] = (-math.inf, -math.inf)
        self.best_state: dict[str, Tensor] = {}
        self.parts = 1
        """Into how many parts a batch is divided, their gradients added up: more than one after memory ran out."""
        self.compiled: Callable[[Tensor], Tensor] = network
        """The network, compiled if that was asked for; it shares weights and buffers with `network`."""

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.records)

    @property
    def is_done(self) -> bool:
        return self.epoch >= self.training.epochs or (self.stopping is not None and self.stopping.is_over)

    def batches(self, epoch: int) -> list[Rows]:
        """The rows of each step of an epoch: of as many batches as are accumulated."""
        found: list[Rows] = []
        for number in range(self.training.passes):
            use = ("shuffle", epoch, number) if number else ("shuffle", epoch)
            seed = derive_seed(self.seed, *use)
            rows = self.data.train
            if self.training.balance_sources:
                rows = balanced_rows(rows, self.data.label_sets, self.data.sources, derive_seed(seed, "balance"))
            found += batches(rows, self.training.batch_size * self.training.accumulate, seed)
        return found

    def parts_of(self, rows: Rows) -> list[NDArray[np.int64]]:
        """The places of a step's rows that are computed at once: equal parts of at most a batch, and none of a single
        image."""
        size = self.training.batch_size // self.parts
        return np.array_split(np.arange(len(rows)), max(math.ceil((len(rows) - 1) / size), 1))

    def network_for(self, n: int) -> Callable[[Tensor], Tensor]:
        """What computes `n` images: a compiled network is made for whole batches alone."""
        return self.compiled if n == self.training.batch_size else self.network

    def finish_epoch(self, record: EpochRecord, found: Validation) -> EpochRecord:
        """Judge the epoch: keep its weights if they are the ones to keep, lower the rate, or end the training."""
        judged = self._judge(found)
        is_best = judged > self.best or self.training.keep == "last"
        if is_best:
            self.best = judged
            self.best_state = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        if self.plateau is not None:
            self.plateau.step(found.figure(self.training.plateau.monitor), self.optimiser)
        if self.stopping is not None:
            self.stopping.step(found.figure(self.stopping.rule.monitor))
        self.records.append(record.model_copy(update={"is_best": is_best}))
        return self.records[-1]

    def _judge(self, found: Validation) -> tuple[float, float]:
        rules = {"best-loss": (-found.loss, 0.0), "best-accuracy": (found.accuracy, 0.0)}
        return rules.get(self.training.keep, (found.balanced_accuracy, -found.loss))

    def key(self) -> str:
        """Tells this training from others: a hash of protocol, seed and images."""
        data = self.data
        # Fields that came after the first checkpoints count only where they are used, so that those still serve.
        later = {name for name in _LATER if getattr(self.training, name) == Training.model_fields[name].default}
        plain = self.training.model_dump_json(exclude=later)
        asked = hashlib.sha256(f"{plain}\n{self.seed}\n{data.pixels.shape}".encode())
        for array in (data.targets, data.train, data.val):
            asked.update(np.ascontiguousarray(array).tobytes())
        shapes = [(name, tuple(tensor.shape)) for name, tensor in self.network.state_dict().items()]
        asked.update(repr(shapes).encode())
        return asked.hexdigest()

    def checkpoint(self) -> Checkpoint:
        """All that changes, copied."""
        groups = self.optimiser.state_dict()
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        if not self.records[-1].is_best:
            tensors |= {f"best.{name}": tensor for name, tensor in self.best_state.items()}
        for number, values in groups["state"].items():
            tensors |= {f"optimiser.{number}.{name}": value for name, value in values.items()}
        tensors |= {"rng.torch": torch.get_rng_state(), "rng.augment": self.draws.get_state()}
        tensors |= {"group_weights": self.objective.group_weights}
        if self.device.type == "cuda":
            tensors |= {"rng.cuda": torch.cuda.get_rng_state(self.device)}
        state = {
            "optimiser": groups["param_groups"],
            "cycle": self.cycle.state_dict() if self.cycle else None,
            "plateau": _counters(self.plateau),
            "stopping": _counters(self.stopping),
            "best": list(self.best),
            "parts": self.parts,
            "records": [record.model_dump(mode="json") for record in self.records],
        }
        copied = {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
        return Checkpoint(self.key(), self.epoch, copied, state)

    def restore(self, found: Checkpoint) -> None:
        """Stand where the checkpoint stood. It must have this learner's `key`."""
        tensors, state = found.tensors, found.state
        self.network.load_state_dict(_part(tensors, "network."))
        self.best_state = _part(tensors, "best.") or {
            name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()
        }
        values: dict[int, dict[str, Tensor]] = {}
        parameters = list(self.network.parameters())
        for name, tensor in _part(tensors, "optimiser.").items():
            number, field = name.split(".", 1)
            values.setdefault(int(number), {})[field] = _laid_out_like(parameters[int(number)], tensor)
        self.optimiser.load_state_dict({"state": values, "param_groups": state["optimiser"]})
        if self.cycle is not None:
            self.cycle.load_state_dict(dict(state["cycle"]))
        _recount(self.plateau, state["plateau"])
        _recount(self.stopping, state["stopping"])
        self.objective.group_weights = tensors["group_weights"].to(self.device)
        self.best, self.parts = (state["best"][0], state["best"][1]), state["parts"]
        self.records = [EpochRecord.model_validate(record) for record in state["records"]]
        torch.set_rng_state(tensors["rng.torch"])
        self.draws.set_state(tensors["rng.augment"])
        if self.device.type == "cuda" and "rng.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["rng.cuda"], self.device)


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _laid_out_like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """Fused optimisers walk through memory: their moments must lie in it as the parameter does."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, device="cpu", dtype=tensor.dtype).copy_(tensor).detach()


def _counters(counter: PlateauCounter | StoppingCounter | None) -> dict[str, Any] | None:
    return None if counter is None else {name: value for name, value in vars(counter).items() if name != "rule"}


def _recount(counter: PlateauCounter | StoppingCounter | None, values: dict[str, Any] | None) -> None:
    for name, value in (values or {}).items():
        setattr(counter, name, value)
