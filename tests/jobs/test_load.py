import sys
from pathlib import Path

import psutil
import pytest

from covaudit.jobs.load import measure


def test_a_gpu_is_told_by_its_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _driver(tmp_path, monkeypatch, "37, 2048, 81920, 55")
    assert measure("cuda:1") == {
        "what": "GPU", "busy": 37.0, "memory": 2 * 2**30, "memory_total": 80 * 2**30, "celsius": 55.0
    }  # fmt: skip
    assert (tmp_path / "asked").read_text().split()[0] == "--id=1"


@pytest.mark.parametrize("answer", ["[N/A], 1, 2, 3", "", "No devices were found"])
def test_a_driver_that_cannot_tell_leaves_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    _driver(tmp_path, monkeypatch, answer)
    assert measure("cuda:0")["what"] == "CPU"


def test_the_cpu_is_told_with_the_memory_of_the_machine() -> None:
    told = measure("cpu")
    assert told["memory_total"] == psutil.virtual_memory().total
    assert 0 < told["memory"] < told["memory_total"]
    assert 0 <= told["busy"] <= 100


def _driver(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text(
        f"#!{sys.executable}\nimport sys, pathlib\n"
        f"pathlib.Path({str(folder / 'asked')!r}).write_text(' '.join(sys.argv[1:]))\nprint({answer!r})\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
