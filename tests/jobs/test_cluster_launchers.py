"""The launchers for clusters, against a real Ray on this machine and submitit's local executor."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from covaudit.errors import CovauditError
from covaudit.jobs.launchers import Attempt, Launcher
from covaudit.jobs.launchers.choose import choose
from covaudit.jobs.launchers.ray import build_ray
from covaudit.jobs.launchers.remote import LOST
from covaudit.jobs.launchers.slurm import build_slurm, parse_options
from covaudit.settings import Settings

SAY = "import os, sys; print(sys.argv[1:], os.environ['COVAUDIT_DEVICE'], os.environ['COVAUDIT_DB']); sys.exit(7)"
STAY = "import os, time; print(os.getpid(), flush=True); time.sleep(120)"


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    folder = tmp_path / "it's an attempt"
    folder.mkdir()
    return Attempt(f"run{time.time_ns():x}", 2, folder, "cpu")


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Ray cluster of this machine alone."""
    pytest.importorskip("ray")
    ray = Path(sys.executable).with_name("ray")
    environ = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": str(tmp_path_factory.mktemp("ray"))}
    start = [str(ray), "start", "--head", "--port=0", "--dashboard-host=127.0.0.1", "--dashboard-port=8299"]
    start += ["--node-ip-address=127.0.0.1", "--num-cpus=2", "--disable-usage-stats", "--object-store-memory=80000000"]
    subprocess.run(start, env=environ, check=True, capture_output=True, timeout=120)
    yield "http://127.0.0.1:8299"
    subprocess.run([str(ray), "stop", "--force"], env=environ, check=False, capture_output=True, timeout=60)


def _ends(launch: Launcher, attempt: Attempt) -> None:
    assert launch(attempt, lambda: True) == 7
    said = (attempt.folder / "log.txt").read_text().splitlines()
    assert said[-1].startswith(f"['{attempt.run_id}', '0', '2'] cpu sqlite:///")


def _is_stopped(launch: Launcher, attempt: Attempt, check: bool = True) -> None:
    log = attempt.folder / "log.txt"
    begun: list[float] = []

    def is_wanted() -> bool:
        if log.exists() and log.read_text().strip() and not begun:
            begun.append(time.monotonic())
        return not begun

    assert launch(attempt, is_wanted) is None
    assert time.monotonic() - begun[0] < 10
    assert not (check and _lives(int(log.read_text())))


def _is_killed(launch: Launcher, attempt: Attempt) -> None:
    log = attempt.folder / "log.txt"

    def kill() -> None:
        while not (log.exists() and log.read_text().strip()):
            time.sleep(0.1)
        psutil.Process(int(log.read_text())).kill()

    threading.Thread(target=kill, daemon=True).start()
    assert launch(attempt, lambda: True) in (LOST, -9)


def _lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_ray_carries_out_stops_and_tells_of_a_killed_process(
    settings: Settings, attempt: Attempt, dashboard: str
) -> None:
    _ends(build_ray(settings, dashboard, python(SAY)), attempt)
    _is_stopped(build_ray(settings, dashboard, python(STAY)), _other(attempt, "stop"))
    _is_killed(build_ray(settings, dashboard, python(STAY)), _other(attempt, "kill"))


@pytest.mark.slow
def test_a_worker_that_comes_back_finds_its_ray_job(settings: Settings, attempt: Attempt, dashboard: str) -> None:
    code = "import time; print('started', flush=True); time.sleep(4); print('ended')"
    died: list[float] = []

    def worker_dies() -> bool:
        log = attempt.folder / "log.txt"
        if log.exists() and "started" in log.read_text():
            died.append(1)
            raise SystemExit
        return True

    with pytest.raises(SystemExit):
        build_ray(settings, dashboard, python(code))(attempt, worker_dies)
    assert died
    assert build_ray(settings, dashboard, python(code))(attempt, lambda: True) == 0
    assert (attempt.folder / "log.txt").read_text() == "started\nended\n"


@pytest.mark.slow
def test_submitit_carries_out_stops_and_tells_of_a_killed_process(settings: Settings, attempt: Attempt) -> None:
    pytest.importorskip("submitit")
    _ends(build_slurm(settings, "timeout_min=5", python(SAY), cluster="local"), attempt)
    stopped = _other(attempt, "stop")
    _is_stopped(build_slurm(settings, "", python(STAY), cluster="local"), stopped, check=False)
    # The local executor ends its controller only, where Slurm ends all that a job has started.
    psutil.Process(int((stopped.folder / "log.txt").read_text())).kill()
    _is_killed(build_slurm(settings, "", python(STAY), cluster="local"), _other(attempt, "kill"))


def _other(attempt: Attempt, name: str) -> Attempt:
    folder = attempt.folder.with_name(name)
    folder.mkdir()
    return attempt._replace(run_id=attempt.run_id + name, folder=folder)


def test_no_cluster_is_said_in_a_sentence(settings: Settings) -> None:
    pytest.importorskip("ray")
    with pytest.raises(CovauditError, match=r"No Ray cluster answers at http://127\.0\.0\.1:1\b.*COVAUDIT_LAUNCHER"):
        build_ray(settings, "http://127.0.0.1:1")
    pytest.importorskip("submitit")
    with pytest.raises(CovauditError, match="no sbatch"):
        build_slurm(settings)


def test_slurm_options_are_read_or_refused() -> None:
    expected = {"slurm_partition": "gpu", "timeout_min": 720}
    assert parse_options("partition=gpu,timeout_min=720") == expected
    for wrong in ("partition", "nodes=2", "timeout_min=soon", "partition="):
        with pytest.raises(CovauditError, match="Allowed: timeout_min, cpus_per_task, mem_gb, partition"):
            parse_options(wrong)


def test_the_setting_chooses_the_launcher(settings: Settings) -> None:
    assert callable(choose(settings))
    with pytest.raises(CovauditError, match=r"COVAUDIT_LAUNCHER is 'cloud'\. Allowed: local, ray"):
        Settings.from_env({"COVAUDIT_LAUNCHER": "cloud"})
    assert Settings.from_env({"COVAUDIT_LAUNCHER": "ray:http://head:8265"}).launcher == "ray:http://head:8265"
