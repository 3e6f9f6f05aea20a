"""How a run ends when memory, disk or GPU fail, and what a person then reads (threats C4, C5, J1, J3, J4, J10)."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from covaudit.domain.run import RunState
from covaudit.jobs import submit
from covaudit.settings import PROJECT, Settings, default_database
from covaudit.store import Store, artifacts, runs

FAULTS = [
    ("killed for memory", {"fault": "batch:kill:6"}, "killed, probably for lack of memory: batch 32 -> 16?"),
    ("memory ran out", {"fault": "batch:raise-oom:6"}, "Memory ran out. Use a smaller image size or batch size"),
    ("disk full at a checkpoint", {"fault": "checkpoint.before_fsync:enospc:2"}, "The disk is full. Make room"),
    ("loss not finite", {"nan": 2}, "Training diverged"),
    ("process left without a word", {"fault": "evaluate:exit"}, "ended with exit code 3"),
]


def test_each_ending_is_told_and_the_last_whole_checkpoint_kept(lab: Any) -> None:
    lab.worker()
    ids = {name: lab.submit(epochs=3, epoch_s=0.1, **plan) for name, plan, _ in FAULTS}
    for name, _, words in FAULTS:
        run = lab.ended(ids[name])
        assert run.state is RunState.FAILED and run.reason is not None and words in run.reason, (name, run.reason)
        said = lab.trainer.load(artifacts.run_folder(lab.store, run.id, 1) / "checkpoint")
        assert said == lab.trainer.chain(3 if "without" in name else 1), name
    lab.survived("memory, disk, NaN, silent exit", len(FAULTS), "each failed in its own words, last checkpoint whole")


def test_a_lost_gpu_gets_one_more_process_and_no_cpu(lab: Any) -> None:
    lab.worker("cuda:0")
    run = lab.ended(lab.submit(epochs=3, epoch_s=0.1, fault="gpu:raise-gpu-lost:6"))
    assert run.state is RunState.FAILED and run.reason is not None and run.reason.startswith("GPU lost")
    assert (run.attempt, run.device) == (2, "cuda:0")
    starts = [line for line in lab.trace(run.id) if line[0] == "start"]
    assert len({line[3] for line in starts}) == 2, "not a fresh process"
    # The second process did what was left of six batches from the checkpoint of the first.
    assert "resumed after epoch 1" in (artifacts.run_folder(lab.store, run.id, 2) / "log.txt").read_text()
    lab.survived("GPU lost", 1, "one fresh process on the same device, then failed: GPU lost")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MB."""
    place = tmp_path / "small"
    place.mkdir()
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", place]).returncode:
        pytest.skip("a small file system can be mounted by root only")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_fails_the_run_and_loses_nothing(lab: Any, small_disk: Path) -> None:
    settings = Settings(small_disk, default_database(small_disk), device="cpu", autostart=False)
    lab.store = Store.open(settings)
    lab.worker("cpu")
    whole = lab.ended(lab.submit(epochs=2, epoch_s=0.1))
    run_id = lab.submit(epochs=6, epoch_s=0.8, bytes=1_000_000)
    folder = artifacts.run_folder(lab.store, run_id, 1) / "checkpoint"
    lab.until(lambda: lab.trainer.load(folder), 30)
    filler = small_disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 65_536)
    lab.until(lambda: not lab.trainers(), 30, "the trainer goes on")
    assert shutil.disk_usage(small_disk).free < 1_000_000 and lab.trainer.load(folder)
    filler.unlink()
    run = lab.ended(run_id)
    assert run.state is RunState.FAILED and run.reason is not None and "The disk is full" in run.reason
    submit.resume(lab.store, run_id)
    assert lab.ended(run_id).state is RunState.DONE
    assert "resumed after epoch" in (artifacts.run_folder(lab.store, run_id, 2) / "log.txt").read_text()
    assert runs.get(lab.store, whole.id) == whole
    lab.check([run_id], 6)
    lab.survived("32 MB file system filled", 1, "failed: disk full; resumed from the checkpoint once there was room")
    lab.store.close()


def test_a_file_is_synced_before_it_is_named_and_its_folder_after(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    write = "import sys; from pathlib import Path; from covaudit.files import write_whole; "
    command = [sys.executable, "-c", write + "write_whole(Path(sys.argv[1]), b'x')", str(tmp_path / "file")]
    calls = "trace=fsync,fdatasync,rename,renameat,renameat2"
    traced = ["strace", "-f", "-y", "-e", calls, "-o", str(tmp_path / "calls"), *command]
    if subprocess.run(traced, cwd=PROJECT, capture_output=True, check=False).returncode:
        pytest.skip("strace may not trace here")
    lines = [line for line in (tmp_path / "calls").read_text().splitlines() if str(tmp_path) in line]
    assert [line.split("(")[0].split()[-1].replace("renameat2", "rename") for line in lines] == [
        "fsync",
        "rename",
        "fsync",
    ]


def test_a_fault_is_only_made_in_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    from covaudit import faults

    monkeypatch.setenv("COVAUDIT_FAULT", "start:enospc:2")
    for value, n_before in (("", None), ("1", 1)):
        monkeypatch.setenv("COVAUDIT_TEST", value)
        faults._fault.cache_clear()
        faults._reached.clear()
        faults.reach("start")
        faults.reach("batch")
        if n_before is None:
            faults.reach("start")
            continue
        with pytest.raises(OSError) as caught:
            faults.reach("start")
        assert caught.value.errno == errno.ENOSPC
        faults.reach("start")
    monkeypatch.setenv("COVAUDIT_FAULT", "start:dance")
    faults._fault.cache_clear()
    with pytest.raises(ValueError, match="COVAUDIT_FAULT is 'start:dance'"):
        faults.reach("start")
    faults._fault.cache_clear()


def test_retry_from_the_start_takes_no_checkpoint(lab: Any) -> None:
    lab.worker()
    run_id = lab.submit(epochs=3, epoch_s=0.1, fault="evaluate:exit")
    lab.ended(run_id)
    submit.retry(lab.store, run_id, from_start=True)
    lab.until(lambda: runs.get(lab.store, run_id).attempt == 2 and runs.get(lab.store, run_id).state.is_finished)
    assert "resumed" not in (artifacts.run_folder(lab.store, run_id, 2) / "log.txt").read_text()
