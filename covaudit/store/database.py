"""Open the database and bring its tables up to date."""

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from covaudit.errors import CovauditError, clip
from covaudit.settings import Settings
from covaudit.store.schema import REVISION

BUSY_TIMEOUT_MS = 30_000


@dataclass(frozen=True)
class Store:
    """The database and the folder of the files that go with it. Safe to share between threads."""

    engine: Engine
    workspace: Path
    settings: Settings

    @classmethod
    def open(cls, settings: Settings) -> "Store":
        """Make what is missing, migrate what is old, refuse what is newer. Raises `CovauditError`."""
        _make_workspace(settings.workspace)
        engine = build_engine(settings.database)
        try:
            if _revision(engine) != REVISION:
                with FileLock(settings.workspace / "store.lock", timeout=60):
                    _upgrade(engine)
        except SQLAlchemyError as error:
            engine.dispose()
            raise CovauditError(_cannot_open(settings, error)) from error
        return cls(engine, settings.workspace, settings)

    def close(self) -> None:
        """Give the connections back; the store must not be used after."""
        self.engine.dispose()


def build_engine(url: str) -> Engine:
    """An engine with SQLite set for several processes: write-ahead log, patient locks, writers one by one."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: Any, record: object) -> None:
    # IMMEDIATE: a writer takes its lock with its first statement and waits there, so it never fails half-way.
    connection.isolation_level = "IMMEDIATE"
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    _switch_to_write_ahead_log(connection)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    if sqlite3.sqlite_version_info < (3, 42):
        # DBOS asks for unixepoch('subsec') by the version of Python, and an SQLite before 3.42 answers NULL.
        connection.create_function("unixepoch", -1, lambda *_: time.time())


def _switch_to_write_ahead_log(connection: Any) -> None:
    # The one statement that does not wait for busy_timeout: it fails at once while another process makes the file.
    until = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def _make_workspace(workspace: Path) -> None:
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        probe = workspace / ".write-test"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise CovauditError(
            f"The workspace {clip(workspace, 200)} cannot be written ({error.strerror}). "
            "Set COVAUDIT_WORKSPACE to a folder of yours on a local disk."
        ) from error


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return None if found is None else str(found)


def _upgrade(engine: Engine) -> None:
    found = _revision(engine)  # again: another process may have upgraded while this one waited for the lock
    if found is not None and found > REVISION:
        raise CovauditError(
            f"The database has revision {clip(found)}, newer than {REVISION} of this version of CovAudit. "
            "Update CovAudit, or set COVAUDIT_WORKSPACE to another folder."
        )
    if found != REVISION:
        from covaudit.store.migrations import upgrade

        with engine.begin() as connection:
            _take_write_lock(connection)
            upgrade(connection)


def _take_write_lock(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        # The driver begins no transaction before CREATE TABLE; without this a crash leaves half a schema.
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _cannot_open(settings: Settings, error: SQLAlchemyError) -> str:
    where = make_url(settings.database).render_as_string(hide_password=True)
    cause = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
    cure = "Check COVAUDIT_DB and COVAUDIT_WORKSPACE."
    return f"The database {clip(where, 200)} cannot be opened: {clip(cause, 200)}. {cure}"
