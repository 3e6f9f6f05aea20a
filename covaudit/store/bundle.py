"""A run as one zip that can be read elsewhere: what was asked, what came out, its files, and the hash of each."""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict

from covaudit import INTENDED_USE, __version__
from covaudit.domain.run import Run, RunState
from covaudit.errors import BadState, CovauditError, MissingArtifact, clip
from covaudit.store import artifacts, record, results, runs
from covaudit.store.database import Store

MANIFEST: Final = "manifest.json"
RECORD: Final = "record.json"
FILES: Final = "files/"
PIXELS: Final = "pixels.npy"
WEIGHTS: Final = "weights.safetensors"

_README = """{intended_use}

Run {run_id} of CovAudit {version}: {name}

outcome.json    what was asked and what came out: experiment, estimates with intervals, confusion, findings, provenance
files/          what the run wrote: samples, predictions (Parquet), heat maps, pixels (NumPy), weights (safetensors)
record.json     the rows of the run, for 'python -m covaudit import'
manifest.json   the SHA-256 and the size of every file here

Left out: {left_out}
"""


class Member(BaseModel):
    """A file of the bundle; `path` is its name in the zip."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    sha256: str
    bytes: int


class Manifest(BaseModel):
    """What a bundle says of itself. `left_out` names files of the run that were not exported."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["covaudit-run"] = "covaudit-run"
    version: Literal[1] = 1
    intended_use: str
    covaudit: str
    run_id: str
    attempt: int
    exported: datetime
    left_out: tuple[str, ...]
    members: tuple[Member, ...]


def export(store: Store, run_id: str, target: Path | None = None, pixels: bool = True, weights: bool = True) -> Path:
    """Write a finished run to `target`, or to covaudit-<run>.zip in the working folder; returns the path.

    `pixels` False leaves out the images as the network saw them, `weights` False the trained network. Raises `BadState`
    for a run that is not done, `MissingArtifact` when a file is gone or is not what the run wrote.
    """
    run = runs.get(store, run_id)
    if run.state is not RunState.DONE:
        raise BadState(f"Run {run.id} is {run.state}. Only a run that is done can be exported.")
    target = target or Path(f"covaudit-{run.id}.zip")
    if target.exists():
        raise CovauditError(f"There is a file {clip(target)} already. Give another name.")
    building = target.with_name(f".{target.name}.{uuid4().hex[:8]}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(building, "x", allowZip64=True) as opened:
            _write(store, run, opened, {name for name, kept in ((PIXELS, pixels), (WEIGHTS, weights)) if not kept})
        building.replace(target)
    except OSError as error:
        raise CovauditError(f"The file {clip(target)} cannot be written ({error.strerror}). Give another.") from error
    finally:
        building.unlink(missing_ok=True)
    return target


def outcome(store: Store, run: Run) -> dict[str, Any]:
    """All that a run found, as plain JSON that says first what it is for."""
    shown = {"intended_use": INTENDED_USE} | results.show(store, run.id)
    shown["epochs"] = [one.model_dump(mode="json") for one in runs.epochs(store, run.id)]
    head = {"attempt": run.attempt, "device": run.device, "started": run.started, "finished": run.finished}
    plain = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in head.items()}
    return shown | plain | {"provenance": results.summary(store, run.id)}


def _write(store: Store, run: Run, opened: zipfile.ZipFile, without: set[str]) -> None:
    with store.engine.connect() as connection:
        taken = record.take(connection, run.id)
    folder = artifacts.run_folder(store, run.id, run.attempt)
    prefix = f"runs/{run.id}/{run.attempt}/"
    known = {row["path"].removeprefix(prefix): row["sha256"] for row in taken.tables["artifact"]}
    left_out = tuple(sorted(name for name in known if Path(name).name in without))
    words = _README.format(
        intended_use=INTENDED_USE,
        run_id=run.id,
        version=__version__,
        name=run.name,
        left_out=", ".join(left_out) or "–",
    )
    members = [
        _add_text(opened, "README.txt", words),
        _add_text(opened, "outcome.json", _json(results.finite(outcome(store, run)))),
        _add_text(opened, RECORD, taken.model_dump_json(indent=1)),
        *(_add_file(opened, name, folder / name, known[name]) for name in sorted(known.keys() - set(left_out))),
        *(_add_file(opened, name, folder / name, None) for name in _logs(folder)),
    ]
    manifest = Manifest(
        intended_use=INTENDED_USE, covaudit=__version__, run_id=run.id, attempt=run.attempt,
        exported=datetime.now(UTC), left_out=left_out, members=tuple(sorted(members, key=lambda one: one.path)),
    )  # fmt: skip
    _add_text(opened, MANIFEST, manifest.model_dump_json(indent=1))


def _logs(folder: Path) -> Iterator[str]:
    yield from sorted(path.relative_to(folder).as_posix() for path in folder.rglob("log.txt"))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)


def _add_text(opened: zipfile.ZipFile, name: str, text: str) -> Member:
    content = text.encode("utf-8", "replace")
    opened.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return Member(path=name, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


def _add_file(opened: zipfile.ZipFile, name: str, path: Path, expected: str | None) -> Member:
    """Stored, not packed: Parquet and weights do not shrink, and a reader refuses what unpacks to a hundredfold."""
    artifacts.need(path)
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as source, opened.open(zipfile.ZipInfo(FILES + name), "w", force_zip64=True) as member:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            size += len(chunk)
            member.write(chunk)
    if expected is not None and digest.hexdigest() != expected:
        raise MissingArtifact(f"The file {clip(name)} is not the one that the run wrote. Retry the run.")
    return Member(path=FILES + name, sha256=digest.hexdigest(), bytes=size)
