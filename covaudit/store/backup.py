"""Copies of the database: made while others write, kept under <workspace>/backups, put back whole."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

import psutil
from sqlalchemy import make_url

from covaudit.errors import BadState, CovauditError, clip
from covaudit.settings import Settings
from covaudit.store import health
from covaudit.store.artifacts import sync_folder

KEPT: Final = 5
"""How many automatic backups are kept; those that a person asked for, and what a restore replaced, stay."""

AUTOMATIC: Final = ("daily", "migration")
_STAMP = "%Y%m%dT%H%M%S%fZ"
_DAY_S = 24 * 3600


class Backup(NamedTuple):
    """A copy in the workspace. `why` is daily, migration, manual or replaced."""

    path: Path
    made: datetime
    why: str


def folder(workspace: Path) -> Path:
    """Where the backups of a workspace are."""
    return workspace / "backups"


def listing(workspace: Path) -> list[Backup]:
    """The backups of a workspace, the newest first."""
    found = []
    for path in folder(workspace).glob("*-*.*"):
        stamp, _, why = path.stem.partition("-")
        try:
            found.append(Backup(path, datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC), why))
        except ValueError:
            continue  # a file of somebody else, or one that is being written
    return sorted((one for one in found if one.path.suffix in (".sqlite", ".dump")), key=lambda b: b.made, reverse=True)


def back_up(settings: Settings, target: Path | None = None, why: str = "manual") -> Path:
    """Copy the database to `target`, or to a fresh file among the backups; workers and app may go on.

    Raises `CovauditError` when the target exists or cannot be written, and for PostgreSQL without pg_dump.
    """
    source = health.sqlite_path(settings)
    target = target or folder(settings.workspace) / (
        f"{datetime.now(UTC).strftime(_STAMP)}-{why}{'.dump' if source is None else '.sqlite'}"
    )
    if target.exists():
        raise CovauditError(f"There is a file {clip(target)} already. Give another name.")
    building = target.with_name(f".{target.name}.{uuid4().hex[:8]}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source is None:
            _dump_postgresql(settings, building)
        else:
            _copy_sqlite(source, building)
        _sync_file(building)
        building.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise CovauditError(f"The backup {clip(target)} cannot be written ({error.strerror}).") from error
    except sqlite3.Error as error:
        raise CovauditError(f"The database cannot be copied: {clip(error, 200)}. {health.cure(settings)}") from error
    finally:
        building.unlink(missing_ok=True)
    if why in AUTOMATIC:
        _keep_the_last(settings.workspace)
    return target


def back_up_daily(settings: Settings) -> Path | None:
    """A backup unless there is one of the last 24 hours, or nothing to copy."""
    source, now = health.sqlite_path(settings), datetime.now(UTC)
    recent = [one for one in listing(settings.workspace) if abs((now - one.made).total_seconds()) < _DAY_S]
    return None if recent or source is None or not source.exists() else back_up(settings, why="daily")


def find(settings: Settings, named: Path) -> Path:
    """The file that is meant by a path, or by the name of one of the backups. Raises `CovauditError`."""
    for path in (named, folder(settings.workspace) / named.name):
        if path.is_file():
            return path
    names = ", ".join(one.path.name for one in listing(settings.workspace)[:3]) or "none"
    raise CovauditError(f"There is no backup {clip(named)}. The newest in the workspace: {names}.")


def restore(settings: Settings, named: Path) -> Path | None:
    """Put a backup in the place of the database; returns where what it replaced is kept, None if nothing was there.

    No worker may live (`covaudit.jobs.upkeep.restore` sees to that). Raises `CovauditError`.
    """
    path = health.sqlite_path(settings)
    if path is None:
        url = make_url(settings.database).render_as_string(hide_password=True)
        raise CovauditError(
            "PostgreSQL restores its own backups. Stop the app and all workers, then run: "
            f"pg_restore --clean --if-exists --no-owner --single-transaction --dbname '{clip(url, 200)}' {clip(named)}"
        )
    source = find(settings, named)
    _check_backup(source)
    kept = None
    if path.exists() and path.stat().st_size and health.damage(path) is None:
        kept = back_up(settings, why="replaced")
        _copy_sqlite(source, path, journal_mode="WAL")  # page by page in one transaction: an open app sees it
        return kept
    if path.exists():
        _refuse_while_open(path)
        kept = folder(settings.workspace) / f"{datetime.now(UTC).strftime(_STAMP)}-replaced.sqlite"
        kept.parent.mkdir(exist_ok=True)
        for end in ("", "-wal", "-shm"):
            part = path.with_name(path.name + end)
            if part.exists():
                part.replace(kept.with_name(kept.name + end))
    building = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    _copy_sqlite(source, building)
    _sync_file(building)
    building.replace(path)
    sync_folder(path.parent)
    return kept


def _copy_sqlite(source: Path, target: Path, journal_mode: str = "DELETE") -> None:
    with closing(sqlite3.connect(source, timeout=30)) as opened, closing(sqlite3.connect(target, timeout=30)) as copy:
        opened.backup(copy)
        copy.execute(f"PRAGMA journal_mode={journal_mode}")  # DELETE: one file that can be carried about


def _sync_file(path: Path) -> None:
    # Never for a database in use: to close a file of one's own frees the locks that SQLite holds on it.
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _check_backup(path: Path) -> None:
    from covaudit.store.database import check_revision

    cause = health.damage(path)
    revision = None
    if cause is None:
        try:
            with closing(sqlite3.connect(path)) as connection:
                revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.DatabaseError:
            cause = "it is no database of CovAudit"
    if cause is not None or revision is None:
        raise CovauditError(f"The backup {clip(path.name)} cannot be used: {clip(cause or 'it is empty', 120)}.")
    check_revision(str(revision[0]))


def _refuse_while_open(path: Path) -> None:
    """A process that holds the damaged file open would go on writing to it after it was moved away."""
    target = path.resolve()
    for process in psutil.process_iter(["pid"]):
        if process.pid == os.getpid():
            continue
        try:
            is_open = any(Path(file.path) == target for file in process.open_files())
        except (psutil.Error, OSError):
            continue
        if is_open:
            raise BadState(f"Process {process.pid} has the database open. Stop the app and its workers first.")


def _dump_postgresql(settings: Settings, target: Path) -> None:
    tool, url = shutil.which("pg_dump"), make_url(settings.database)
    if tool is None:
        raise CovauditError(
            "PostgreSQL is backed up by pg_dump, which is not installed here. Install PostgreSQL's client programs, or "
            "run pg_dump --format=custom on the host of the database."
        )
    place = url.set(drivername="postgresql", password=None).render_as_string()
    secret = {"PGPASSWORD": url.password} if isinstance(url.password, str) else {}
    command = [tool, "--format=custom", f"--file={target}", f"--dbname={place}"]
    done = subprocess.run(command, env=os.environ | secret, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CovauditError(f"pg_dump failed: {clip(done.stderr.strip(), 300)}")


def _keep_the_last(workspace: Path) -> None:
    for old in [one for one in listing(workspace) if one.why in AUTOMATIC][KEPT:]:
        old.path.unlink(missing_ok=True)
