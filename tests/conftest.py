"""What tests of several layers share: the demo, run once to its end through the queue."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

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


class PostgreSQL:
    """A server of its own on loopback, as a user who is not root, with its data in a folder that goes."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self._data, self._binaries = folder / "data", binaries
        self._user = "nobody" if os.getuid() == 0 else None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        if self._user:
            shutil.chown(folder, self._user)
        command = [binaries / "initdb", "-D", self._data, "-U", "covaudit", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(command, check=True, capture_output=True, user=self._user, cwd=folder)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [self._binaries / "postgres", "-D", self._data, "-h", "127.0.0.1", "-p", str(self.port), "-k", ""]
        self.process = subprocess.Popen(
            [*command, "-c", "fsync=off", "-c", "max_connections=200"], user=self._user, cwd=self._data,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        ready = [self._binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.monotonic() + 60
        while subprocess.run(ready, check=False).returncode:
            assert time.monotonic() < deadline, "PostgreSQL does not start"
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it at once, connections or not."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def url(self, name: str) -> str:
        return f"postgresql://covaudit@127.0.0.1:{self.port}/{name}"

    def create(self, name: str, template: str = "template1") -> str:
        """A database; returns its URL."""
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        engine.dispose()
        return self.url(name)


def postgresql_binaries() -> Path | None:
    """Where Debian, or the path, has the server's programs."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), *filter(None, [shutil.which("initdb")])]
    return Path(sorted(found, key=str)[-1]).resolve().parent if found else None


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL with a database "made" that holds all tables, to be copied. Skips where it is not installed."""
    from covaudit.jobs import engine

    binaries = postgresql_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="covaudit-pg-") as folder:
        server = PostgreSQL(Path(folder), binaries)
        try:
            with tempfile.TemporaryDirectory() as workspace:
                store = Store.open(Settings(workspace=Path(workspace), database=server.create("made"), autostart=False))
                engine.client(store).destroy()
                engine.client.cache_clear()
                store.close()
            yield server
        finally:
            server.stop()


BOTH = (
    "test_runs",
    "test_folds",
    "test_results",
    "test_sources_and_workers",
    "test_submit",
    "test_rescue",
    "test_worker",
)
"""The tests of the store and the queue that hold with SQLite and with PostgreSQL."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.split(".")[-1] in BOTH and "settings" in metafunc.fixturenames:
        other = pytest.param("postgresql", marks=pytest.mark.slow)
        metafunc.parametrize("settings", ["sqlite", other], indirect=True)


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """A workspace of its own, on the CPU, that starts nothing by itself; an SQLite file, or what a test asks for."""
    workspace = tmp_path / "workspace"
    database = default_database(workspace)
    if getattr(request, "param", "sqlite") == "postgresql":
        database = request.getfixturevalue("postgresql").create(f"test_{uuid4().hex}", "made")
    return Settings(workspace=workspace, database=database, device="cpu", autostart=False)


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
