"""Where things live and what they run on, from the environment; see the README for the table of variables."""

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from covaudit.errors import CovauditError, clip

PROJECT = Path(__file__).resolve().parent.parent
"""The folder of app.py; processes that the app starts have it as their working directory."""

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,100}")
_LAUNCHERS = ("local", "ray", "slurm")
_DATABASES = ("sqlite:///", "postgresql://", "postgresql+psycopg://")


@dataclass(frozen=True)
class Settings:
    """One place for all that the environment decides.

    `database` is an SQLAlchemy URL. `device` is auto, cpu, mps, or cuda:<number>. `roots` are the folders that sources
    may live in; empty means anywhere that the user can read. `autostart` False: the app starts no worker. `launcher` is
    how a worker starts the process of a run: local, ray or slurm, with options after a colon. `weights` is a folder of
    ImageNet weights for machines without internet. `host` is this machine's name among the workers: it must stay what
    it is, for a worker takes up again what the one before it of the same host and device held.
    """

    workspace: Path
    database: str
    device: str = "auto"
    roots: tuple[Path, ...] = ()
    autostart: bool = True
    launcher: str = "local"
    weights: Path | None = None
    host: str = field(default_factory=socket.gethostname)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the COVAUDIT_ variables. Raises `CovauditError` for a value that is not allowed."""
        workspace = Path(environ.get("COVAUDIT_WORKSPACE") or PROJECT / "workspace").expanduser().resolve()
        roots = (environ.get("COVAUDIT_ROOTS") or "").split(os.pathsep)
        return cls(
            workspace=workspace,
            database=_database(environ.get("COVAUDIT_DB") or default_database(workspace)),
            device=check_device(environ.get("COVAUDIT_DEVICE") or "auto"),
            roots=tuple(Path(root).expanduser().resolve() for root in roots if root),
            autostart=_switch("COVAUDIT_AUTOSTART", environ.get("COVAUDIT_AUTOSTART") or "1"),
            launcher=_launcher(environ.get("COVAUDIT_LAUNCHER") or "local"),
            weights=_folder(environ.get("COVAUDIT_WEIGHTS")),
            host=_host(environ.get("COVAUDIT_HOST") or socket.gethostname()),
        )

    def to_env(self) -> dict[str, str]:
        """The same settings as variables, for a process that is started."""
        return {
            "COVAUDIT_WORKSPACE": str(self.workspace),
            "COVAUDIT_DB": self.database,
            "COVAUDIT_DEVICE": self.device,
            "COVAUDIT_ROOTS": os.pathsep.join(str(root) for root in self.roots),
            "COVAUDIT_AUTOSTART": "1" if self.autostart else "0",
            "COVAUDIT_LAUNCHER": self.launcher,
            "COVAUDIT_WEIGHTS": str(self.weights or ""),
            "COVAUDIT_HOST": self.host,
        }


def default_database(workspace: Path) -> str:
    """The SQLite file inside a workspace, as an SQLAlchemy URL."""
    return f"sqlite:///{workspace / 'covaudit.sqlite'}"


def check_device(device: str) -> str:
    """The device, with cuda made cuda:0. Raises `CovauditError` when it is none that torch could know."""
    if not _DEVICE.fullmatch(device):
        raise CovauditError(f"Unknown device '{clip(device)}'. Allowed: auto, cpu, cuda:0 (or another number), mps.")
    return "cuda:0" if device == "cuda" else device


def _database(url: str) -> str:
    if not url.startswith(_DATABASES):
        kind = clip(url.split("://")[0], 20)
        raise CovauditError(
            f"COVAUDIT_DB begins with '{kind}'. Allowed: sqlite:///FILE or postgresql://USER@HOST/NAME. "
            "Leave it out to use a file in the workspace."
        )
    return url


def _host(name: str) -> str:
    if not _HOST.fullmatch(name):
        raise CovauditError(f"COVAUDIT_HOST is '{clip(name)}'. Allowed: up to 100 letters, digits, dots, - and _.")
    return name


def _launcher(value: str) -> str:
    name, _, options = value.partition(":")
    if name not in _LAUNCHERS or (name == "local" and options):
        raise CovauditError(
            f"COVAUDIT_LAUNCHER is '{clip(value)}'. Allowed: local, ray, ray:http://HOST:8265, slurm, or "
            "slurm:partition=NAME,timeout_min=720."
        )
    return value


def _folder(value: str | None) -> Path | None:
    return Path(value).expanduser().resolve() if value else None


def _switch(name: str, value: str) -> bool:
    if value.lower() not in ("0", "1", "false", "true", "no", "yes"):
        raise CovauditError(f"{name} is '{clip(value)}'. Allowed: 0 or 1.")
    return value.lower() in ("1", "true", "yes")
