"""What keeps a workspace in order: backups, and a restore that no worker is in the way of."""

import logging
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from covaudit.errors import BadState, CovauditError
from covaudit.settings import Settings
from covaudit.store import Store, backup, health, trash, workers

log = logging.getLogger("covaudit.worker")


def begin(store: Store) -> None:
    """What a worker does before its first run: the daily backup, and old trash goes. A failure stops nothing."""
    try:
        made = backup.back_up_daily(store.settings)
        if made is not None:
            log.info("Backup of the database: %s", made.name)
        for gone in trash.empty(store, older_than=trash.KEPT):
            log.info("Run %s was deleted %d days ago and is gone for good.", gone.run_id, trash.KEPT.days)
    except (CovauditError, OSError) as error:
        log.warning("Upkeep: %s", error)


def restore(settings: Settings, named: Path) -> Path | None:
    """Put a backup in the place of the database; returns where what it replaced is kept. Raises `CovauditError`."""
    alive = living_workers(settings)
    if alive:
        raise BadState(
            f"Workers live: {', '.join(alive)}. Stop them first, for they would go on with runs of the database that "
            "is replaced."
        )
    kept = backup.restore(settings, named)
    Store.open(settings).close()  # brings an older backup up to date
    return kept


def living_workers(settings: Settings) -> list[str]:
    """Workers of this host, by the locks they hold, and of other hosts, by their signs of life."""
    found = [_device_of(settings, path) for path in sorted(settings.workspace.glob("worker-*.lock")) if _is_held(path)]
    path = health.sqlite_path(settings)
    if path is not None and not path.exists():
        return found
    try:
        store = Store.open(settings)
    except CovauditError:
        return found  # a damaged database; the locks have told what can be known
    here, moment = settings.host, datetime.now(UTC)
    elsewhere = [one.id for one in workers.listing(store) if one.is_alive(moment) and one.host != here]
    store.close()
    return found + elsewhere


def _device_of(settings: Settings, lock: Path) -> str:
    return f"{settings.host}:{lock.stem.removeprefix('worker-').removeprefix(f'{settings.host}-')}"


def _is_held(path: Path) -> bool:
    try:
        with FileLock(path).acquire(timeout=0):
            return False
    except Timeout:
        return True
