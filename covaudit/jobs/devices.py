"""Which devices this machine has, found without torch: the web process and the worker must stay light."""

import platform
import shutil
import subprocess
from functools import lru_cache


def resolve(device: str) -> tuple[str, ...]:
    """The devices that `device` stands for: itself, or for auto all GPUs, else the CPU."""
    return (device,) if device != "auto" else _found()


@lru_cache(maxsize=1)
def _found() -> tuple[str, ...]:
    gpus = nvidia_gpus()
    if gpus:
        return tuple(f"cuda:{number}" for number in range(len(gpus)))
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return ("mps",)
    return ("cpu",)


def nvidia_gpus() -> list[str]:
    """The names of the NVIDIA GPUs that the driver knows; empty without a driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]
