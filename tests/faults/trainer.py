"""A training process that trains nothing: it lives, reports, checkpoints, resumes and ends as a real one does.

What it does is JSON in the notes of the experiment: `epochs`, `epoch_s`, `bytes` of a checkpoint, `deaf` to SIGTERM and
`fault`, a COVAUDIT_FAULT of its own. Each epoch hashes the one before, so that a training which was resumed can be told
from one that was not, and every start and end is a line in `<run>/trace.txt`.
"""

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from covaudit.domain.run import GATHER, EpochRecord
from covaudit.errors import JobFailed
from covaudit.faults import reach
from covaudit.files import write_whole
from covaudit.jobs.process import CHECKPOINTS, Reporter, carry_out
from covaudit.store import Store, artifacts, results, runs
from covaudit.store.patience import patiently


def chain(epochs: int) -> list[str]:
    """What each epoch of a training that was never interrupted says."""
    said = ["begin"]
    for _ in range(epochs):
        said.append(hashlib.sha256(said[-1].encode()).hexdigest())
    return said[1:]


def load(folder: Path) -> list[str]:
    """The epochs of the last whole checkpoint of a folder."""
    for path in sorted(folder.glob("*.json"), reverse=True):
        plain = json.loads(path.read_text())
        if plain["sha256"] == hashlib.sha256("".join(plain["said"]).encode()).hexdigest():
            return list(plain["said"])
    return []


def train(store: Store, run_id: str, fold: int, attempt: int, device: str) -> None:
    experiment = runs.get(store, run_id).experiment
    plan = json.loads(experiment.notes or "{}")
    folder = artifacts.fold_folder(store, run_id, attempt, fold, experiment.n_folds)
    (folder / "pid").write_text(str(os.getpid()))
    trace = store.workspace / "runs" / run_id / "trace.txt"
    _note(trace, f"start {fold} {attempt}")
    reporter = Reporter(store, run_id, attempt, fold)
    if fold == GATHER:
        results.write_outcome(store, run_id, attempt, results.Outcome(summary={"folds": experiment.n_folds}), [])
        _note(trace, f"done {fold} {attempt}")
        return
    said = _resume(store, run_id, fold, attempt, experiment.n_folds)
    progress, n = reporter.stage("training"), plan.get("epochs", 3)
    for number in range(1, n + 1):
        if number > len(said):
            for step in range(4):
                time.sleep(plan.get("epoch_s", 0.2) / 4)
                reach("gpu")
                if plan.get("nan") == number:
                    raise JobFailed("Training diverged: the loss was not a finite number.")
                progress(4 * (number - 1) + step + 1, 4 * n)
            said.append(chain(number)[-1])
            _save(folder / CHECKPOINTS / f"{number:04d}.json", said, plan.get("bytes", 0))
        record = EpochRecord(epoch=number, train_loss=number, val_loss=1, val_balanced_accuracy=0.5, lr=1, seconds=1)
        patiently(lambda record=record: runs.add_epoch(store, run_id, attempt, record, fold))
    reach("evaluate")
    outcome = results.Outcome(summary={"said": said})
    if experiment.n_folds > 1:
        patiently(lambda: results.write_fold(store, run_id, attempt, fold))
    else:
        patiently(lambda: results.write_outcome(store, run_id, attempt, outcome, []))
    _note(trace, f"done {fold} {attempt}")


def _resume(store: Store, run_id: str, fold: int, attempt: int, n_folds: int) -> list[str]:
    for number in range(attempt - 1, runs.base(store, run_id), -1):
        said = load(artifacts.fold_folder(store, run_id, number, fold, n_folds) / CHECKPOINTS)
        if said:
            print("resumed after epoch", len(said), flush=True)
            return said
    return []


def _save(path: Path, said: list[str], n_bytes: int) -> None:
    plain = {"said": said, "sha256": hashlib.sha256("".join(said).encode()).hexdigest(), "ballast": "x" * n_bytes}
    write_whole(path, json.dumps(plain).encode())


def _note(trace: Path, words: str) -> None:
    with trace.open("a") as file:
        file.write(f"{words} {os.getpid()}\n")


def _prepare() -> None:
    """What must be so before the process begins its life: its fault, and its ears."""
    from covaudit.settings import Settings

    store = patiently(lambda: Store.open(Settings.from_env()))
    plan = json.loads(runs.get(store, sys.argv[1]).experiment.notes or "{}")
    store.close()
    os.environ["COVAUDIT_FAULT"] = plan.get("fault", "")
    if plan.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


if __name__ == "__main__":
    _prepare()
    sys.exit(carry_out(train, sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
