"""A run: one execution of an experiment, in one or more attempts."""

import json
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from pydantic import BaseModel, ConfigDict

from covaudit.domain.experiment import Experiment
from covaudit.errors import DamagedDatabase


class RunState(StrEnum):
    """QUEUED: waits for a worker. RUNNING: a worker works on it. CANCELLING: asked to stop, not yet stopped.
    DONE: has results. FAILED: stopped by an error, see `reason`. CANCELLED: stopped by a person.
    Whether a running run is alive is another question, see `Run.is_stale`."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_finished(self) -> bool:
        return self in (RunState.DONE, RunState.FAILED, RunState.CANCELLED)

    @property
    def is_active(self) -> bool:
        return self in (RunState.RUNNING, RunState.CANCELLING)


STALE_AFTER_S = 20.0

GATHER = -1
"""The number of the last job of a run with several folds: it pools what the folds found, and holds no device."""

PRIORITIES = (-100, 100)
"""The lowest and the highest priority of a run; the higher goes first."""


class Progress(BaseModel):
    """Where a run is: the step of `covaudit/jobs/execute.py` in words, and how much of it is done."""

    model_config = ConfigDict(frozen=True)

    stage: str = ""
    done: int = 0
    total: int = 0


class Run(BaseModel):
    """A row of the run table. Times are UTC; `beat` is the last sign of life of the attempt's process.

    State, attempt, times, device, reason and progress follow from the run's jobs, see `store.folds`. `asked` is
    the experiment as canonical JSON; a list of a thousand runs has no need to understand them all.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    asked: str
    state: RunState
    attempt: int
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    beat: datetime | None = None
    device: str | None = None
    reason: str | None = None
    progress: Progress = Progress()
    demo: bool = False
    priority: int = 0

    @cached_property
    def experiment(self) -> Experiment:
        """What was asked. Raises `DamagedDatabase` when the row holds no experiment."""
        try:
            return Experiment.model_validate_json(self.asked)
        except ValueError as error:
            raise DamagedDatabase(f"The experiment of run {self.id} cannot be read from the database.") from error

    @cached_property
    def name(self) -> str:
        return name_of(self.asked)

    def is_stale(self, now: datetime) -> bool:
        """Said to be running, yet silent for longer than `STALE_AFTER_S` seconds."""
        return self.state.is_active and _is_silent(self.beat or self.started, now)


class Fold(BaseModel):
    """One job of a run: one network trained on one fold, or with the number `GATHER` the pooling of them all.

    A run with one fold has one job, number 0."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    number: int
    state: RunState
    attempt: int
    started: datetime | None = None
    finished: datetime | None = None
    beat: datetime | None = None
    device: str | None = None
    reason: str | None = None
    progress: Progress = Progress()

    def is_stale(self, now: datetime) -> bool:
        """Said to be running, yet silent for longer than `STALE_AFTER_S` seconds."""
        return self.state.is_active and _is_silent(self.beat or self.started, now)


def _is_silent(last: datetime | None, now: datetime) -> bool:
    return last is not None and (now - last).total_seconds() > STALE_AFTER_S


def name_of(asked: str) -> str:
    """The name of an experiment from its JSON, without understanding the rest. Raises `DamagedDatabase`."""
    try:
        return str(json.loads(asked)["name"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedDatabase("A run in the database has no name that can be read.") from error


class EpochRecord(BaseModel):
    """One epoch of training: mean losses, validation balanced accuracy, learning rate, seconds."""

    model_config = ConfigDict(frozen=True)

    epoch: int
    train_loss: float
    val_loss: float
    val_balanced_accuracy: float
    lr: float
    seconds: float
    is_best: bool = False
