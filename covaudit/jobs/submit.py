"""What pages and commands may ask for: check, submit, wait, cancel, retry, remove."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.exc import IntegrityError

from covaudit.domain.experiment import Experiment
from covaudit.domain.labels import is_a
from covaudit.domain.mixture import Component
from covaudit.domain.run import PRIORITIES, Run, RunState
from covaudit.domain.source import Source
from covaudit.errors import BadExperiment, BadState, CovauditError, NoWeights, UnknownName, clip
from covaudit.jobs import autostart
from covaudit.jobs.plan import plan
from covaudit.store import Store, folds, runs, trash
from covaudit.store import sources as source_table

if TYPE_CHECKING:
    import pandas as pd

    from covaudit.sources.index import SourceIndex

INDEX_TTL_S = 30.0
INDEX_SHARE = 20
"""A large index is kept longer: reading it again takes at most a twentieth of the time."""
LOOKED_AT_ONCE = 300
"""So many new images are looked at while a page waits; more need a scan (`jobs.scans`)."""
POLL_S = 0.25
_ENSURE_S = 5.0

_indexes: dict[tuple[Store, str], "tuple[float, SourceIndex]"] = {}


class Submitted(NamedTuple):
    """The run of an experiment; `created` is False when it was there before."""

    run_id: str
    created: bool


def check(store: Store, experiment: Experiment) -> None:
    """Whether the experiment can be run here. Raises `CovauditError` for the first thing that is wrong."""
    from covaudit.sources.leakage import check_leakage

    known = {source.name: source for source in source_table.listing(store)}
    for component in (*experiment.train.components(), *experiment.test.components()):
        if component.source not in known:
            cure = "Add it with 'python -m covaudit sources add NAME PATH'."
            raise UnknownName("source", component.source, known, cure)
        index = index_of(store, known[component.source])
        if index.n_pending and known[component.source].path is not None:
            raise BadExperiment(
                f"{index.n_pending:,} images of source {clip(component.source)} were not looked at yet. Scan it on the "
                f"page Sources, or with 'python -m covaudit sources scan {clip(component.source)}'."
            )
        _check_label(component, index.table)
    _check_network(store, experiment)
    check_leakage(experiment, plan(store, experiment).leakage)


def unseen(store: Store, experiment: Experiment) -> list[Source]:
    """The sources of an experiment that need a scan first: more of their images are new than a page waits for."""
    wanted = {component.source for component in (*experiment.train.components(), *experiment.test.components())}
    folders = [one for one in source_table.listing(store) if one.name in wanted and one.path is not None]
    return [source for source in folders if index_of(store, source).n_pending]


def submit(store: Store, experiment: Experiment, demo: bool = False, priority: int = 0) -> Submitted:
    """Queue an experiment and see that a worker is there. The same experiment again gives the run that it has.

    A run of a higher priority goes first; of the same priority, the one that was submitted first.
    """
    from covaudit.jobs import engine

    check(store, experiment)
    _check_priority(priority)
    queue = engine.client(store)
    created = True
    try:
        with store.engine.begin() as connection:
            engine.enqueue(queue, connection, runs.create(connection, experiment, demo, priority))
    except IntegrityError:
        runs.get(store, experiment.id)  # raises when something else than an earlier submission was in the way
        created = False
    _ensure(store)
    return Submitted(experiment.id, created)


def cancel(store: Store, run_id: str) -> Run:
    """Stop a run that waits or runs; its worker needs a moment. Raises `BadState` when it is finished."""
    from covaudit.jobs import engine

    run = runs.get(store, run_id)
    if run.state.is_finished:
        raise BadState(f"Run {run.id} is {run.state} already. Only a run that waits or runs can be cancelled.")
    engine.forget(store, folds.cancel(store, run.id))
    moment = datetime.now(UTC)
    for job in folds.listing(store, run.id):
        if job.state is RunState.CANCELLING and job.is_stale(moment):
            # Nobody is there to stop it; if its process lives after all, its worker ends it for it is no longer wanted.
            reason = "Cancelled by request; its worker was lost."
            folds.finish(store, run.id, job.attempt, RunState.CANCELLED, reason, job.number)
    _ensure(store)  # a run whose worker has just died is cancelled by the next one
    return runs.get(store, run.id)


def retry(store: Store, run_id: str, from_start: bool = False) -> Run:
    """Queue a finished run again, as a new attempt of it. Raises `BadState` when it is not finished.

    A run that failed or was cancelled goes on from its last checkpoint, where there is one, and keeps the folds that
    are done, unless `from_start`; a run that is done begins anew.
    """
    from covaudit.jobs import engine

    run = runs.get(store, run_id)
    check(store, run.experiment)
    queue = engine.client(store)
    with store.engine.begin() as connection:
        entries = runs.requeue(connection, run.id, from_start)
        if not entries:
            raise BadState(f"Run {run.id} is {run.state}. Only a finished run can be retried; cancel it first.")
        engine.enqueue(queue, connection, entries)
    _ensure(store)
    return runs.get(store, run.id)


def resume(store: Store, run_id: str) -> Run:
    """Go on with a run that failed or was cancelled, as `retry` does. Raises `BadState` for a run in another state."""
    run = runs.get(store, run_id)
    if run.state is RunState.DONE:
        raise BadState(f"Run {run.id} is done, so there is nothing to resume. Retry it to run it again from the start.")
    if not run.state.is_finished:
        raise BadState(f"Run {run.id} is {run.state} already. Only a run that failed or was cancelled can be resumed.")
    return retry(store, run.id)


def prioritise(store: Store, run_id: str, priority: int) -> Run:
    """Give a run that is not finished another priority: what of it waits goes before what has a lower one.

    Raises `BadState` when it is finished.
    """
    from covaudit.jobs import engine

    _check_priority(priority)
    run = runs.get(store, run_id)
    if run.state.is_finished:
        raise BadState(f"Run {run.id} is {run.state}. Only a run that waits or runs has a priority to change.")
    queue = engine.client(store)
    with store.engine.begin() as connection:
        engine.enqueue(queue, connection, runs.prioritise(connection, run.id, priority))
    return runs.get(store, run.id)


def remove(store: Store, run_id: str) -> None:
    """Move a finished run with its results and files to the trash. Raises `BadState` when it is not finished."""
    trash.throw(store, runs.get(store, run_id).id)


def wait(store: Store, run_id: str, on_change: Callable[[Run], None] | None = None, ensure_worker: bool = False) -> Run:
    """Wait until a run is finished. `on_change` is called with the run whenever anything of it has changed.

    `ensure_worker` starts a worker, also when the settings forbid it, whenever none is there.
    """
    shown, next_ensure = None, 0.0
    while True:
        run = runs.get(store, run_id)
        face = (run.state, run.attempt, run.progress)
        if on_change is not None and face != shown:
            on_change(run)
        shown = face
        if run.state.is_finished:
            return run
        if ensure_worker and time.monotonic() >= next_ensure:
            autostart.ensure_workers(store.settings)
            next_ensure = time.monotonic() + _ENSURE_S
        time.sleep(POLL_S)


def queue_positions(store: Store) -> dict[str, int]:
    """The runs that wait, by id: 1 for the one that starts next."""
    return runs.queue_positions(store)


def queue_position(store: Store, run_id: str) -> int | None:
    """1 for the run that starts next; None for one that does not wait."""
    return runs.queue_position(store, run_id)


def available(store: Store) -> "dict[str, pd.DataFrame]":
    """The index of every source that can be read, by name. At most `INDEX_TTL_S` seconds old."""
    tables = {}
    for source in source_table.listing(store):
        try:
            tables[source.name] = index_of(store, source).table
        except CovauditError:
            continue  # one lost folder must not hide the others; 'sources show' says what is wrong with it
    return tables


def index_of(store: Store, source: Source) -> "SourceIndex":
    """The index of one source and what was left out, not read again for `INDEX_TTL_S` seconds. Raises `BadSource`.

    Empty, with the number that pend, where more than `LOOKED_AT_ONCE` images are new.
    """
    from covaudit.sources.index import read_index

    key, now = (store, source.model_dump_json()), time.monotonic()
    if key not in _indexes or now > _indexes[key][0]:
        index = read_index(source, store.index_cache, store.settings.roots, most=LOOKED_AT_ONCE)
        took = time.monotonic() - now
        _indexes[key] = (now + max(INDEX_TTL_S, INDEX_SHARE * took), index)
    return _indexes[key][1]


def forget_indexes() -> None:
    """Read all sources anew at the next call, after one was added or removed."""
    _indexes.clear()


def _ensure(store: Store) -> None:
    if store.settings.autostart:
        autostart.ensure_workers(store.settings)


def _check_priority(priority: int) -> None:
    lowest, highest = PRIORITIES
    if not lowest <= priority <= highest:
        raise CovauditError(f"The priority is {priority}. Allowed: {lowest} to {highest}; the highest goes first.")


def _check_network(store: Store, experiment: Experiment) -> None:
    from models.pretrained import WeightsError, require_weights
    from models.registry import NETWORKS, spec_of

    try:
        spec, training = spec_of(experiment.network), experiment.training
    except KeyError:
        raise UnknownName("network", experiment.network, [*NETWORKS, "timm:NAME"]) from None
    except ValueError as error:
        raise BadExperiment(str(error)) from error
    refusal = spec.refusal_of(training.image_size)
    if refusal:
        raise BadExperiment(
            f"training.image_size is {training.image_size}; {refusal}. Change it, or choose another network."
        )
    if training.pretrained == "imagenet":
        try:
            require_weights(spec, store.settings.weights)
        except WeightsError as error:
            raise NoWeights(str(error)) from error


def _check_label(component: Component, index: "pd.DataFrame") -> None:
    counts = {str(label): int(n) for label, n in index["label"].value_counts().items()}
    if not any(is_a(label, component.label) for label in counts):
        there = {f"{label} ({n})" for label, n in counts.items()}
        kind = f"label of source {clip(component.source)}:"
        raise UnknownName(kind, component.label, there, "Change the label, or draw it from another source.")
