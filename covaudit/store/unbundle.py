"""Take in a run that was exported elsewhere: all of it, or nothing. What comes is judged before anything is kept.

The hashes tell a bundle that was damaged on its way. They do not tell who made it: who can change a bundle can change
its hashes too.
"""

import json
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from pydantic import ValidationError
from sqlalchemy import Connection

from covaudit.archives import GIB, Limits, unpack
from covaudit.domain.experiment import Experiment, id_of
from covaudit.domain.run import RunState
from covaudit.errors import BadRecord, BadState, CovauditError, clip
from covaudit.store import artifacts, integrity, record, results, runs
from covaudit.store.bundle import FILES, MANIFEST, RECORD, Manifest
from covaudit.store.database import Store
from covaudit.store.record import RunRecord

LIMITS: Final = Limits(n_files=5_000, n_bytes=50 * GIB, largest=20 * GIB)
_TEXT_LIMIT = 64_000_000
_NAME = re.compile(r"(?:fold-\d{1,3}/)?[A-Za-z0-9][A-Za-z0-9_-]{0,60}\.(?:parquet|npy|safetensors|json|yaml|txt)")
_ID = re.compile(r"[0-9a-f]{12}")
_KEYS: Final = {"source", "image_id", "split", "class_name"}


def take_in(store: Store, bundle: Path) -> str:
    """Keep the run of a bundle under its own id; returns the id.

    Raises `BadState` when there is such a run already, `BadArchive` for an archive that would do harm, and `BadRecord`
    for one that holds no run, or not the run that it says.
    """
    if not bundle.is_file():
        raise BadRecord(f"There is no file {clip(bundle)}. Give the zip that 'python -m covaudit export' wrote.")
    staging = store.workspace / "runs" / f".import-{uuid4().hex[:12]}"
    try:
        unpack(bundle, staging, LIMITS)
        manifest = _read_manifest(staging)
        _check_members(staging, manifest)
        taken = _read_record(staging, manifest)
        _check_files(staging, manifest, taken)
        _keep(store, staging, manifest, taken)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest.run_id


def _read_manifest(staging: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(_small(staging / MANIFEST))
    except ValidationError as error:
        raise _no_bundle("its manifest is not one of this version") from error


def _check_members(staging: Path, manifest: Manifest) -> None:
    found = {path.relative_to(staging).as_posix() for path in staging.rglob("*") if path.is_file()} - {MANIFEST}
    listed = {member.path for member in manifest.members}
    odd = sorted(found ^ listed)
    if odd or len(listed) != len(manifest.members):
        raise _no_bundle(f"{clip(odd[0]) if odd else 'a file'} is not both in the archive and, once, in its manifest")
    for member in manifest.members:
        path = staging / member.path
        if path.stat().st_size != member.bytes or artifacts.sha256_of(path) != member.sha256:
            raise _no_bundle(f"{clip(member.path)} is not the file that was exported; it was damaged on its way")
        name = member.path.removeprefix(FILES)
        if member.path.startswith(FILES) and not _NAME.fullmatch(name):
            raise _no_bundle(f"{clip(member.path)} is no file that a run writes")


def _read_record(staging: Path, manifest: Manifest) -> RunRecord:
    try:
        taken = RunRecord.model_validate_json(_small(staging / RECORD))
        asked = str(taken.run.get("experiment"))
        Experiment.model_validate_json(asked)
    except ValidationError as error:
        raise _no_bundle("its record cannot be read by this version; update CovAudit") from error
    is_of = (taken.run_id, taken.run.get("attempt")) == (manifest.run_id, manifest.attempt)
    if not is_of or not _ID.fullmatch(taken.run_id) or id_of(asked) != taken.run_id or manifest.attempt < 1:
        raise _no_bundle("the id of its run is not that of its experiment")
    if taken.run.get("state") != RunState.DONE:
        raise _no_bundle("its run is not done")
    return taken


def _check_files(staging: Path, manifest: Manifest, taken: RunRecord) -> None:
    """Every file that the rows name is here with the same hash or left out, and can be read for what it is."""
    prefix = f"runs/{manifest.run_id}/{manifest.attempt}/"
    here = {m.path.removeprefix(FILES): m.sha256 for m in manifest.members if m.path.startswith(FILES)}
    for row in taken.tables.get("artifact", []):
        path, name = str(row.get("path")), str(row.get("path")).removeprefix(prefix)
        if path == name or not _NAME.fullmatch(name) or row.get("attempt") != manifest.attempt:
            raise _no_bundle(f"its record names a file {clip(path)}, which is not the run's")
        if (name in here and here[name] != row.get("sha256")) or (name not in here and name not in manifest.left_out):
            raise _no_bundle(f"{clip(name)} is not the file that the run wrote")
    for name in here:
        try:
            _READERS.get(Path(name).suffix, _read_nothing)(staging / FILES / name)
        except (OSError, ValueError, KeyError, EOFError, RecursionError) as error:
            raise _no_bundle(f"{clip(name)} cannot be read") from error


def _keep(store: Store, staging: Path, manifest: Manifest, taken: RunRecord) -> None:
    target = artifacts.run_folder(store, manifest.run_id, manifest.attempt)
    is_moved = False
    try:
        with store.engine.begin() as connection:
            _check_place(connection, target, manifest.run_id)
            record.put(connection, _marked(taken, manifest))
            _check_rows(connection, manifest.run_id)
            target.parent.mkdir(parents=True, exist_ok=True)
            (staging / FILES).mkdir(exist_ok=True)
            (staging / FILES).rename(target)
            is_moved = True
    except BaseException:
        if is_moved:
            shutil.rmtree(target, ignore_errors=True)
            with suppress(OSError):  # another attempt is in it
                target.parent.rmdir()
        raise


def _check_place(connection: Connection, target: Path, run_id: str) -> None:
    if runs.exists(connection, run_id):
        raise BadState(f"There is a run {run_id} here already: the same experiment. Delete it to import this one.")
    if target.exists():
        raise BadState(f"Files of an earlier run {run_id} are in the way. Remove the folder runs/{run_id}.")


def _marked(taken: RunRecord, manifest: Manifest) -> RunRecord:
    """The run as it is kept here: it holds no place in a queue, and says where it came from."""
    try:
        summary = dict(json.loads(str(taken.run.get("summary"))))
    except (ValueError, TypeError, RecursionError) as error:
        raise _no_bundle("its summary cannot be read") from error
    summary["imported"] = {"exported": manifest.exported.isoformat(), "covaudit": manifest.covaudit}
    changed = {"demo": False, "summary": results.to_json(summary)}
    jobs = [row | {"ticket": "imported"} for row in taken.tables.get("fold", [])]
    return taken.model_copy(update={"run": taken.run | changed, "tables": taken.tables | {"fold": jobs}})


def _check_rows(connection: Connection, run_id: str) -> None:
    """Each row must make the estimate, confusion matrix or finding that pages will ask for."""
    for table, build in results.BUILDERS.items():
        for row in integrity.rows_of(connection, table, run_id):
            try:
                build(row)
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise _no_bundle(f"a row of its table {table.name} makes no sense") from error


def _small(path: Path) -> bytes:
    try:
        if path.stat().st_size > _TEXT_LIMIT:
            raise _no_bundle(f"{path.name} is too large")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise _no_bundle(f"it has no {path.name}") from error


def _no_bundle(cause: str) -> CovauditError:
    return BadRecord(f"This is not a run that can be imported: {cause}. Nothing was kept.")


# -- files ------------------------------------------------------------------------------------------------------------


def _read_parquet(path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    try:
        columns = set(parquet.read_table(path).column_names)
    except pyarrow.ArrowException as error:
        raise ValueError(str(error)) from error
    if path.name in ("samples.parquet", "predictions.parquet") and not columns >= _KEYS:
        raise ValueError("columns are missing")


def _read_array(path: Path) -> None:
    import numpy as np

    np.load(path, mmap_mode="r", allow_pickle=False)


def _read_weights(path: Path) -> None:
    """The header alone: 8 bytes that say how long it is, then JSON. One that lies about its length is refused here."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, 100_000_000):
            raise ValueError("a header longer than the file")
        json.loads(file.read(length))


def _read_nothing(path: Path) -> None:
    """Text is shown as text, whatever it is."""


_READERS: Final[dict[str, Callable[[Path], None]]] = {
    ".parquet": _read_parquet, ".npy": _read_array, ".safetensors": _read_weights,
}  # fmt: skip
