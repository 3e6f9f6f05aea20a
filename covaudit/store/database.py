"""Open the database and bring its tables up to date."""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from covaudit.errors import CovauditError, DamagedDatabase, clip
from covaudit.faults import reach
from covaudit.settings import Settings
from covaudit.store import health
from covaudit.store.schema import REVISION

BUSY_TIMEOUT_MS = 30_000


@dataclass(frozen=True)
class Store:
    """The database and the folder of the files that go with it. Safe to share between threads."""

    engine: Engine
    workspace: Path
    settings: Settings

    @property
    def index_cache(self) -> Path:
        """The folder of what was found in the files of each source; it may be deleted at any time."""
        return self.workspace / "cache" / "index"

    @classmethod
    def open(cls, settings: Settings) -> "Store":
        """Make what is missing, migrate what is old after a backup, refuse what is newer or damaged.

        Raises `CovauditError`.
        """
        _make_workspace(settings.workspace)
        health.check_place(settings)
        health.check_file(settings)
        engine = build_engine(settings.database)
        event.listen(engine, "handle_error", health.damage_of(settings))
        try:
            if _revision(engine) != REVISION:
                with FileLock(settings.workspace / "store.lock", timeout=60):
                    _upgrade(engine, settings)
        except CovauditError:
            engine.dispose()
            raise
        except SQLAlchemyError as error:
            engine.dispose()
            raise CovauditError(_cannot_open(settings, error)) from error
        return cls(engine, settings.workspace, settings)

    def close(self) -> None:
        """Give the connections back; the store must not be used after."""
        self.engine.dispose()


def build_engine(url: str) -> Engine:
    """An engine with SQLite set for several processes: write-ahead log, patient locks, writers one by one."""
    # A server may have been restarted since a connection was last used.
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "commit", lambda connection: reach("db.commit"))
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


def _upgrade(engine: Engine, settings: Settings) -> None:
    found = _revision(engine)  # again: another process may have upgraded while this one waited for the lock
    if found == REVISION:
        return
    from covaudit.store.migrations import upgrade

    if found is not None:
        check_revision(found)
        _back_up_first(settings)
    with engine.connect() as connection, _migrating(connection), connection.begin():
        _take_write_lock(connection)
        upgrade(connection)
        _check_references(connection)


def check_revision(found: str) -> None:
    """Whether this version of CovAudit can read, or migrate, a database of a revision. Raises `CovauditError`."""
    if found in {path.name.split("_")[0] for path in (Path(__file__).parent / "migrations" / "versions").glob("*.py")}:
        return
    if found.isdigit() and found > REVISION:
        raise CovauditError(
            f"The database has revision {clip(found)}, newer than {REVISION} of this version of CovAudit. "
            "Update CovAudit, or set COVAUDIT_WORKSPACE to another folder."
        )
    raise DamagedDatabase(f"The database says that it has revision {clip(found)}, which there never was.")


def _back_up_first(settings: Settings) -> None:
    from covaudit.store import backup

    try:
        backup.back_up(settings, why="migration")
    except CovauditError as error:
        if health.sqlite_path(settings) is not None:
            raise
        # PostgreSQL migrates in one transaction, and the one who runs it has backups of their own.
        logging.getLogger(__name__).warning("No backup before the migration: %s", error)


@contextmanager
def _migrating(connection: Connection) -> Iterator[None]:
    # Where SQLite cannot alter a table it is made anew and the old one dropped, and a drop deletes by cascade all that
    # refers to its rows. The switch has no effect inside a transaction, so it is thrown before.
    if connection.dialect.name != "sqlite":
        yield
        return
    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.rollback()
    try:
        yield
    finally:
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        connection.rollback()


def _take_write_lock(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        # The driver begins no transaction before CREATE TABLE; without this a crash leaves half a schema.
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _check_references(connection: Connection) -> None:
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise DamagedDatabase("The migration would lose rows that others refer to; the database is left as it was.")


def _cannot_open(settings: Settings, error: SQLAlchemyError) -> str:
    where = make_url(settings.database).render_as_string(hide_password=True)
    cause = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
    cure = "Check COVAUDIT_DB and COVAUDIT_WORKSPACE."
    return f"The database {clip(where, 200)} cannot be opened: {clip(cause, 200)}. {cure}"
