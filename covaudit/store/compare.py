"""Images that several runs have tested, so that the same image can be seen through each network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from covaudit.domain.run import Run
from covaudit.store import files
from covaudit.store.database import Store

if TYPE_CHECKING:
    import pandas as pd

IMAGE = ["source", "image_id"]


def shared_images(
    store: Store, runs: Sequence[Run], splits: Sequence[str] = ("internal", "external")
) -> "list[pd.DataFrame]":
    """The predictions of each run for the images that all of them have in `splits`, row for row the same image.

    Sorted by source and image. The tables are empty when no image is shared. Raises `MissingArtifact`.
    """
    tables = [files.predictions(store, run) for run in runs]
    tables = [table[table["split"].isin(list(splits))].drop_duplicates(IMAGE) for table in tables]
    shared = tables[0][IMAGE]
    for table in tables[1:]:
        shared = shared.merge(table[IMAGE], on=IMAGE)
    shared = shared.sort_values(IMAGE, kind="stable")
    return [shared.merge(table, on=IMAGE, how="left").reset_index(drop=True) for table in tables]
