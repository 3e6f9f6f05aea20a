"""How busy a worker's device is, told beside its signs of life."""

import shutil
import subprocess
from contextlib import suppress
from typing import Any

import psutil

_QUERY = "utilization.gpu,memory.used,memory.total,temperature.gpu"


def measure(device: str) -> dict[str, Any]:
    """Plain JSON. `busy` in percent; `memory` and `memory_total` in bytes, of the GPU where there is one; `celsius` of
    a GPU. Empty when nothing can be told."""
    return (_gpu(device) if device.startswith("cuda") else None) or _machine()


def _machine() -> dict[str, Any]:
    memory = psutil.virtual_memory()
    # Since the last call; the first answers 0.
    return {
        "what": "CPU",
        "busy": psutil.cpu_percent(),
        "memory": memory.total - memory.available,
        "memory_total": memory.total,
    }


def _gpu(device: str) -> dict[str, Any] | None:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    number = device.partition(":")[2] or "0"
    query = [tool, f"--id={number}", f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"]
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        answer = subprocess.run(query, capture_output=True, text=True, timeout=5, check=True)
        busy, used, total, celsius = (float(word) for word in answer.stdout.strip().split(","))
        mib = 2**20
        return {
            "what": "GPU", "busy": busy, "memory": int(used * mib), "memory_total": int(total * mib), "celsius": celsius
        }  # fmt: skip
    return None
