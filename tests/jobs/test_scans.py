"""Scans: the whole of a source looked at in another process, watched, cancelled, and taken up again."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from covaudit.domain.experiment import Experiment
from covaudit.domain.source import Source
from covaudit.errors import BadExperiment, BadState
from covaudit.jobs import errands, scans, submit
from covaudit.store import sources


@pytest.fixture
def source(store, tmp_path):
    """40 images of two classes."""
    rng = np.random.default_rng(0)
    for label in ("NOR", "CVP"):
        (tmp_path / "own" / label).mkdir(parents=True)
        for number in range(20):
            image = Image.fromarray(rng.integers(0, 256, (64, 64), np.uint8))
            image.save(tmp_path / "own" / label / f"{number:02d}.png")
    added = Source(name="own", reader="folder", path=str(tmp_path / "own"))
    sources.add(store, added)
    return added


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch):
    monkeypatch.setattr(submit, "LOOKED_AT_ONCE", 10)
    submit.forget_indexes()


def watch(store, source):
    return errands.watch(store, scans.scan_of(source))


def until(is_so, seconds=60):
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_a_page_does_not_wait_for_many_new_images(store, source):
    index = submit.index_of(store, source)
    assert (len(index.table), index.n_pending) == (0, 40)
    plain = {"name": "x", "task": "CL2", "train": [{"source": "own", "label": name} for name in ("NOR", "CVP")]}
    with pytest.raises(BadExperiment, match="40 images of source own were not looked at yet"):
        submit.check(store, Experiment.from_plain(plain))
    scans.scan(store, source)
    submit.forget_indexes()
    assert len(submit.index_of(store, source).table) == 40
    submit.check(store, Experiment.from_plain(plain))


def test_progress_is_told_and_nothing_is_left_of_it(store, source):
    seen, heard = [], []

    def tell(done, total):
        heard.append((done, total))
        seen.append(watch(store, source))

    assert watch(store, source) is None
    scans.scan(store, source, tell)
    assert heard[-1] == (40, 40) and seen[-1] == errands.Progress(40, 40) and seen[0].total == 40
    assert watch(store, source) is None


def test_started_in_the_background(store, source):
    errands.start(store, scans.scan_of(source))
    assert watch(store, source) is not None
    until(lambda: watch(store, source) is None)
    assert submit.index_of(store, source).n_pending == 0


def test_one_scan_at_a_time(store, source):
    with FileLock(errands._file(store, scans.scan_of(source), ".lock")), pytest.raises(BadState, match="done already"):
        scans.scan(store, source)


def test_cancel_keeps_what_was_found(store, source):
    """The scan of the other process waits at its twelfth image until it is cancelled."""
    code = (
        "import sys, time; from covaudit.settings import Settings; from covaudit.store import Store, sources\n"
        "from covaudit.jobs import errands, scans\n"
        "store = Store.open(Settings.from_env())\n"
        "errands._WRITE_S = 0\n"
        "def wait(done, total):\n"
        "    if done == 12: time.sleep(60)\n"
        "try: scans.scan(store, sources.get(store, 'own'), wait)\n"
        "except KeyboardInterrupt: sys.exit(130)"
    )
    other = subprocess.Popen([sys.executable, "-c", code], env=store.settings.to_env() | {"PATH": ""})
    try:
        until(lambda: (watch(store, source) or errands.Progress(0, 0)).done == 12)
        errands.cancel(store, scans.scan_of(source))
        assert other.wait(timeout=30) == 130
    finally:
        other.kill()
    assert watch(store, source) is None
    assert submit.index_of(store, source).n_pending == 28 or submit.index_of(store, source).n_pending == 29


def test_a_scan_that_was_killed_is_not_waited_for(store, source):
    content = json.dumps({"done": 5, "total": 40, "pid": 2**22 + 1})
    errands._file(store, scans.scan_of(source), ".json").write_text(content)
    assert watch(store, source) is None
    errands.cancel(store, scans.scan_of(source))  # no such process: nothing happens
