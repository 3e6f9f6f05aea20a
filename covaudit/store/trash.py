"""Runs that were deleted: their rows and files, kept for 30 days.

<workspace>/trash/<run>-<when>/ holds `record.json` and, moved there whole, the run's folder as `files`.
"""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError

from covaudit.domain.run import name_of
from covaudit.errors import BadState, CovauditError, MissingArtifact, UnknownName
from covaudit.store import record, runs
from covaudit.store.artifacts import write_whole
from covaudit.store.database import Store
from covaudit.store.record import RunRecord

KEPT: Final = timedelta(days=30)
_STAMP = "%Y%m%dT%H%M%S%fZ"


class Trashed(NamedTuple):
    """A deleted run. `name` is that of its folder in the trash; `n_bytes` is the size of its files."""

    name: str
    run_id: str
    title: str
    state: str
    deleted: datetime
    n_bytes: int

    @property
    def until(self) -> datetime:
        """When it goes for good."""
        return self.deleted + KEPT


def throw(store: Store, run_id: str) -> Path:
    """Move a finished run to the trash; returns its folder there. Raises `BadState` for one that is not finished."""
    place = folder(store) / f"{run_id}-{datetime.now(UTC).strftime(_STAMP)}"
    try:
        with store.engine.begin() as connection:
            taken = record.take(connection, run_id)
            write_whole(place / "record.json", taken.model_dump_json().encode())
            if not runs.delete(connection, run_id):
                state = taken.run["state"]
                raise BadState(f"Run {run_id} is {state}. Only a finished run can be removed; cancel it first.")
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    files = _run_files(store, run_id)
    if files.exists():
        files.rename(place / "files")
    return place


def listing(store: Store) -> list[Trashed]:
    """What is in the trash, the last deleted first; a folder that cannot be read is left out."""
    found = [_look(path) for path in folder(store).glob("*-*")]
    return sorted((one for one in found if one is not None), key=lambda one: one.deleted, reverse=True)


def restore(store: Store, named: str) -> str:
    """Bring a run back, by its id, the beginning of it, or the name in the trash; returns its id.

    Raises `UnknownName`, and `BadState` when there is a run of that id again.
    """
    matching = [one for one in listing(store) if len(named) >= 4 and one.name.startswith(named)]
    if not matching or len({one.run_id for one in matching}) > 1:
        raise UnknownName("run in the trash", named, [one.name for one in listing(store)[:5]])
    chosen = matching[0]
    place, files = folder(store) / chosen.name, _run_files(store, chosen.run_id)
    taken = _read(place)
    with store.engine.begin() as connection:
        if runs.exists(connection, chosen.run_id):
            raise BadState(f"There is a run {chosen.run_id} again. Delete that one first, or leave this in the trash.")
        record.put(connection, taken)
        if (place / "files").exists():
            _bring_back(place / "files", files)
    shutil.rmtree(place)
    return chosen.run_id


def empty(store: Store, older_than: timedelta = timedelta(0)) -> list[Trashed]:
    """Delete for good what was deleted longer ago than that; returns what went."""
    until = datetime.now(UTC) - older_than
    gone = [one for one in listing(store) if one.deleted <= until]
    for one in gone:
        shutil.rmtree(folder(store) / one.name)
    return gone


def folder(store: Store) -> Path:
    """Where the trash of a workspace is."""
    return store.workspace / "trash"


def _run_files(store: Store, run_id: str) -> Path:
    return store.workspace / "runs" / run_id


def _bring_back(files: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        files.rename(target)
        return
    for attempt in files.iterdir():  # the id was used again meanwhile and left something
        if not (target / attempt.name).exists():
            attempt.rename(target / attempt.name)


def _look(place: Path) -> Trashed | None:
    run_id, _, stamp = place.name.partition("-")
    try:
        taken = _read(place)
        deleted = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
        title = name_of(str(taken.run.get("experiment")))
    except (CovauditError, ValueError):
        return None
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    return Trashed(place.name, run_id, title, str(taken.run.get("state")), deleted, size)


def _read(place: Path) -> RunRecord:
    try:
        return RunRecord.model_validate_json((place / "record.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise MissingArtifact(f"The record of {place.name} in the trash cannot be read.") from error
