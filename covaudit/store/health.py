"""Whether the database file can be trusted: looked at once a process, before anything is read from it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psutil
from sqlalchemy import make_url
from sqlalchemy.engine import ExceptionContext

from covaudit.errors import CovauditError, DamagedDatabase, clip
from covaudit.settings import Settings, default_database

NETWORK_DISKS: Final = frozenset(
    {
        "nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afpfs", "afs", "ncpfs", "ceph", "lustre",
        "gpfs", "beegfs", "glusterfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone",
    }
)  # fmt: skip
"""File systems on which SQLite's locks or its shared memory do not hold."""

SMALL: Final = 16_000_000
"""Bytes up to which the indexes are compared with their tables too; the quick check alone leaves them out."""

_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# Neither has a code of its own. Our statements name what the revision has: a column that is not there was lost.
_BROKEN: Final = ("Could not decode to UTF-8", "no such column", "no such table")
_sound: set[tuple[str, int]] = set()


def sqlite_path(settings: Settings) -> Path | None:
    """The file of the database; None when it is not SQLite."""
    url = make_url(settings.database)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def check_place(settings: Settings) -> None:
    """Refuse SQLite on a network disk. Raises `CovauditError`."""
    path = sqlite_path(settings)
    kind = None if path is None else disk_of(path)
    if kind in NETWORK_DISKS:
        raise CovauditError(
            f"The database would lie on a network disk ({kind}), where SQLite loses data. Set COVAUDIT_DB to "
            "sqlite:////a/folder/on/a/local/disk/covaudit.sqlite, or to postgresql://...; the workspace may stay."
        )


def disk_of(path: Path) -> str | None:
    """The kind of file system that a path lies on, such as ext4 or nfs4; None where the system does not tell."""
    place = path.resolve()
    try:
        mounted = {Path(disk.mountpoint): disk.fstype for disk in psutil.disk_partitions(all=True)}
    except OSError:
        return None
    return next((mounted[folder] for folder in (place, *place.parents) if folder in mounted), None)


def check_file(settings: Settings) -> None:
    """Look for damage, once a process and file. Raises `DamagedDatabase`."""
    path = sqlite_path(settings)
    if path is None:
        return
    try:
        status = path.stat()
    except FileNotFoundError:
        status = None
    if status is None or status.st_size == 0:
        _check_absence(settings, path, "empty" if status else "gone")
        return
    if (str(path), status.st_ino) not in _sound:
        cause = damage(path)
        if cause is not None:
            raise DamagedDatabase(f"The database {clip(path.name)} is damaged ({clip(cause, 120)}). {cure(settings)}")
        _sound.add((str(path), status.st_ino))


def damage(path: Path) -> str | None:
    """What SQLite finds wrong with a file; None when it finds nothing."""
    check = "integrity_check" if path.stat().st_size <= SMALL else "quick_check"
    try:
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            found = connection.execute(f"PRAGMA {check}(1)").fetchone()
    except sqlite3.OperationalError as error:
        return None if error.sqlite_errorcode not in _DAMAGE else str(error)  # busy, or no permission: not damage
    except sqlite3.DatabaseError as error:
        return str(error)
    except UnicodeDecodeError:  # the driver could not even say what is wrong
        return "its schema is no text"
    return None if found == ("ok",) else str(found[0])


def _check_absence(settings: Settings, path: Path, how: str) -> None:
    """An empty workspace has no database yet; one with runs or backups has lost it."""
    from covaudit.store import backup

    own = settings.database == default_database(settings.workspace)
    has_runs = any((settings.workspace / "runs").glob("*/*"))
    if own and (has_runs or backup.listing(settings.workspace)):
        raise DamagedDatabase(
            f"The database {clip(path.name)} is {how}, but the workspace has runs or backups. {cure(settings)} "
            "To begin anew instead, set COVAUDIT_WORKSPACE to another folder."
        )


def cure(settings: Settings) -> str:
    """What to do about a damaged database: the newest backup by name, and the command."""
    from covaudit.store import backup

    if sqlite_path(settings) is None:
        return "Restore it from a backup with pg_restore."
    kept = backup.listing(settings.workspace)
    if not kept:
        return "There is no backup of it in the workspace. Put back a copy of your own if you have one."
    return (
        f"Stop the app and its workers, then restore the newest backup, of {kept[0].made:%Y-%m-%d %H:%M} UTC: "
        f"python -m covaudit restore {kept[0].path.name}"
    )


def damage_of(settings: Settings) -> Any:
    """A listener for SQLAlchemy's `handle_error` that says damage met while reading in our words."""

    def listen(context: ExceptionContext) -> Exception | None:
        code = getattr(context.original_exception, "sqlite_errorcode", None)
        is_broken = any(words in str(context.original_exception) for words in _BROKEN)
        if not is_broken and (code is None or code & 0xFF not in _DAMAGE):
            return None
        return DamagedDatabase(f"The database is damaged ({clip(context.original_exception, 120)}). {cure(settings)}")

    return listen
