import errno
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from covaudit.domain.experiment import Experiment
from covaudit.domain.run import Run, RunState
from covaudit.errors import JobFailed
from covaudit.jobs import devices
from covaudit.jobs.endings import explain, reason_of
from covaudit.store.runs import now


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "left no results"),
        (1, "exit code 1"),
        (-9, "killed, probably for lack of memory"),
        (137, "killed, probably for lack of memory"),
        (-11, "SIGSEGV"),
        (-63, "ended by"),
        (130, "lost its worker"),
        (74, "The disk is full"),
        (75, "GPU lost"),
    ],
)
def test_an_exit_code_in_words(code: int, words: str, tmp_path: Path, ask: Callable[..., Experiment]) -> None:
    run = Run(id="abc", asked=ask().canonical_json(), state=RunState.RUNNING, attempt=1, created=now())
    assert words in reason_of(run, code, tmp_path)
    (tmp_path / "reason.txt").write_text("Its own words.\n")
    assert reason_of(run, code, tmp_path) == "Its own words."


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 74, "The disk is full. Make room"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 74, "The disk is full"),
        (RuntimeError("(sqlite3.OperationalError) database or disk is full"), 74, "The disk is full"),
        (RuntimeError("CUDA error: unspecified launch failure"), 75, "GPU lost"),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), 75, "It was not moved to the CPU"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), 1, "Unexpected RuntimeError"),
        (MemoryError(), 1, "Memory ran out"),
        (JobFailed("Say it yourself."), 1, "Say it yourself."),
    ],
)
def test_an_error_in_words_and_a_code(error: Exception, code: int, words: str) -> None:
    ending = explain(error)
    assert ending.code == code and words in ending.reason


def test_gpus_are_those_that_the_driver_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices.shutil, "which", lambda name: f"/bin/{name}")

    def answer(*args: Any, **kwargs: Any) -> Any:
        return subprocess.CompletedProcess(args, 0, stdout="NVIDIA H100\nNVIDIA H100\n\n")

    monkeypatch.setattr(devices.subprocess, "run", answer)
    assert devices.nvidia_gpus() == ["NVIDIA H100", "NVIDIA H100"]

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise subprocess.CalledProcessError(9, "nvidia-smi")

    monkeypatch.setattr(devices.subprocess, "run", broken)
    assert devices.nvidia_gpus() == []


def test_a_named_device_is_taken_at_its_word() -> None:
    assert devices.resolve("cuda:3") == ("cuda:3",)
