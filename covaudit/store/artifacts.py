"""Where the files of a run are."""

from pathlib import Path

from covaudit.errors import MissingArtifact
from covaudit.files import sha256_of as sha256_of
from covaudit.files import sync_folder as sync_folder
from covaudit.files import write_whole as write_whole
from covaudit.files import writing_whole as writing_whole
from covaudit.store.database import Store


def run_folder(store: Store, run_id: str, attempt: int) -> Path:
    """The folder of one attempt; it may not exist yet."""
    return store.workspace / "runs" / run_id / str(attempt)


def need(path: Path) -> Path:
    """The path itself. Raises `MissingArtifact` when nothing is there."""
    if not path.exists():
        raise MissingArtifact(
            f"The file {path.name} of run {path.parent.parent.name} is missing. Put it back, or retry the run."
        )
    return path
