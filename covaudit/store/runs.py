"""The table of runs and its rules.

A run goes queued -> running -> done, failed or cancelled, with cancelling between running and cancelled. Every change
is one conditional statement, so whatever comes late, comes twice, or comes from an attempt that is no longer the
present one changes nothing. A finished run changes no more, but for `requeue`, which begins it anew.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from functools import lru_cache
from math import isnan, nan
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, Update, func, insert, select, update
from sqlalchemy import delete as sql_delete

from covaudit.domain.experiment import Experiment
from covaudit.domain.run import EpochRecord, Progress, Run, RunState
from covaudit.errors import DamagedDatabase, UnknownName, clip
from covaudit.store import integrity, schema
from covaudit.store.database import Store

ACTIVE: Final = (RunState.RUNNING, RunState.CANCELLING)
FINISHED: Final = tuple(state for state in RunState if state.is_finished)
MAX_LOSSES = 3
"""A run whose worker died more often than this is failed: it may be the run that kills them."""

LOST_TOO_OFTEN = (
    f"Its worker died {MAX_LOSSES + 1} times while it ran. The end of its log may say why; perhaps memory ran out."
)

_t = schema.run.c


def now() -> datetime:
    """The time that is written into rows."""
    return datetime.now(UTC)


# -- reading ----------------------------------------------------------------------------------------------------------


def get(store: Store, run_id: str) -> Run:
    """The run of an id, or of the first characters of one (4 at least). Raises `UnknownName`."""
    rows = []
    if len(run_id) >= 4 and run_id.isalnum():
        with store.engine.connect() as connection:
            rows = list(connection.execute(_select().where(_t.id.startswith(run_id)).limit(2)))
    exact = [row for row in rows if row.id == run_id]
    if exact or len(rows) == 1:
        return _to_run((exact or rows)[0])
    newest = [run.id for run in listing(store, limit=5)]
    cure = "These are the newest; 'python -m covaudit runs' lists all." if newest else "Run 'python -m covaudit demo'."
    raise UnknownName("run", run_id, newest, "Give more characters of the id." if rows else cure)


def listing(store: Store, limit: int = 200, states: Collection[RunState] | None = None, offset: int = 0) -> list[Run]:
    """Runs, the newest first, of all states or of some."""
    query = _select().order_by(_t.number.desc()).limit(limit).offset(offset)
    if states is not None:
        query = query.where(_t.state.in_([state.value for state in states]))
    with store.engine.connect() as connection:
        return [_to_run(row) for row in connection.execute(query)]


def count(store: Store, states: Collection[RunState] | None = None) -> int:
    """How many runs there are, of all states or of some."""
    query = select(func.count()).select_from(schema.run)
    if states is not None:
        query = query.where(_t.state.in_([state.value for state in states]))
    with store.engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def queue_position(store: Store, run_id: str) -> int | None:
    """1 for the run that starts next; None for one that does not wait."""
    waiting = select(_t.id).where(_t.state == RunState.QUEUED.value).order_by(_t.queued, _t.number)
    with store.engine.connect() as connection:
        ids = list(connection.execute(waiting).scalars())
    return ids.index(run_id) + 1 if run_id in ids else None


def is_current(store: Store, run_id: str, attempt: int) -> bool:
    """Whether the attempt should go on: the run is running, and this is its present attempt."""
    query = select(_t.id).where(_t.id == run_id, _t.attempt == attempt, _t.state == RunState.RUNNING.value)
    with store.engine.connect() as connection:
        return connection.execute(query).first() is not None


def ticket(store: Store, run_id: str) -> str | None:
    """The id of the run's present entry in the queue."""
    with store.engine.connect() as connection:
        return connection.execute(select(_t.ticket).where(_t.id == run_id)).scalar()


# -- the life of a run ------------------------------------------------------------------------------------------------


def create(connection: Connection, experiment: Experiment, demo: bool = False, ticket: str = "") -> None:
    """Add a queued run. Raises `sqlalchemy.exc.IntegrityError` when the experiment has a run already."""
    moment = now()
    row = {"id": experiment.id, "experiment": experiment.canonical_json(), "state": RunState.QUEUED.value}
    connection.execute(insert(schema.run).values(**row, created=moment, queued=moment, demo=demo, ticket=ticket))


def claim(store: Store, run_id: str, device: str, ticket: str | None = None) -> int | None:
    """Begin an attempt and return its number; None when the run is not to be worked on (any more).

    A run that is running already has lost its worker, for an entry of the queue is given out once at a time: it begins
    a new attempt, `MAX_LOSSES` times at most. A run that was to be cancelled meanwhile is cancelled.
    """
    mine = [_t.id == run_id] if ticket is None else [_t.id == run_id, _t.ticket == ticket]
    begin: dict[str, Any] = {"state": RunState.RUNNING.value, "attempt": _t.attempt + 1, "device": device}
    begin |= {"started": now(), "beat": now(), "finished": None, "reason": None, "stage": "", "done": 0, "total": 0}
    with store.engine.begin() as connection:
        fresh = update(schema.run).where(*mine, _t.state == RunState.QUEUED.value).values(**begin).returning(_t.attempt)
        attempt = connection.execute(fresh).scalar()
        if attempt is not None:
            return int(attempt)
        lost = update(schema.run).where(*mine, _t.state == RunState.RUNNING.value)
        again = lost.where(_t.losses < MAX_LOSSES).values(**begin, losses=_t.losses + 1).returning(_t.attempt)
        attempt = connection.execute(again).scalar()
        if attempt is not None:
            return int(attempt)
        connection.execute(lost.values(_end(RunState.FAILED, LOST_TOO_OFTEN)))
        stop = update(schema.run).where(*mine, _t.state == RunState.CANCELLING.value)
        connection.execute(stop.values(_end(RunState.CANCELLED, "Cancelled by request.")))
    return None


def beat(store: Store, run_id: str, attempt: int) -> bool:
    """A sign of life. False when the attempt is no longer wanted."""
    return _change(store, _present(run_id, attempt).values(beat=now()))


def report(store: Store, run_id: str, attempt: int, progress: Progress) -> bool:
    """Write where the run is. False when the attempt is no longer wanted."""
    values = {"stage": progress.stage[:200], "done": progress.done, "total": progress.total, "beat": now()}
    return _change(store, _present(run_id, attempt).values(**values))


def add_epoch(store: Store, run_id: str, attempt: int, record: EpochRecord) -> bool:
    """Write an epoch, over an earlier one of the same number. False when the attempt is no longer wanted."""
    values = {name: _null(value) for name, value in record.model_dump().items()}
    with store.engine.begin() as connection:
        if connection.execute(_present(run_id, attempt).values(beat=now())).rowcount == 0:
            return False
        e = schema.epoch.c
        same = (e.run_id == run_id, e.attempt == attempt, e.epoch == record.epoch)
        connection.execute(sql_delete(schema.epoch).where(*same))
        connection.execute(insert(schema.epoch).values(run_id=run_id, attempt=attempt, **values))
    return True


def epochs(store: Store, run_id: str, attempt: int | None = None) -> list[EpochRecord]:
    """The epochs of an attempt, of the present one when none is given."""
    e = schema.epoch.c
    present = select(_t.attempt).where(_t.id == run_id).scalar_subquery()
    fields = [schema.epoch.c[name] for name in EpochRecord.model_fields]
    query = select(*fields).where(e.run_id == run_id, e.attempt == (present if attempt is None else attempt))
    with store.engine.connect() as connection:
        rows = connection.execute(query.order_by(e.epoch)).mappings().all()
    return [EpochRecord.model_validate({name: nan if row[name] is None else row[name] for name in row}) for row in rows]


def finish(store: Store, run_id: str, attempt: int, state: RunState, reason: str | None = None) -> bool:
    """End an attempt as failed or cancelled; `results.write_outcome` ends one as done. False when it had ended."""
    if state not in (RunState.FAILED, RunState.CANCELLED):
        raise ValueError(f"finish() ends a run as failed or cancelled, not as {state}")
    return _change(store, _present(run_id, attempt).values(_end(state, reason)))


def cancel_queued(store: Store, run_id: str) -> bool:
    """Cancel a run that waits. False when it does not wait."""
    query = update(schema.run).where(_t.id == run_id, _t.state == RunState.QUEUED.value)
    return _change(store, query.values(_end(RunState.CANCELLED, "Cancelled before it started.")))


def mark_cancelling(store: Store, run_id: str) -> bool:
    """Ask the worker of a running run to stop it. False when it does not run."""
    query = update(schema.run).where(_t.id == run_id, _t.state == RunState.RUNNING.value)
    return _change(store, query.values(state=RunState.CANCELLING.value))


def requeue(connection: Connection, run_id: str, ticket: str) -> bool:
    """Put a finished run in the queue again under a new ticket; its results go, the files of its attempts stay.

    False when it is not finished.
    """
    done = update(schema.run).where(_t.id == run_id, _t.state.in_([state.value for state in FINISHED]))
    changed = connection.execute(done.values(**_wait_again(ticket), losses=0))
    if changed.rowcount:
        for table in (schema.estimate, schema.confusion, schema.finding, schema.artifact):
            connection.execute(sql_delete(table).where(table.c.run_id == run_id))
    return bool(changed.rowcount)


def hand_back(connection: Connection, run_id: str, attempt: int, ticket: str, lost: bool = False) -> bool:
    """Put a running run in the queue again under a new ticket, because its worker leaves or was `lost`.

    False when that attempt is not running, or when the run has lost its worker `MAX_LOSSES` times already.
    """
    running = update(schema.run).where(_t.id == run_id, _t.attempt == attempt, _t.state == RunState.RUNNING.value)
    if lost:
        running = running.where(_t.losses < MAX_LOSSES)
    losses = _t.losses + 1 if lost else _t.losses
    return bool(connection.execute(running.values(**_wait_again(ticket), losses=losses)).rowcount)


def delete(connection: Connection, run_id: str) -> bool:
    """Remove the rows of a finished run; `trash.throw` does it with its files. False when it is not finished."""
    query = sql_delete(schema.run).where(_t.id == run_id, _t.state.in_([state.value for state in FINISHED]))
    return bool(connection.execute(query).rowcount)


def exists(connection: Connection, run_id: str) -> bool:
    """Whether there is a run of exactly that id."""
    return connection.execute(select(_t.id).where(_t.id == run_id)).first() is not None


# -- helpers ----------------------------------------------------------------------------------------------------------


def _present(run_id: str, attempt: int) -> Update:
    active = [state.value for state in ACTIVE]
    return update(schema.run).where(_t.id == run_id, _t.attempt == attempt, _t.state.in_(active))


def _wait_again(ticket: str) -> dict[str, Any]:
    values: dict[str, Any] = {"state": RunState.QUEUED.value, "ticket": ticket, "queued": now(), "summary": "{}"}
    values |= {"digests": "{}", "started": None, "finished": None, "beat": None, "reason": None, "device": None}
    return values | {"stage": "", "done": 0, "total": 0}


def _end(state: RunState, reason: str | None) -> dict[str, Any]:
    return {"state": state.value, "finished": now(), "reason": reason}


def _change(store: Store, query: Any) -> bool:
    with store.engine.begin() as connection:
        return bool(connection.execute(query).rowcount)


def _null(value: Any) -> Any:
    return None if isinstance(value, float) and isnan(value) else value


_COLUMNS = (
    "id", "experiment", "state", "attempt", "created", "started", "finished", "beat", "device", "reason", "demo",
    "stage", "done", "total", "digests",
)  # fmt: skip


def _select() -> Select[Any]:
    return select(*(_t[name] for name in _COLUMNS))


def _to_run(row: Row[Any]) -> Run:
    return _build_run(tuple(row))


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
