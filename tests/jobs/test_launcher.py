import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from covaudit.jobs.launchers import Attempt, local
from covaudit.jobs.launchers.local import build_local
from covaudit.settings import Settings


def _attempt(tmp_path: Path) -> Attempt:
    return Attempt("abc", 2, tmp_path, "cuda:1", fold=3)


def test_the_process_gets_its_arguments_settings_and_log(settings: Settings, tmp_path: Path) -> None:
    say = "import os, sys; print(sys.argv[1:], os.environ['COVAUDIT_DEVICE'], os.environ['COVAUDIT_DB']); sys.exit(7)"
    launch = build_local(settings, (sys.executable, "-c", say))
    assert launch(_attempt(tmp_path), lambda: True) == 7
    assert (tmp_path / "log.txt").read_text() == f"['abc', '3', '2'] cuda:1 {settings.database}\n"


def test_a_polite_process_may_tidy_up(settings: Settings, tmp_path: Path) -> None:
    tidy = (
        "import signal, sys, time\n"
        "def leave(*_): print('tidied'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, leave); print('ready', flush=True); time.sleep(60)"
    )
    launch = build_local(settings, (sys.executable, "-c", tidy))
    log = tmp_path / "log.txt"
    begun = time.monotonic()
    assert launch(_attempt(tmp_path), lambda: not (log.exists() and "ready" in log.read_text())) is None
    assert log.read_text() == "ready\ntidied\n"
    assert time.monotonic() - begun < 4


def test_children_that_outlive_their_parent_are_ended(settings: Settings, tmp_path: Path) -> None:
    leave_child = (
        "import subprocess, sys\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True)"
    )
    launch = build_local(settings, (sys.executable, "-c", leave_child))
    assert launch(_attempt(tmp_path), lambda: True) == 0
    child = int((tmp_path / "log.txt").read_text())
    deadline = time.monotonic() + 3
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_process_ends_when_its_standard_input_does() -> None:
    wait = "from covaudit.jobs.process import end_with_parent; end_with_parent(); import time; time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", wait], stdin=subprocess.PIPE, env=os.environ | {"PYTHONPATH": "."}
    )
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=10) == 130


def test_a_flood_of_words_keeps_its_end(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "LOG_LIMIT", 100_000)
    flood = (
        "import os, time\n"
        "for n in range(40):\n"
        "    for _ in range(200): os.write(1, b'x' * 60 + b'\\n')\n"
        "    time.sleep(0.05)\n"
        "print('the last word', flush=True); time.sleep(0.6)"
    )
    assert build_local(settings, (sys.executable, "-c", flood))(_attempt(tmp_path), lambda: True) == 0
    text = (tmp_path / "log.txt").read_text()
    assert text.startswith("(the beginning was cut)\n") and text.endswith("the last word\n")
    assert len(text) < 200_000 and "\0" not in text and set(text.splitlines()[1:-1]) == {"x" * 60}
