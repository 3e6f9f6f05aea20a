"""What tests of several layers share: the demo, run once to its end through the queue."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from covaudit.domain.experiment import Experiment
from covaudit.settings import Settings, default_database
from covaudit.store import Store, workers

PROJECT = Path(__file__).parents[1]


class Demo(NamedTuple):
    """The workspace that a demo leaves and what `demo --json` printed."""

    workspace: Path
    printed: dict[str, Any]


def run_demo(workspace: Path, seed: int) -> Demo:
    command = [sys.executable, "-m", "covaudit", "demo", "--json", "--workspace", str(workspace), "--seed", str(seed)]
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=600, check=False)
    finally:
        stop_workers(workspace)
    assert done.returncode == 0, done.stderr
    return Demo(workspace, json.loads(done.stdout))


def stop_workers(workspace: Path) -> None:
    """End the workers that a command started, rather than leave them to their fifteen idle minutes."""
    store = Store.open(Settings.from_env(os.environ | {"COVAUDIT_WORKSPACE": str(workspace)}))
    for worker in workers.listing(store):
        with suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGTERM)
    store.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo as a newcomer gets it."""
    return run_demo(tmp_path_factory.mktemp("demo"), seed=0)


@pytest.fixture(scope="session")
def demo_of(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Demo]:
    """The demo with another seed: other patients, other first weights."""

    def of(seed: int) -> Demo:
        return demo if seed == 0 else run_demo(tmp_path_factory.mktemp(f"demo{seed}"), seed)

    return of


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A workspace of its own, on the CPU, that starts nothing by itself."""
    workspace = tmp_path / "workspace"
    return Settings(workspace=workspace, database=default_database(workspace), device="cpu", autostart=False)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def ask() -> Callable[..., Experiment]:
    """A small experiment on phantoms that nothing is wrong with; keywords change it."""

    def build(**changes: Any) -> Experiment:
        plain: dict[str, Any] = {"name": "small", "task": "CL2", "seed": 0}
        plain["train"] = [{"source": "phantom-a", "label": "NOR"}, {"source": "phantom-b", "label": "CVP"}]
        return Experiment.from_plain(plain | changes)

    return build


@pytest.fixture
def quiet_environment(tmp_path: Path) -> dict[str, str]:
    """An environment whose workspace is empty and whose app starts nothing by itself."""
    return os.environ | {"COVAUDIT_WORKSPACE": str(tmp_path), "COVAUDIT_AUTOSTART": "0"}
