from collections.abc import Callable

import pandas as pd

from covaudit.domain.experiment import Experiment
from covaudit.domain.run import Run
from covaudit.store import Store, artifacts, runs
from covaudit.store.compare import shared_images


def test_only_images_that_all_runs_tested_row_for_row(store: Store, ask: Callable[..., Experiment]) -> None:
    one = _run(store, ask(seed=1), [("a", "1", "internal"), ("a", "2", "external"), ("b", "1", "external")])
    two = _run(store, ask(seed=2), [("b", "1", "internal"), ("a", "2", "val"), ("a", "1", "external")])
    first, second = shared_images(store, [one, two])
    assert list(zip(first["source"], first["image_id"], strict=True)) == [("a", "1"), ("b", "1")]
    assert list(second["image_id"]) == ["1", "1"] and list(second["split"]) == ["external", "internal"]
    assert list(first["split"]) == ["internal", "external"]
    nothing = shared_images(store, [one, two], splits=["val"])
    assert [len(table) for table in nothing] == [0, 0]


def _run(store: Store, experiment: Experiment, rows: list[tuple[str, str, str]]) -> Run:
    with store.engine.begin() as connection:
        runs.create(connection, experiment)
    runs.claim(store, experiment.id, "cpu")
    folder = artifacts.run_folder(store, experiment.id, 1)
    folder.mkdir(parents=True)
    pd.DataFrame(rows, columns=["source", "image_id", "split"]).to_parquet(folder / "predictions.parquet")
    return runs.get(store, experiment.id)
