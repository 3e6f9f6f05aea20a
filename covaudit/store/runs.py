"""The table of runs: what is asked, and what becomes of it.

A run goes queued -> running -> done, failed or cancelled, with cancelling between running and cancelled. It follows
from its jobs, whose rules are in `covaudit.store.folds`; here a run is made, read, begun anew and deleted.
"""

from collections.abc import Collection
from functools import lru_cache
from math import isnan, nan
from typing import Any, Final

from sqlalchemy import Connection, Select, func, insert, select, update
from sqlalchemy import delete as sql_delete

from covaudit.domain.experiment import Experiment
from covaudit.domain.run import EpochRecord, Progress, Run, RunState
from covaudit.errors import DamagedDatabase, UnknownName, clip
from covaudit.store import folds, integrity, schema
from covaudit.store.database import Store
from covaudit.store.folds import (
    ACTIVE,
    FINISHED,
    LOST_TOO_OFTEN,
    MAX_LOSSES,
    Entry,
    beat,
    cancel,
    claim,
    finish,
    hand_back,
    is_current,
    now,
    report,
    ticket,
)

__all__ = [
    "ACTIVE", "FINISHED", "LOST_TOO_OFTEN", "MAX_LOSSES", "add_epoch", "beat", "cancel", "claim", "count", "create",
    "delete", "epochs", "finish", "get", "hand_back", "is_current", "listing", "now", "prioritise", "queue_position",
    "queue_positions", "report", "requeue", "ticket",
]  # fmt: skip

_RESULTS: Final = (schema.estimate, schema.confusion, schema.finding, schema.artifact)

_t = schema.run.c
_f = schema.fold.c
_e = schema.epoch.c


# -- reading ----------------------------------------------------------------------------------------------------------


def get(store: Store, run_id: str) -> Run:
    """The run of an id, or of the first characters of one (4 at least). Raises `UnknownName`."""
    is_one = len(run_id) >= 4 and run_id.isalnum()
    found = _read(store, _select().where(_t.id.startswith(run_id)).limit(2)) if is_one else []
    exact = [run for run in found if run.id == run_id]
    if exact or len(found) == 1:
        return (exact or found)[0]
    newest = [run.id for run in listing(store, limit=5)]
    cure = "These are the newest; 'python -m covaudit runs' lists all." if newest else "Run 'python -m covaudit demo'."
    raise UnknownName("run", run_id, newest, "Give more characters of the id." if found else cure)


def listing(store: Store, limit: int = 200, states: Collection[RunState] | None = None, offset: int = 0) -> list[Run]:
    """Runs, the newest first, of all states or of some."""
    query = _select().order_by(_t.number.desc()).limit(limit).offset(offset)
    if states is not None:
        query = query.where(_t.state.in_([state.value for state in states]))
    return _read(store, query)


def count(store: Store, states: Collection[RunState] | None = None) -> int:
    """How many runs there are, of all states or of some."""
    query = select(func.count()).select_from(schema.run)
    if states is not None:
        query = query.where(_t.state.in_([state.value for state in states]))
    with store.engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def queue_positions(store: Store) -> dict[str, int]:
    """The runs that wait, by id: 1 for the one that starts next."""
    waiting = select(_t.id).where(_t.state == RunState.QUEUED.value)
    ordered = waiting.order_by(_t.priority.desc(), _t.queued, _t.number)
    with store.engine.connect() as connection:
        return {run_id: place for place, run_id in enumerate(connection.execute(ordered).scalars(), start=1)}


def queue_position(store: Store, run_id: str) -> int | None:
    """1 for the run that starts next; None for one that does not wait."""
    return queue_positions(store).get(run_id)


def base(store: Store, run_id: str) -> int:
    """The last attempt before the run was begun anew; what later attempts left may be gone on from."""
    with store.engine.connect() as connection:
        return int(connection.execute(select(_t.base).where(_t.id == run_id)).scalar() or 0)


def epochs(store: Store, run_id: str, attempt: int | None = None, fold: int = 0) -> list[EpochRecord]:
    """The epochs of an attempt of a fold, of its present attempt when none is given."""
    present = select(_f.attempt).where(_f.run_id == run_id, _f.fold == fold).scalar_subquery()
    fields = [_e[name] for name in EpochRecord.model_fields]
    mine = (_e.run_id == run_id, _e.fold == fold, _e.attempt == (present if attempt is None else attempt))
    with store.engine.connect() as connection:
        rows = connection.execute(select(*fields).where(*mine).order_by(_e.epoch)).mappings().all()
    return [EpochRecord.model_validate({name: nan if row[name] is None else row[name] for name in row}) for row in rows]


# -- making and changing ----------------------------------------------------------------------------------------------


def create(connection: Connection, experiment: Experiment, demo: bool = False, priority: int = 0) -> list[Entry]:
    """Add a queued run; returns what to put in the queue for it.

    Raises `sqlalchemy.exc.IntegrityError` when the experiment has a run already.
    """
    moment = now()
    row: dict[str, Any] = {"id": experiment.id, "experiment": experiment.canonical_json(), "priority": priority}
    row |= {"state": RunState.QUEUED.value, "created": moment, "queued": moment, "demo": demo}
    connection.execute(insert(schema.run).values(**row))
    return folds.create(connection, experiment.id, range(experiment.n_folds), priority)


def add_epoch(store: Store, run_id: str, attempt: int, record: EpochRecord, fold: int = 0) -> bool:
    """Write an epoch, over an earlier one of the same number. False when the attempt is no longer wanted."""
    values = {name: _null(value) for name, value in record.model_dump().items()}
    with store.engine.begin() as connection:
        folds.lock(connection, run_id)
        if connection.execute(folds.present(run_id, attempt, fold).values(beat=now())).rowcount == 0:
            return False
        same = (_e.run_id == run_id, _e.fold == fold, _e.attempt == attempt, _e.epoch == record.epoch)
        connection.execute(sql_delete(schema.epoch).where(*same))
        connection.execute(insert(schema.epoch).values(run_id=run_id, fold=fold, attempt=attempt, **values))
    return True


def requeue(connection: Connection, run_id: str, from_start: bool = False) -> list[Entry]:
    """Queue a finished run again under new tickets; what to put in the queue for it, empty when it is not finished.

    A run that failed or was cancelled keeps the folds that are done, and its new attempts may go on from checkpoints of
    earlier ones. `from_start` begins it anew, as a run that is done always is: its results go, the files of its
    attempts stay.
    """
    folds.lock(connection, run_id)
    finished = _t.state.in_([state.value for state in FINISHED])
    row = connection.execute(select(_t.state, _t.attempt, _t.priority).where(_t.id == run_id, finished)).first()
    if row is None:
        return []
    again = {"queued": now(), "summary": "{}", "digests": "{}"}
    if from_start or row.state == RunState.DONE:
        connection.execute(sql_delete(schema.fold).where(_f.run_id == run_id))
        for table in _RESULTS:
            connection.execute(sql_delete(table).where(table.c.run_id == run_id))
        numbers, again["base"] = list(range(_n_folds(connection, run_id))), row.attempt
    else:
        undone = sql_delete(schema.fold).where(_f.run_id == run_id, _f.state != RunState.DONE.value)
        numbers = sorted(connection.execute(undone.returning(_f.fold)).scalars())
    connection.execute(update(schema.run).where(_t.id == run_id).values(**again))
    entries = folds.create(connection, run_id, numbers, row.priority, row.attempt)
    folds.follow(connection, run_id)
    return entries


def prioritise(connection: Connection, run_id: str, priority: int) -> list[Entry]:
    """Give a run another priority; new entries for the queue in place of those of its jobs that wait."""
    folds.lock(connection, run_id)
    connection.execute(update(schema.run).where(_t.id == run_id).values(priority=priority, queued=now()))
    return folds.renew(connection, run_id, priority)


def delete(connection: Connection, run_id: str) -> bool:
    """Remove the rows of a finished run; `trash.throw` does it with its files. False when it is not finished."""
    query = sql_delete(schema.run).where(_t.id == run_id, _t.state.in_([state.value for state in FINISHED]))
    return bool(connection.execute(query).rowcount)


def exists(connection: Connection, run_id: str) -> bool:
    """Whether there is a run of exactly that id."""
    return connection.execute(select(_t.id).where(_t.id == run_id)).first() is not None


# -- helpers ----------------------------------------------------------------------------------------------------------


def _n_folds(connection: Connection, run_id: str) -> int:
    asked = connection.execute(select(_t.experiment).where(_t.id == run_id)).scalar_one()
    return Experiment.model_validate_json(asked).n_folds


def _null(value: Any) -> Any:
    return None if isinstance(value, float) and isnan(value) else value


_COLUMNS = (
    "id", "experiment", "state", "attempt", "created", "started", "finished", "beat", "device", "reason", "demo",
    "priority", "stage", "done", "total", "digests",
)  # fmt: skip


def _select() -> Select[Any]:
    return select(*(_t[name] for name in _COLUMNS))


def _read(store: Store, query: Select[Any]) -> list[Run]:
    with store.engine.connect() as connection:
        return [_build_run(tuple(row)) for row in connection.execute(query)]


@lru_cache(maxsize=4096)
def _build_run(values: tuple[Any, ...]) -> Run:
    # A page lists the same rows every second, and most runs are finished and change no more.
    plain = dict(zip(_COLUMNS, values, strict=True))
    digests = plain.pop("digests")
    if plain["state"] == RunState.DONE:
        integrity.check(plain["id"], digests, "head", integrity.digest_of_head(plain))
    progress = {name: plain.pop(name) for name in ("stage", "done", "total")}
    try:
        plain["state"] = RunState(plain["state"])
    except ValueError as error:
        raise DamagedDatabase(
            f"Run {clip(plain['id'])} has the state {clip(plain['state'])}. {schema.RESTORE}"
        ) from error
    return Run.model_construct(asked=plain.pop("experiment"), **plain, progress=Progress(**progress))
