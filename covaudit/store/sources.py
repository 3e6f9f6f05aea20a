"""The sources that a person added, and the made-up ones that are always there."""

import json
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from covaudit.domain.built_in import BUILT_IN
from covaudit.domain.run import RunState
from covaudit.domain.source import Source
from covaudit.errors import BadSource, UnknownName, clip
from covaudit.store import runs, schema
from covaudit.store.database import Store

_WAITING = (RunState.QUEUED, RunState.RUNNING, RunState.CANCELLING)


def add(store: Store, source: Source) -> None:
    """Remember a source. Raises `BadSource` when the name is taken."""
    taken = BadSource(f"There is a source '{clip(source.name)}' already. Give another name, or remove that one first.")
    if any(source.name == other.name for other in BUILT_IN):
        raise taken
    row = {"name": source.name, "reader": source.reader, "path": source.path, "columns": json.dumps(source.columns)}
    try:
        with store.engine.begin() as connection:
            connection.execute(insert(schema.source).values(**row))
    except IntegrityError as error:
        raise taken from error


def listing(store: Store) -> list[Source]:
    """The phantom sources first, then the added ones in the order they came."""
    with store.engine.connect() as connection:
        rows = connection.execute(select(schema.source).order_by(schema.source.c.number)).mappings().all()
    return [*BUILT_IN, *(_to_source(row) for row in rows)]


def get(store: Store, name: str) -> Source:
    """The source of a name. Raises `UnknownName`."""
    known = {source.name: source for source in listing(store)}
    if name not in known:
        raise UnknownName("source", name, known, "Add it with 'python -m covaudit sources add NAME PATH'.")
    return known[name]


def remove(store: Store, name: str) -> None:
    """Forget a source; its files stay. Raises `BadSource` while a run that waits or runs draws from it."""
    get(store, name)
    if any(source.name == name for source in BUILT_IN):
        raise BadSource(f"Source '{clip(name)}' is made up on demand and cannot be removed.")
    users = [run.id for run in runs.listing(store, limit=1000, states=_WAITING) if name in _drawn(run)]
    if users:
        raise BadSource(f"Source '{clip(name)}' is used by run {', '.join(users[:5])}. Wait, or cancel it first.")
    with store.engine.begin() as connection:
        connection.execute(delete(schema.source).where(schema.source.c.name == name))


def _drawn(run: Any) -> set[str]:
    return {*run.experiment.train.sources(), *run.experiment.test.sources()}


def _to_source(row: Any) -> Source:
    return Source(name=row["name"], reader=row["reader"], path=row["path"], columns=json.loads(row["columns"]))
