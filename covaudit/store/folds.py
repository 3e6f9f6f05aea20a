"""The jobs of a run and their rules: one a fold, and `GATHER` for a run with several folds.

A job goes queued -> running -> done, failed or cancelled, with cancelling between running and cancelled. Every change
is one conditional statement, so whatever comes late, comes twice, or comes from an attempt that is no longer the
present one changes nothing. A finished job changes no more, but for `runs.requeue`, which begins it anew. The row of
the run follows in the same transaction, see `overall`.
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Update, insert, select, update

from covaudit.domain.run import GATHER, Fold, Progress, RunState
from covaudit.store import schema
from covaudit.store.database import Store

ACTIVE: Final = tuple(state for state in RunState if state.is_active)
FINISHED: Final = tuple(state for state in RunState if state.is_finished)
MAX_LOSSES = 3
"""A job whose worker died more often than this is failed: it may be the job that kills them."""

LOST_TOO_OFTEN = (
    f"Its worker died {MAX_LOSSES + 1} times while it ran. The end of its log may say why; perhaps memory ran out."
)
CANCELLED = "Cancelled by request."

_f = schema.fold.c
_r = schema.run.c


class Entry(NamedTuple):
    """What is put in the queue for a job; a higher priority goes first."""

    run_id: str
    fold: int
    ticket: str
    priority: int


def now() -> datetime:
    """The time that is written into rows."""
    return datetime.now(UTC)


# -- reading ----------------------------------------------------------------------------------------------------------


def listing(store: Store, run_id: str) -> list[Fold]:
    """The jobs of a run by number; `GATHER` comes first, once all folds are done."""
    with store.engine.connect() as connection:
        return [_to_fold(row) for row in _rows(connection, run_id)]


def get(store: Store, run_id: str, number: int) -> Fold:
    """One job of a run."""
    return next(job for job in listing(store, run_id) if job.number == number)


def active(store: Store) -> list[Fold]:
    """Every job of any run that is said to be running."""
    query = select(schema.fold).where(_f.state.in_([state.value for state in ACTIVE]))
    with store.engine.connect() as connection:
        return [_to_fold(row) for row in connection.execute(query)]


def is_current(store: Store, run_id: str, attempt: int, fold: int = 0) -> bool:
    """Whether the attempt should go on: the job is running, and this is its present attempt."""
    query = select(_f.state).where(*_is(run_id, fold), _f.attempt == attempt, _f.state == RunState.RUNNING.value)
    with store.engine.connect() as connection:
        return connection.execute(query).first() is not None


def ticket(store: Store, run_id: str, fold: int = 0) -> str | None:
    """The id of the job's present entry in the queue."""
    with store.engine.connect() as connection:
        return connection.execute(select(_f.ticket).where(*_is(run_id, fold))).scalar()


# -- the life of a job ------------------------------------------------------------------------------------------------


def create(connection: Connection, run_id: str, numbers: Sequence[int], priority: int, attempt: int = 0) -> list[Entry]:
    """Add queued jobs; returns what to put in the queue for them."""
    entries = [Entry(run_id, number, _new_ticket(run_id), priority) for number in numbers]
    state = RunState.QUEUED.value
    rows = [{"run_id": run_id, "fold": e.fold, "state": state, "ticket": e.ticket, "attempt": attempt} for e in entries]
    connection.execute(insert(schema.fold), rows)
    return entries


def claim(store: Store, run_id: str, device: str, ticket: str | None = None, fold: int = 0) -> int | None:
    """Begin an attempt and return its number; None when the job is not to be worked on (any more).

    A job that is running already has lost its worker, for an entry of the queue is given out once at a time: it begins
    a new attempt, `MAX_LOSSES` times at most. A job that was to be cancelled meanwhile is cancelled.
    """
    mine = _is(run_id, fold) if ticket is None else (*_is(run_id, fold), _f.ticket == ticket)
    begin: dict[str, Any] = {"state": RunState.RUNNING.value, "attempt": _f.attempt + 1, "device": device}
    begin |= {"started": now(), "beat": now(), "finished": None, "reason": None, "stage": "", "done": 0, "total": 0}
    queued = update(schema.fold).where(*mine, _f.state == RunState.QUEUED.value)
    lost = update(schema.fold).where(*mine, _f.state == RunState.RUNNING.value)
    again = lost.where(_f.losses < MAX_LOSSES).values(losses=_f.losses + 1)
    stop = update(schema.fold).where(*mine, _f.state == RunState.CANCELLING.value)
    with store.engine.begin() as connection:
        lock(connection, run_id)
        for statement in (queued, again):
            attempt = connection.execute(statement.values(**begin).returning(_f.attempt)).scalar()
            if attempt is not None:
                follow(connection, run_id)
                return int(attempt)
        if connection.execute(lost.values(**_end(RunState.FAILED, LOST_TOO_OFTEN))).rowcount:
            _spare_the_others(connection, run_id, fold)
        connection.execute(stop.values(**_end(RunState.CANCELLED, CANCELLED)))
        follow(connection, run_id)
    return None


def beat(store: Store, run_id: str, attempt: int, fold: int = 0) -> bool:
    """A sign of life. False when the attempt is no longer wanted."""
    return _change(store, run_id, present(run_id, attempt, fold).values(beat=now()))


def report(store: Store, run_id: str, attempt: int, progress: Progress, fold: int = 0) -> bool:
    """Write where the job is. False when the attempt is no longer wanted."""
    values = {"stage": progress.stage[:200], "done": progress.done, "total": progress.total, "beat": now()}
    return _change(store, run_id, present(run_id, attempt, fold).values(**values))


def finish(store: Store, run_id: str, attempt: int, state: RunState, reason: str | None = None, fold: int = 0) -> bool:
    """End an attempt as failed or cancelled; `complete` ends one as done. False when it had ended.

    When a fold fails, those that run go on, and those that wait are not started.
    """
    if state not in (RunState.FAILED, RunState.CANCELLED):
        raise ValueError(f"finish() ends a job as failed or cancelled, not as {state}")
    with store.engine.begin() as connection:
        lock(connection, run_id)
        if not connection.execute(present(run_id, attempt, fold).values(**_end(state, reason))).rowcount:
            return False
        if state is RunState.FAILED:
            _spare_the_others(connection, run_id, fold)
        follow(connection, run_id)
    return True


def complete(connection: Connection, run_id: str, attempt: int, fold: int = 0) -> bool:
    """End an attempt as done. False when it is not the running one: it was cancelled, or another is in its place."""
    lock(connection, run_id)
    mine = present(run_id, attempt, fold).where(_f.state == RunState.RUNNING.value)
    changed = connection.execute(mine.values(**_end(RunState.DONE, None))).rowcount
    if changed:
        follow(connection, run_id)
    return bool(changed)


def hand_back(connection: Connection, run_id: str, attempt: int, fold: int = 0, lost: bool = False) -> Entry | None:
    """Queue a running job again under a new ticket, because its worker leaves or was `lost`.

    None when that attempt is not running, or when the job has lost its worker `MAX_LOSSES` times already.
    """
    lock(connection, run_id)
    running = update(schema.fold).where(*_is(run_id, fold), _f.attempt == attempt, _f.state == RunState.RUNNING.value)
    if lost:
        running = running.where(_f.losses < MAX_LOSSES)
    entry = Entry(run_id, fold, _new_ticket(run_id), _priority(connection, run_id))
    values = wait_again(entry.ticket) | {"losses": _f.losses + 1 if lost else _f.losses}
    if not connection.execute(running.values(**values)).rowcount:
        return None
    follow(connection, run_id)
    return entry


def renew(connection: Connection, run_id: str, priority: int) -> list[Entry]:
    """New tickets for the jobs of a run that wait; the old ones are void."""
    waiting = select(_f.fold).where(_f.run_id == run_id, _f.state == RunState.QUEUED.value).order_by(_f.fold)
    numbers = connection.execute(waiting).scalars()
    entries = [Entry(run_id, number, _new_ticket(run_id), priority) for number in numbers]
    for entry in entries:
        connection.execute(update(schema.fold).where(*_is(run_id, entry.fold)).values(ticket=entry.ticket))
    return entries


def cancel(store: Store, run_id: str) -> list[str]:
    """Cancel the jobs of a run that wait and ask the workers of the others to stop; the tickets that are void now."""
    mine = update(schema.fold).where(_f.run_id == run_id)
    waiting = mine.where(_f.state == RunState.QUEUED.value).returning(_f.ticket)
    with store.engine.begin() as connection:
        lock(connection, run_id)
        void = list(
            connection.execute(waiting.values(**_end(RunState.CANCELLED, "Cancelled before it started."))).scalars()
        )
        running = mine.where(_f.state == RunState.RUNNING.value)
        connection.execute(running.values(state=RunState.CANCELLING.value))
        follow(connection, run_id)
    return void


def gather(connection: Connection, run_id: str) -> Entry | None:
    """Queue the pooling of a run whose folds are all done; None where nothing is to pool, or it is queued already."""
    lock(connection, run_id)
    rows = _rows(connection, run_id)
    if len(rows) == 1 or any(row.fold == GATHER or row.state != RunState.DONE for row in rows):
        return None
    before = max(row.attempt for row in rows) - 1  # its files lie beside those of the folds' last attempt
    (entry,) = create(connection, run_id, [GATHER], _priority(connection, run_id), before)
    follow(connection, run_id)
    return entry


def last_job(connection: Connection, run_id: str) -> int:
    """The number of the job that writes the outcome of a run: its only fold, or `GATHER`."""
    numbers = [row.fold for row in _rows(connection, run_id)]
    return GATHER if len(numbers) > 1 else 0


def to_gather(store: Store) -> list[str]:
    """The runs whose folds are all done and whose pooling is not queued yet."""
    unfinished = select(_r.id).where(_r.state == RunState.QUEUED.value)
    others = select(_f.run_id).where((_f.state != RunState.DONE.value) | (_f.fold == GATHER))
    with store.engine.connect() as connection:
        return list(connection.execute(unfinished.where(_r.id.not_in(others))).scalars())


# -- the row of the run -----------------------------------------------------------------------------------------------


def lock(connection: Connection, run_id: str) -> None:
    """Hold the run's row to the end of the transaction: its jobs are changed one by one."""
    connection.execute(update(schema.run).where(_r.id == run_id).values(id=_r.id))


def follow(connection: Connection, run_id: str) -> None:
    """Bring the run's row to what its jobs say."""
    connection.execute(update(schema.run).where(_r.id == run_id).values(**overall(_rows(connection, run_id))))


def overall(rows: Sequence[Row[Any]]) -> dict[str, Any]:
    """What the row of a run says of its jobs: the state by `overall_state`, the oldest beat, the progress of one."""
    n = sum(row.fold != GATHER for row in rows)
    state = overall_state([RunState(row.state) for row in rows], n)
    working = [row for row in rows if RunState(row.state).is_active]
    lead = _lead(rows, state, working)
    beats = [row.beat for row in working or rows if row.beat is not None]
    ends = [row.finished for row in rows if row.finished is not None]
    return {
        "state": state.value,
        "attempt": max(row.attempt for row in rows),
        "started": min((row.started for row in rows if row.started is not None), default=None),
        "finished": max(ends) if ends and state.is_finished else None,
        "beat": min(beats, default=None),
        "device": ", ".join(sorted({row.device for row in working or rows if row.device})) or None,
        "reason": _reason(lead, n) if state.is_finished else None,
        "stage": _named(lead, n, lead.stage)[:200] if lead.stage else "",
        "done": lead.done,
        "total": lead.total,
    }


def overall_state(states: Sequence[RunState], n_folds: int) -> RunState:
    """The state of a run whose jobs are in these states. Between two folds a run waits: nobody works on it."""
    for state in (RunState.CANCELLING, RunState.RUNNING, RunState.QUEUED, RunState.FAILED, RunState.CANCELLED):
        if state in states:
            return state
    is_whole = n_folds == 1 or len(states) > n_folds
    return RunState.DONE if is_whole else RunState.QUEUED


def _lead(rows: Sequence[Row[Any]], state: RunState, working: Sequence[Row[Any]]) -> Row[Any]:
    """The job whose words the run takes: the first that works, else the first in the run's own state."""
    return next(iter([*working, *(row for row in rows if row.state == state), *rows]))


def _reason(lead: Row[Any], n_folds: int) -> str | None:
    if lead.reason is None or n_folds == 1:
        return str(lead.reason) if lead.reason is not None else None
    return CANCELLED if lead.state == RunState.CANCELLED else _named(lead, n_folds, lead.reason)


def _named(row: Row[Any], n_folds: int, words: str) -> str:
    return words if n_folds == 1 or row.fold == GATHER else f"fold {row.fold + 1} of {n_folds}: {words}"


# -- helpers ----------------------------------------------------------------------------------------------------------


def present(run_id: str, attempt: int, fold: int) -> Update:
    """A change of the job, as long as this is its present attempt and has not ended."""
    states = [state.value for state in ACTIVE]
    return update(schema.fold).where(*_is(run_id, fold), _f.attempt == attempt, _f.state.in_(states))


def wait_again(ticket: str) -> dict[str, Any]:
    """The columns of a job that goes back to the queue."""
    values: dict[str, Any] = {"state": RunState.QUEUED.value, "ticket": ticket, "stage": "", "done": 0, "total": 0}
    return values | {"started": None, "finished": None, "beat": None, "reason": None, "device": None}


def _is(run_id: str, fold: int) -> tuple[ColumnElement[bool], ...]:
    return _f.run_id == run_id, _f.fold == fold


def _end(state: RunState, reason: str | None) -> dict[str, Any]:
    return {"state": state.value, "finished": now(), "reason": reason}


def _spare_the_others(connection: Connection, run_id: str, failed: int) -> None:
    waiting = update(schema.fold).where(_f.run_id == run_id, _f.state == RunState.QUEUED.value)
    connection.execute(waiting.values(**_end(RunState.CANCELLED, f"Not started, for fold {failed + 1} failed.")))


def _change(store: Store, run_id: str, statement: Update) -> bool:
    with store.engine.begin() as connection:
        lock(connection, run_id)
        changed = connection.execute(statement).rowcount
        if changed:
            follow(connection, run_id)
    return bool(changed)


def _rows(connection: Connection, run_id: str) -> Sequence[Row[Any]]:
    return connection.execute(select(schema.fold).where(_f.run_id == run_id).order_by(_f.fold)).all()


def _priority(connection: Connection, run_id: str) -> int:
    return int(connection.execute(select(_r.priority).where(_r.id == run_id)).scalar() or 0)


def _new_ticket(run_id: str) -> str:
    return f"{run_id}.{secrets.token_hex(6)}"


def _to_fold(row: Row[Any]) -> Fold:
    plain = {name: getattr(row, name) for name in Fold.model_fields if name not in ("number", "progress")}
    plain["state"] = RunState(row.state)
    return Fold.model_construct(
        **plain, number=row.fold, progress=Progress(stage=row.stage, done=row.done, total=row.total)
    )
