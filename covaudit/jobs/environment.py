"""What a run was computed with: code, packages, machine, and the switches that decide whether it can be repeated."""

import hashlib
import os
import platform
import shutil
import subprocess
from importlib.metadata import distributions
from typing import Any

import torch

from covaudit import __version__
from covaudit.settings import PROJECT

_TIMEOUT_S = 10


def environment(device: torch.device) -> dict[str, Any]:
    """Plain JSON: versions, hashes and switches by name."""
    return {
        "covaudit": __version__,
        "code": code(),
        "python": platform.python_version(),
        "packages": packages(),
        "device": str(device),
        "machine": machine(device),
        "threads": torch.get_num_threads(),
        "determinism": determinism(),
    }


def code() -> dict[str, Any]:
    """Commit and whether files differ from it, both None outside a checkout; and a hash of the files as they are."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in ("covaudit", "models") for path in (PROJECT / folder).rglob("*.py")):
        digest.update(path.relative_to(PROJECT).as_posix().encode() + b"\0" + path.read_bytes())
    commit = _answer("git", "-C", str(PROJECT), "rev-parse", "HEAD")
    changed = None if commit is None else _answer("git", "-C", str(PROJECT), "status", "--porcelain", "-uno")
    return {"commit": commit, "is_dirty": None if changed is None else bool(changed), "sha256": digest.hexdigest()}


def packages() -> dict[str, str]:
    """Every installed package with its version."""
    found = {one.metadata["Name"]: one.version for one in distributions() if one.metadata["Name"]}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def machine(device: torch.device) -> dict[str, Any]:
    """Processor, and for a GPU its name, driver, CUDA and cuDNN."""
    plain: dict[str, Any] = {
        "platform": platform.platform(terse=True),
        "processor": _processor(),
        "vector_unit": torch.backends.cpu.get_cpu_capability(),
        "n_cpus": os.cpu_count(),
    }
    if device.type == "cuda":
        driver = _answer("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
        plain["gpu"] = torch.cuda.get_device_name(device)
        plain["driver"] = driver.splitlines()[0] if driver else None
        plain["cuda"] = torch.version.cuda
        plain["cudnn"] = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return plain


def determinism() -> dict[str, Any]:
    """The switches of torch, as they are set now."""
    return {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        "matmul_precision": torch.get_float32_matmul_precision(),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _answer(tool: str, *words: str) -> str | None:
    """What a program prints; None when it is not there or does not know."""
    place = shutil.which(tool)
    if place is None:
        return None
    try:
        done = subprocess.run([place, *words], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
