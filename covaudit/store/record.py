"""All rows of one run as plain JSON and back: what the trash and a bundle hold beside its files."""

import math
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy import BigInteger, Boolean, Column, Connection, Double, Integer, String, Table, insert, select

from covaudit.domain.run import RunState
from covaudit.errors import BadRecord, UnknownName, clip
from covaudit.store import integrity, schema

TABLES: Final[tuple[Table, ...]] = tuple(
    table
    for table in schema.metadata.sorted_tables
    if any(key.column.table is schema.run for key in table.foreign_keys)
)
"""The tables whose rows belong to a run."""

_LONGEST_TEXT = 16_000_000
_LARGEST_INTEGER = 2**63 - 1


class RunRecord(BaseModel):
    """The row of a run and the rows that belong to it, column by column; times are ISO 8601 with their zone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: str
    run: dict[str, Any]
    tables: dict[str, list[dict[str, Any]]]

    @property
    def run_id(self) -> str:
        return str(self.run.get("id"))


def take(connection: Connection, run_id: str) -> RunRecord:
    """The rows of a run. Raises `UnknownName`."""
    row = connection.execute(select(schema.run).where(schema.run.c.id == run_id)).mappings().one_or_none()
    if row is None:
        raise UnknownName("run", run_id, [])
    tables = {table.name: [_plain(r) for r in integrity.rows_of(connection, table, run_id)] for table in TABLES}
    return RunRecord(revision=schema.REVISION, run=_plain(dict(row)), tables=tables)


def put(connection: Connection, record: RunRecord) -> None:
    """Write the rows of a record in the caller's transaction; each value is checked against its column.

    A column that the record lacks, because an older version wrote it, gets its default. Raises `BadRecord`.
    """
    unknown = set(record.tables) - {table.name for table in TABLES}
    if unknown:
        raise BadRecord(f"The record holds a table '{clip(min(unknown))}' that is not known here. Update CovAudit.")
    connection.execute(insert(schema.run).values(**_row(schema.run, record.run)))
    for table in TABLES:
        rows = [_row(table, row) for row in record.tables.get(table.name, ())]
        if any(row["run_id"] != record.run_id for row in rows):
            raise BadRecord(f"The record holds rows of another run in its table {table.name}.")
        if rows:
            connection.execute(insert(table), rows)
    if record.run["state"] == RunState.DONE:
        integrity.seal(connection, record.run_id)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name != "number"}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in kept.items()}


def _row(table: Table, plain: dict[str, Any]) -> dict[str, Any]:
    unknown = set(plain) - set(table.columns.keys())
    if unknown:
        raise BadRecord(f"The record holds a column '{clip(min(unknown))}' that is not known here. Update CovAudit.")
    columns = [column for column in table.columns if column.name != "number"]
    return {column.name: _value(column, plain) for column in columns if column.name in plain or _is_needed(column)}


def _is_needed(column: Column[Any]) -> bool:
    return column.default is None and column.server_default is None


def _value(column: Column[Any], plain: dict[str, Any]) -> Any:
    value = plain.get(column.name)
    fits = column.nullable if value is None else _fits(column, value)
    if not fits:
        raise BadRecord(f"The record holds {clip(repr(value), 40)} for {column.table.name}.{column.name}.")
    return datetime.fromisoformat(value) if isinstance(column.type, schema.Utc) and value is not None else value


def _fits(column: Column[Any], value: Any) -> bool:
    kind = column.type
    if isinstance(kind, schema.Utc):
        return isinstance(value, str) and _is_moment(value)
    if isinstance(kind, Boolean):
        return isinstance(value, bool)
    if isinstance(kind, Double):
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if isinstance(kind, Integer | BigInteger):
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST_INTEGER
    longest = kind.length if isinstance(kind, String) and kind.length else _LONGEST_TEXT
    return isinstance(value, str) and len(value) <= longest and "\0" not in value and _is_unicode(value)


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can spell
        return False
    return True
