"""The files of a run as tables and arrays. pandas and NumPy are imported on first use: a list of runs needs neither."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covaudit.domain.run import Run
from covaudit.errors import MissingArtifact, UnknownName
from covaudit.store import artifacts
from covaudit.store.database import Store

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]


SANITY = "sanity.json"
"""The file that errands add to a finished run: how its methods did in the sanity gate."""


def folder(store: Store, run: Run) -> Path:
    """The folder of the run's present attempt."""
    return artifacts.run_folder(store, run.id, run.attempt)


def samples(store: Store, run: Run) -> "pd.DataFrame":
    """The images that the run used, one a row. Raises `MissingArtifact`."""
    return _parquet(folder(store, run) / "samples.parquet")


def predictions(store: Store, run: Run) -> "pd.DataFrame":
    """What the network said of each image. Raises `MissingArtifact`."""
    return _parquet(folder(store, run) / "predictions.parquet")


def pixels(store: Store, run: Run) -> "Bytes":
    """(N, H, W) uint8, memory-mapped, rows as `samples`: what the network saw. Raises `MissingArtifact`."""
    return _array(folder(store, run) / "pixels.npy")


def regions(store: Store, run: Run) -> "Bytes":
    """(N, H, W) uint8, memory-mapped, rows as `samples`: bits of `domain.regions`."""
    return _array(folder(store, run) / "regions.npy")


def heatmaps(store: Store, run: Run) -> "Bytes":
    """(M, h, w) uint8, memory-mapped, rows by `predictions.heatmap_row`. Raises `MissingArtifact`."""
    return _array(folder(store, run) / "heatmaps.npy")


def class_maps_file(view: int) -> str:
    """The name of the file with the maps of all classes of a view; 0 is the whole network."""
    return f"class_maps-{view}.npy"


def class_maps(store: Store, run: Run, view: int = 0) -> "Bytes | None":
    """(M, methods, classes, h, w) uint8, rows by `predictions.heatmap_row`; None for an older run."""
    home, name = folder(store, run), class_maps_file(view)
    if run.experiment.n_folds == 1 or (home / name).exists():
        return _optional(home / name)
    folds = [_optional(home / f"fold-{fold}" / name) for fold in range(run.experiment.n_folds)]
    known = [one for one in folds if one is not None]
    if len(known) < len(folds):
        return None
    import numpy as np

    return np.concatenate(known)  # in the order in which the folds' heat maps were pooled


def film_of(store: Store, run: Run, row: Mapping[str, Any]) -> "tuple[Path, Bytes]":
    """The folder with the network that was tested on a row of `predictions`, and the image (H, W) as it saw it."""
    fold = row.get("fold")
    home = folder(store, run)
    own = home if fold is None or fold != fold or str(fold) == "<NA>" else home / f"fold-{int(fold)}"
    return own, pixels(store, run)[int(row["sample_row"])].copy()


def test_film(store: Store, run: Run, name: str) -> "tuple[Path, Bytes]":
    """`film_of` the test image called `name`, an image id, or source/id where several sources have it.

    Raises `UnknownName`, or `MissingArtifact`.
    """
    table = predictions(store, run)
    tested = table[table["split"].isin(("internal", "external"))]
    full = tested["source"].astype(str) + "/" + tested["image_id"].astype(str)
    found = tested[(tested["image_id"].astype(str) == name) | (full == name)]
    if len(found) == 1:
        return film_of(store, run, found.iloc[0].to_dict())
    among = list(full[found.index] if len(found) else full.head(3))
    raise UnknownName("test image", name, among, "Give a file, or the id of a test image: source/id is unique.")


def sanity(store: Store, run: Run) -> dict[str, Any]:
    """What `python -m covaudit sanity` found of the run's methods; empty where nobody asked, or it cannot be read."""
    try:
        found = json.loads((folder(store, run) / SANITY).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def network_facts(store: Store, run: Run) -> dict[str, Any]:
    """The run's `network.json`. Raises `MissingArtifact`."""
    path = artifacts.need(folder(store, run) / "network.json")
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise _unreadable(path) from error
    return found


@dataclass(frozen=True)
class Shown:
    """One image of a run as a page shows it: `pixels` (H, W), `heatmap` (h, w) or None, `regions` (H, W), all uint8."""

    row: dict[str, Any]
    pixels: "Bytes"
    heatmap: "Bytes | None"
    regions: "Bytes | None"


def shown(store: Store, run: Run, rows: "pd.DataFrame") -> list[Shown]:
    """The images of some rows of `predictions`. Raises `MissingArtifact`; missing regions or maps are None."""
    seen = pixels(store, run)
    parts, maps = _optional(folder(store, run) / "regions.npy"), _optional(folder(store, run) / "heatmaps.npy")
    return [
        Shown(
            row=row,
            pixels=seen[row["sample_row"]],
            heatmap=None if maps is None or row["heatmap_row"] < 0 else maps[row["heatmap_row"]],
            regions=None if parts is None else parts[row["sample_row"]],
        )
        for row in rows.to_dict("records")
    ]


def _parquet(path: Path) -> "pd.DataFrame":
    import pandas as pd

    artifacts.need(path)
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path) from error


def _array(path: Path) -> "Bytes":
    import numpy as np

    artifacts.need(path)
    try:
        found: Bytes = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise _unreadable(path) from error
    return found


def _optional(path: Path) -> "Bytes | None":
    return _array(path) if path.exists() else None


def _unreadable(path: Path) -> MissingArtifact:
    return MissingArtifact(f"The file {path.name} of run {path.parent.parent.name} cannot be read. Retry the run.")
