"""Where the checkpoints of a fold lie, and whether there is room for them."""

import shutil
from pathlib import Path

from torch import nn

from covaudit.errors import JobFailed
from covaudit.jobs.process import CHECKPOINTS
from covaudit.store import artifacts, runs
from covaudit.store.database import Store
from covaudit.training.checkpoint import Checkpoint

_COPIES = 4
"""Of the weights in a checkpoint: the present ones, the best ones, and two moments of the optimiser."""
_SPARE_BYTES = 200_000_000


class Own:
    """The checkpoints of one attempt at a fold, and the last one that an attempt before it left."""

    def __init__(self, store: Store, run_id: str, attempt: int, fold: int, n_folds: int) -> None:
        self._folder = artifacts.fold_folder(store, run_id, attempt, fold, n_folds) / CHECKPOINTS
        numbers = range(attempt - 1, runs.base(store, run_id), -1)
        self._earlier = [artifacts.fold_folder(store, run_id, one, fold, n_folds) / CHECKPOINTS for one in numbers]
        self.n_saved = 0

    def last_of_earlier(self) -> Checkpoint | None:
        """The last whole checkpoint of the latest attempt that has one, since the run was last begun anew."""
        return next((found for found in map(Checkpoint.load, self._earlier) if found is not None), None)

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep where the training stands."""
        checkpoint.save(self._folder)
        self.n_saved += 1


def require_space(workspace: Path, network: nn.Module) -> None:
    """Raises `JobFailed` when the disk has no room for three checkpoints and 200 MB of results."""
    size = _COPIES * sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    needed, free = 3 * size + _SPARE_BYTES, shutil.disk_usage(workspace).free
    if free < needed:
        raise JobFailed(
            f"The disk of the workspace is nearly full: {free / 1e6:,.0f} MB are free and this run needs "
            f"{needed / 1e6:,.0f} MB. Make room, then resume the run."
        )
