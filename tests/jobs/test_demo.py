"""The demo queues itself once in an empty workspace, and never again after it was removed."""

from pathlib import Path

import pytest

from covaudit.domain.presets import DEMO, PRESETS
from covaudit.domain.run import RunState
from covaudit.jobs import autostart, demo, submit
from covaudit.settings import Settings, default_database
from covaudit.store import Store, runs


def store_of(workspace: Path, autostarts: bool) -> Store:
    return Store.open(
        Settings(workspace=workspace, database=default_database(workspace), device="cpu", autostart=autostarts)
    )


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Workers that would have been started; none is."""
    found: list[str] = []
    monkeypatch.setattr(autostart, "ensure_workers", lambda settings: found.append(settings.device))
    return found


def test_an_empty_workspace_gets_workers_and_both_demo_runs_once(tmp_path: Path, started: list[str]) -> None:
    store = store_of(tmp_path, autostarts=True)
    demo.start_up(store)
    demo.start_up(store)
    assert started
    found = runs.listing(store)
    assert {run.id for run in found} == {PRESETS[name].id for name in DEMO}
    assert all(run.demo and run.state is RunState.QUEUED for run in found)


def test_nothing_starts_by_itself_when_the_settings_forbid_it(tmp_path: Path, started: list[str]) -> None:
    store = store_of(tmp_path, autostarts=False)
    demo.start_up(store)
    assert (started, runs.listing(store)) == ([], [])


def test_a_removed_demo_stays_away_until_a_person_asks_for_it(tmp_path: Path, started: list[str]) -> None:
    store = store_of(tmp_path, autostarts=True)
    demo.start_up(store)
    assert demo.remove(store, runs.listing(store)) == []
    demo.start_up(store)
    assert runs.listing(store) == []
    demo.queue(store)
    assert len(runs.listing(store)) == 2


def test_a_workspace_with_a_run_of_ones_own_gets_no_demo(tmp_path: Path, started: list[str]) -> None:
    store = store_of(tmp_path, autostarts=True)
    submit.submit(store, PRESETS["demo-single"].model_copy(update={"name": "mine", "seed": 9}))
    demo.start_up(store)
    assert [run.name for run in runs.listing(store)] == ["mine"]
