"""How long runs take here, from those that are done: time left of a running one, cost of one that is not started."""

import math
from collections.abc import Sequence
from functools import lru_cache

from covaudit.domain.experiment import Experiment
from covaudit.domain.run import GATHER, EpochRecord, Fold, Run, RunState
from covaudit.domain.time_left import TRAINING, Cost, Seconds, after_training, estimate_cost, time_left
from covaudit.store import Store, folds, results, runs

_LOOK_BACK = 50
_BEFORE, _TRAINED = 0.05, 0.75


def left(store: Store, run: Run) -> Seconds | None:
    """What is left of a running run: of the fold that is the furthest behind, and of those that wait behind it.

    None before the first epoch has ended.
    """
    if run.state is not RunState.RUNNING:
        return None
    jobs = folds.listing(store, run.id)
    own = [found for job in jobs if job.state is RunState.RUNNING if (found := _left_of(store, run, job))]
    if not own:
        return None
    slowest = max(own, key=lambda one: one.high)
    n_behind = sum(job.state is RunState.QUEUED for job in jobs)
    whole = _whole(store, run, next(job for job in jobs if job.state is RunState.RUNNING)) if n_behind else None
    if whole is None:
        return slowest
    rounds = math.ceil(n_behind / len(own))
    return Seconds(slowest.low + rounds * whole.low, slowest.high + rounds * whole.high)


def share_done(store: Store, run: Run) -> float:
    """How much of a run is done, in [0, 1], each fold alike; training counts for three quarters of a fold."""
    if run.state is RunState.DONE:
        return 1.0
    jobs = [job for job in folds.listing(store, run.id) if job.number != GATHER]
    return min(0.99, sum(_share(store, job) for job in jobs) / len(jobs)) if jobs else 0.0


def _share(store: Store, job: Fold) -> float:
    step = job.progress.done / job.progress.total if job.progress.total else 0.0
    if job.state is RunState.DONE:
        return 1.0
    if job.state is RunState.QUEUED or job.started is None:
        return 0.0
    if job.progress.stage == TRAINING:
        return _BEFORE + _TRAINED * step
    is_trained = bool(runs.epochs(store, job.run_id, fold=job.number))
    return _BEFORE + _TRAINED + (1 - _BEFORE - _TRAINED) * step if is_trained else _BEFORE * step


def rate(run: Run, job: Fold, epochs: Sequence[EpochRecord]) -> float | None:
    """Training steps a second in a fold's last epoch; None outside the training and before its first has ended."""
    if job.progress.stage != TRAINING or not epochs or not job.progress.total:
        return None
    return job.progress.total / run.experiment.training.epochs / max(epochs[-1].seconds, 1e-6)


def expected(store: Store, experiment: Experiment, n_images: int, n_tested: int) -> Cost | None:
    """What the experiment would take, from the newest run of the same network and image size; None without one."""
    like = _newest_like(store, experiment)
    if like is None:
        return None
    summary = results.summary(store, like.id)
    n_then = sum(int(count["n"]) for count in summary.get("counts", []))
    epochs_then = len(runs.epochs(store, like.id)) * like.experiment.n_folds
    if not n_then or not epochs_then or "seconds" not in summary:
        return None
    per_image = float(summary["seconds"]) / n_then / epochs_then
    epochs = experiment.training.epochs * experiment.n_folds
    size = experiment.training.image_size
    return estimate_cost(n_images, n_tested, size, epochs, per_image, int(summary.get("parameters", 0)))


def _left_of(store: Store, run: Run, job: Fold) -> Seconds | None:
    seconds = [record.seconds for record in runs.epochs(store, run.id, fold=job.number)]
    return _time(store, run.experiment, seconds, _share_of_epoch(run, job, len(seconds)), len(seconds))


def _whole(store: Store, run: Run, job: Fold) -> Seconds | None:
    """A fold from its first epoch on, at the speed of one that runs."""
    seconds = [record.seconds for record in runs.epochs(store, run.id, fold=job.number)]
    return _time(store, run.experiment, seconds, 0.0, 0)


def _time(store: Store, experiment: Experiment, seconds: list[float], share: float, done: int) -> Seconds | None:
    like = _newest_like(store, experiment)
    known = None if like is None else _after_of(store, like.id, like.attempt)
    epochs = experiment.training.epochs - done + len(seconds)
    return time_left(epochs, seconds, share, known) if known else time_left(epochs, seconds, share)


def _share_of_epoch(run: Run, job: Fold, done: int) -> float:
    if job.progress.stage != TRAINING or not job.progress.total:
        return 0.0
    share = job.progress.done / job.progress.total * run.experiment.training.epochs - done
    return min(max(share, 0.0), 1.0)


@lru_cache(maxsize=256)
def _after_of(store: Store, run_id: str, attempt: int) -> tuple[float, float] | None:
    # A finished attempt does not change, and the page that asks does so every two seconds.
    seconds = [record.seconds for record in runs.epochs(store, run_id)]
    return after_training(results.summary(store, run_id).get("stages", {}), seconds)


def _newest_like(store: Store, experiment: Experiment) -> Run | None:
    def is_like(run: Run) -> bool:
        other = run.experiment
        return (other.network, other.training.image_size) == (experiment.network, experiment.training.image_size)

    done = runs.listing(store, limit=_LOOK_BACK, states=[RunState.DONE])
    return next(filter(is_like, done), None)
