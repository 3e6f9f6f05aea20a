"""A workspace with 1,000 runs of 300 estimates: pages must not be slower for it."""

import time

import pytest

from covaudit.domain.estimate import Estimate
from covaudit.domain.presets import PRESETS
from covaudit.store import Store, results, runs

N_RUNS = 1_000
SINGLE = PRESETS["demo-single"]
ESTIMATES = [
    Estimate(split=split, metric=metric, value=0.5, low=0.4, high=0.6, n=50, method="wilson", source=f"s{number}")
    for split in ("internal", "external", "gap")
    for metric in ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "brier")
    for number in range(20)
]


def add_runs(store: Store, n: int) -> None:
    for seed in range(100, 100 + n):
        experiment = SINGLE.model_copy(update={"name": f"Run {seed}", "seed": seed})
        with store.engine.begin() as connection:
            runs.create(connection, experiment)
        attempt = runs.claim(store, experiment.id, "cpu")
        assert attempt is not None
        results.write_outcome(store, experiment.id, attempt, results.Outcome(ESTIMATES), [])


@pytest.mark.slow
def test_pages_stay_within_a_second(filled, open_page):
    """Processor time of drawing a page anew, after the first drawing has filled the caches of the process."""
    add_runs(filled, N_RUNS)
    assert runs.count(filled) == N_RUNS + 5
    took = {}
    for page, query in (("jobs", {}), ("results", {"run": SINGLE.id}), ("compare", {})):
        app = open_page(page, **query)
        begun = time.process_time()
        app.run()
        took[page] = time.process_time() - begun
        assert not app.exception
    print({page: round(seconds, 2) for page, seconds in took.items()})
    assert took["jobs"] < 1 and took["results"] < 1, took
