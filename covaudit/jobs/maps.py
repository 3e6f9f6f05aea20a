"""Heat maps of a run to take away: each drawn on its image, all of them as an array, and a table that says which."""

import io
import zipfile
from typing import IO, Final

import numpy as np
import pandas as pd

from covaudit import INTENDED_USE
from covaudit.domain.run import Run
from covaudit.explain.overlay import overlay, png
from covaudit.store import Store, results
from covaudit.tables import to_csv

COLUMNS: Final = (
    "source", "image_id", "patient", "split", "class_name", "predicted", "heat_target", "outside_lungs", "on_markers",
)  # fmt: skip

_README = """{intended_use}

Heat maps of run {run_id} of CovAudit: {name}

overlays/N.png   the map of image N on the image as the network saw it
heatmaps.npy     the maps, uint8 (N, s, s): 0 to 255 of the hottest place of each; all zeros: no evidence
images.csv       image N, counted from 1: what it is, what the network said, and of which class the map is
"""


def write_maps(store: Store, run: Run, rows: pd.DataFrame, target: IO[bytes], alpha: float = 0.55) -> int:
    """Write the maps of some rows of a run's predictions to a zip; how many. Raises `MissingArtifact`."""
    mapped = rows[rows["heatmap_row"] >= 0].reset_index(drop=True)
    maps = results.heatmaps(store, run)
    with zipfile.ZipFile(target, "w") as opened:
        opened.writestr("README.txt", _README.format(intended_use=INTENDED_USE, run_id=run.id, name=run.name))
        opened.writestr("images.csv", _table(mapped), zipfile.ZIP_DEFLATED)
        with opened.open("heatmaps.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array(file, np.asarray(maps[mapped["heatmap_row"].to_numpy()]))
        for number in range(len(mapped)):
            (shown,) = results.shown(store, run, mapped.iloc[[number]])
            heat = shown.heatmap if shown.heatmap is not None else np.zeros((1, 1), np.uint8)
            drawn = overlay(np.asarray(shown.pixels), np.asarray(heat), alpha)
            opened.writestr(f"overlays/{number + 1:05}.png", png(drawn))
    return len(mapped)


def _table(mapped: pd.DataFrame) -> str:
    columns = [name for name in COLUMNS if name in mapped]
    rows = [(number, *row) for number, row in enumerate(mapped[columns].itertuples(index=False), 1)]
    return to_csv(("image", *columns), rows)


def zipped(store: Store, run: Run, rows: pd.DataFrame) -> bytes:
    """`write_maps` in memory."""
    held = io.BytesIO()
    write_maps(store, run, rows, held)
    return held.getvalue()
