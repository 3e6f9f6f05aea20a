"""The worker, and the doctor who looks at the machine."""

import platform
import shutil
import sqlite3
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from covaudit import __version__
from covaudit.commands.base import FAILED, AsJson, print_json, print_table
from covaudit.errors import CovauditError, clip

if TYPE_CHECKING:
    from covaudit.store import Store

_PACKAGES = (
    "torch", "torchvision", "timm", "captum", "streamlit", "pandas", "numpy", "pillow", "pydicom", "python-gdcm",
    "opencv-python-headless", "scikit-learn", "statsmodels", "sqlalchemy", "alembic", "dbos",
)  # fmt: skip
_ENOUGH_GB = 2.0


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


def worker(
    device: Annotated[str | None, typer.Option(metavar="D", help="auto, cpu, cuda:0, mps.")] = None,
    idle_exit: Annotated[float | None, typer.Option(metavar="S", help="End after S idle seconds.", min=1)] = None,
    is_alive: Annotated[
        bool, typer.Option("--is-alive", help="Only tell whether one of this host gives signs.")
    ] = False,
) -> None:
    """Carry out queued runs on one device until stopped. The app starts the workers it needs by itself."""
    if is_alive:
        _tell_of_workers()
        return
    from covaudit.jobs.worker import serve
    from covaudit.settings import Settings, check_device

    settings = Settings.from_env()
    serve(settings, check_device(device) if device else settings.device, idle_exit)


def _tell_of_workers() -> None:
    from datetime import UTC, datetime

    from covaudit.commands.base import open_store
    from covaudit.store import workers

    store = open_store()
    here = [worker for worker in workers.listing(store) if worker.host == store.settings.host]
    alive = [worker.id for worker in here if worker.is_alive(datetime.now(UTC))]
    typer.echo(", ".join(alive) or "No worker of this host gives a sign of life. Start one: python -m covaudit worker")
    if not alive:
        raise typer.Exit(FAILED)


def list_workers(as_json: AsJson = False) -> None:
    """List the workers: on which host and device, whether they live, what they do, how busy the device is."""
    from datetime import UTC, datetime

    from covaudit.commands.base import open_store
    from covaudit.store import workers

    found, moment = workers.listing(open_store()), datetime.now(UTC)
    if as_json:
        plain = [worker._asdict() | {"is_alive": worker.is_alive(moment)} for worker in found]
        print_json([{k: v.isoformat() if isinstance(v, datetime) else v for k, v in one.items()} for one in plain])
    elif found:
        rows = [(w.id, "alive" if w.is_alive(moment) else "gone", w.run_id or "-", w.load_words) for w in found]
        print_table(rows, ("WORKER", "STATE", "RUN", "DEVICE"))
    else:
        typer.echo("No worker has started yet. The app and every queued run start those that are needed.")


def doctor(as_json: AsJson = False) -> None:
    """Look at this machine. Shows what is installed, devices, database, workspace, free space."""
    checks = list(_look())
    if as_json:
        print_json({"ok": all(check.ok for check in checks), "checks": [check._asdict() for check in checks]})
    else:
        print_table([("ok" if c.ok else "PROBLEM", c.name, c.detail) for c in checks], ("", "WHAT", "FOUND"))
    if not all(check.ok for check in checks):
        raise typer.Exit(FAILED)


def _look() -> Iterator[Check]:
    yield Check("covaudit", True, __version__)
    yield Check("python", True, f"{platform.python_version()} on {platform.platform(terse=True)}")
    yield from _packages()
    yield _devices()
    yield from _places()


def _packages() -> Iterator[Check]:
    for name in _PACKAGES:
        try:
            yield Check(name, True, version(name))
        except PackageNotFoundError:
            yield Check(name, False, "not installed; run: pip install -r requirements.txt")


def _devices() -> Check:
    from covaudit.jobs.devices import nvidia_gpus, resolve

    names = nvidia_gpus()
    return Check("devices", True, ", ".join(resolve("auto")) + (f" ({', '.join(names)})" if names else ""))


def _places() -> Iterator[Check]:
    from covaudit.settings import Settings
    from covaudit.store import Store

    try:
        settings = Settings.from_env()
        store = Store.open(settings)
    except CovauditError as error:
        yield Check("settings", False, str(error))
        return
    free = shutil.disk_usage(settings.workspace).free / 1e9
    yield Check("workspace", True, clip(settings.workspace, 300))
    yield Check("free space", free >= _ENOUGH_GB, f"{free:.1f} GB" + ("" if free >= _ENOUGH_GB else "; make room"))
    yield from _database(store)


def _database(store: "Store") -> Iterator[Check]:
    from datetime import UTC, datetime

    from covaudit.store import backup, runs, sources, workers

    kind = store.engine.dialect.name
    made = f"SQLite {sqlite3.sqlite_version}" if kind == "sqlite" else kind
    yield Check("database", True, f"{made}, {runs.count(store)} runs, {len(sources.listing(store))} sources")
    kept = backup.listing(store.workspace)
    newest = f"{len(kept)}, the newest of {kept[0].made:%Y-%m-%d %H:%M} UTC" if kept else "none yet; a worker makes one"
    yield Check("backups", True, newest)
    alive = [worker.id for worker in workers.listing(store) if worker.is_alive(datetime.now(UTC))]
    yield Check("workers", True, ", ".join(alive) or "none now; one is started when a run is queued")
