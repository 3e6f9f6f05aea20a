import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from filelock import FileLock

from covaudit.jobs import autostart, devices
from covaudit.settings import PROJECT, Settings


@pytest.fixture
def spawned(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices that a worker was started for, without starting any."""
    started: list[str] = []
    monkeypatch.setattr(autostart, "_spawn", lambda settings, device: started.append(device))
    settings.workspace.mkdir()
    return started


def test_a_burst_of_submissions_starts_one_worker(settings: Settings, spawned: list[str]) -> None:
    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(lambda _: autostart.ensure_workers(settings), range(20)))
    assert spawned == ["cpu"]
    assert sorted(told) == [[]] * 19 + [["cpu"]]


def test_a_worker_that_holds_its_device_is_enough(settings: Settings, spawned: list[str]) -> None:
    with FileLock(autostart.lock_path(settings, "cpu")):
        assert autostart.is_running(settings, "cpu")
        autostart.ensure_workers(settings)
    assert spawned == [] and not autostart.is_running(settings, "cpu")


def test_a_worker_that_never_came_up_is_started_again(settings: Settings, spawned: list[str]) -> None:
    autostart.ensure_workers(settings)
    stamp = settings.workspace / "worker-cpu.starting"
    for age_s in (2 * autostart.BOOT_S, -3600):  # long ago, or by a clock that was set back since
        os.utime(stamp, (time.time() - age_s,) * 2)
        autostart.ensure_workers(settings)
    assert spawned == ["cpu"] * 3


def test_each_gpu_has_its_worker(settings: Settings, spawned: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "nvidia_gpus", lambda: ["one", "two"])
    devices._found.cache_clear()
    try:
        autostart.ensure_workers(replace(settings, device="auto"))
    finally:
        devices._found.cache_clear()
    assert spawned == ["cuda:0", "cuda:1"]
    assert autostart.lock_path(settings, "cuda:1").name == "worker-cuda-1.lock"


def test_a_started_worker_is_detached_and_leaves_when_idle(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.workspace.mkdir()
    monkeypatch.setattr(autostart, "IDLE_EXIT_S", 1)
    assert autostart.ensure_workers(settings) == ["cpu"]
    deadline = time.monotonic() + 30
    log = autostart.log_path(settings, "cpu")
    while "has stopped" not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    assert "is ready" in log.read_text() and "Traceback" not in log.read_text()


def test_a_second_worker_is_wrong_use(settings: Settings) -> None:
    settings.workspace.mkdir()
    with FileLock(autostart.lock_path(settings, "cpu")):
        ended = subprocess.run(
            [sys.executable, "-m", "covaudit", "worker", "--device", "cpu"],
            cwd=PROJECT, env=os.environ | settings.to_env(), capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr == "A worker of this workspace already holds cpu. One worker a device is enough.\n"
