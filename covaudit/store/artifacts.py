"""Where the files of a run are."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select

from covaudit.domain.run import GATHER, Run, RunState
from covaudit.errors import MissingArtifact
from covaudit.files import sha256_of as sha256_of
from covaudit.files import sync_folder as sync_folder
from covaudit.files import write_whole as write_whole
from covaudit.files import writing_whole as writing_whole
from covaudit.store import schema
from covaudit.store.database import Store


def run_folder(store: Store, run_id: str, attempt: int) -> Path:
    """The folder of one attempt; it may not exist yet."""
    return store.workspace / "runs" / run_id / str(attempt)


def fold_folder(store: Store, run_id: str, attempt: int, fold: int, n_folds: int) -> Path:
    """Where one job of a run writes: the attempt's folder, or a folder in it for one fold of several."""
    folder = run_folder(store, run_id, attempt)
    return folder if n_folds == 1 or fold == GATHER else folder / f"fold-{fold}"


def need(path: Path) -> Path:
    """The path itself. Raises `MissingArtifact` when nothing is there."""
    if not path.exists():
        raise MissingArtifact(
            f"The file {path.name} of run {path.parent.parent.name} is missing. Put it back, or retry the run."
        )
    return path


def missing(store: Store, found: Sequence[Run]) -> dict[str, list[str]]:
    """The files that finished runs wrote and that are gone, by run id; runs that miss none are left out."""
    done = {run.id: run.attempt for run in found if run.state is RunState.DONE}
    a = schema.artifact.c
    with store.engine.connect() as connection:
        rows = connection.execute(select(a.run_id, a.path).where(a.run_id.in_(done))).all()
    gone: dict[str, list[str]] = {}
    for run_id, path in rows:
        if not (store.workspace / path).exists():
            gone.setdefault(run_id, []).append(path.removeprefix(f"runs/{run_id}/{done[run_id]}/"))
    return gone


def hashes(store: Store, run: Run) -> list[tuple[str, str, int]]:
    """Path below the attempt's folder, SHA-256 and bytes of each file that a finished run wrote."""
    a = schema.artifact.c
    query = select(a.path, a.sha256, a.bytes).where(a.run_id == run.id, a.attempt == run.attempt).order_by(a.path)
    with store.engine.connect() as connection:
        rows = connection.execute(query).all()
    return [(row.path.removeprefix(f"runs/{run.id}/{run.attempt}/"), row.sha256, row.bytes) for row in rows]
