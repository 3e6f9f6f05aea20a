"""Cancel at any moment ends within 10 s with the process group gone and the last state kept (threat J5)."""

import time
from typing import Any

import psutil
import pytest

from covaudit.domain.run import RunState
from covaudit.errors import BadState
from covaudit.jobs import submit
from covaudit.store import artifacts, runs

MOMENTS = {
    "starting": "start:sleep",
    "in a batch": "batch:sleep:6",
    "in a checkpoint, before it is whole": "checkpoint.before_fsync:sleep:2",
    "in a checkpoint, after it is whole": "checkpoint.after_rename:sleep:2",
    "in the evaluation": "evaluate:sleep",
}


def test_cancel_ends_a_deaf_process_within_10_s_wherever_it_is(lab: Any) -> None:
    lab.worker()
    slowest = 0.0
    for moment, fault in MOMENTS.items():
        run_id = lab.submit(epochs=2, epoch_s=0.1, fault=fault, deaf=True)
        lab.until(lambda run_id=run_id: runs.get(lab.store, run_id).state is RunState.RUNNING, 30)
        time.sleep(2.5 if lab.full else 2)  # it has come to its fault and sleeps there
        pids = lab.trainers()
        begun = time.monotonic()
        submit.cancel(lab.store, run_id)
        assert submit.cancel(lab.store, run_id).state in (RunState.CANCELLING, RunState.CANCELLED)
        run = lab.ended(run_id, 10)
        took = time.monotonic() - begun
        slowest = max(slowest, took)
        assert took <= 10 and run.state is RunState.CANCELLED, moment
        assert not any(psutil.pid_exists(pid) for pid in pids), moment
        with pytest.raises(BadState, match="is cancelled already"):
            submit.cancel(lab.store, run_id)
        folder = artifacts.run_folder(lab.store, run_id, 1) / "checkpoint"
        if "checkpoint" in moment:
            whole = 1 if "before" in moment else 2
            assert lab.trainer.load(folder) == lab.trainer.chain(whole), moment
        assert runs.get(lab.store, run_id) == run
    lab.survived(
        "cancel of a deaf process", len(MOMENTS), f"slowest {slowest:.1f} s, process group gone, checkpoint whole"
    )


def test_cancel_while_waiting_and_after_the_end(lab: Any) -> None:
    waiting, other = lab.submit(epochs=1), lab.submit(epochs=1)
    assert submit.cancel(lab.store, waiting).state is RunState.CANCELLED
    lab.worker()
    done = lab.ended(other)
    with pytest.raises(BadState, match="is done already"):
        submit.cancel(lab.store, other)
    assert runs.get(lab.store, other) == done and done.state is RunState.DONE
    assert runs.get(lab.store, waiting).attempt == 0
    lab.survived("cancel queued and after the end", 2, "terminal states stay")


def test_folds_are_cancelled_together_and_resumed(lab: Any) -> None:
    lab.worker()
    run_id = lab.submit(n_folds=3, epochs=6, epoch_s=0.15)
    lab.until(lambda: any(line[:2] == ["start", "1"] for line in lab.trace(run_id)), 60)
    begun = time.monotonic()
    submit.cancel(lab.store, run_id)
    assert lab.ended(run_id, 10).state is RunState.CANCELLED and time.monotonic() - begun < 10
    submit.resume(lab.store, run_id)
    assert lab.ended(run_id).state is RunState.DONE
    left = artifacts.run_folder(lab.store, run_id, 1).parent
    lab.until(lambda: not list(left.glob("**/checkpoint")), 5, "checkpoints of a run that is done")
    done = [line[1] for line in lab.trace(run_id) if line[0] == "done"]
    assert sorted(done) == ["-1", "0", "1", "2"]
    lab.survived("cancel and resume of 3 folds", 1, "each fold done once, pooled once")
