"""Digests of what a run found, so that a byte that changed in the database is said and never shown as a result.

SQLite's own check sees a broken page, not a changed number. The digests are written in the transaction that ends the
run and are compared whenever its rows are read. They tell damage, not forgery: who can write to the database can write
them too.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Table, select, update

from covaudit.errors import DamagedDatabase
from covaudit.store import schema

SEALED: Final[tuple[Table, ...]] = (
    schema.epoch, schema.estimate, schema.confusion, schema.finding, schema.artifact,
)  # fmt: skip
HEAD: Final = ("id", "experiment", "state", "attempt", "created", "started", "finished", "device", "reason", "demo")
"""The columns of a run that change no more once it is done; `summary` has a digest of its own."""

_PLACES: Final = frozenset({"number", "run_id"})


def seal(connection: Connection, run_id: str) -> None:
    """Write the digests of a finished run from its rows as they are stored, in the caller's transaction."""
    t = schema.run.c
    head = connection.execute(select(schema.run).where(t.id == run_id)).mappings().one()
    found = {"head": digest_of_head(dict(head)), "summary": digest([{"summary": head["summary"]}])}
    for table in SEALED:
        found[table.name] = digest(rows_of(connection, table, run_id))
    connection.execute(update(schema.run).where(t.id == run_id).values(digests=json.dumps(found)))


def rows_of(connection: Connection, table: Table, run_id: str) -> list[dict[str, Any]]:
    """The rows of a run in a table, in the order of its primary key."""
    query = select(table).where(table.c.run_id == run_id).order_by(*table.primary_key.columns)
    return [dict(row) for row in connection.execute(query).mappings()]


def read_rows(connection: Connection, table: Table, run_id: str) -> list[dict[str, Any]]:
    """`rows_of`, compared with the digest that was written. Raises `DamagedDatabase`."""
    rows = rows_of(connection, table, run_id)
    digests = connection.execute(select(schema.run.c.digests).where(schema.run.c.id == run_id)).scalar()
    check(run_id, digests, table.name, digest(rows))
    return rows


def check(run_id: str, digests: str | None, what: str, found: str) -> None:
    """Compare a digest with the one of the run; a run that is not done, or older than the digests, has none.

    Raises `DamagedDatabase`.
    """
    try:
        written = json.loads(digests or "{}").get(what, found)
    except (ValueError, AttributeError):
        written = None
    if written != found:
        raise DamagedDatabase(
            f"What the database says of run {run_id} ({what}) is not what was written: it was changed on the disk, or "
            "by hand. Stop the app and its workers, then restore a backup: python -m covaudit backup --list"
        )


def digest_of_head(row: Mapping[str, Any]) -> str:
    """The digest of the columns `HEAD`."""
    return digest([{name: row[name] for name in HEAD}])


def digest(rows: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 of rows in order. A column without a value counts as absent, so a table may grow one later."""
    plain = [{name: value for name, value in row.items() if value is not None and name not in _PLACES} for row in rows]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_moment)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _moment(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)  # bytes: a type that was changed
