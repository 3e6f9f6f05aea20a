"""A finished run copied to an MLflow tracking server, where `MLFLOW_TRACKING_URI` is set; an optional extra.

MLflow is a mirror, never the source: nothing is read from it, and whatever goes wrong with it is a line in the log.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from covaudit import INTENDED_USE
from covaudit.domain.compare import flat_keys
from covaudit.domain.estimate import Estimate
from covaudit.domain.run import EpochRecord, Run, RunState
from covaudit.errors import clip
from covaudit.settings import PROJECT, Settings
from covaudit.store import Store, results, runs

if TYPE_CHECKING:
    from mlflow import MlflowClient

VARIABLE: Final = "MLFLOW_TRACKING_URI"
EXPERIMENT: Final = "CovAudit"
_LARGE: Final = frozenset({"pixels.npy"})
"""Files that stay: what the network saw can be made again from the sources."""

_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_\-. :/]")
_LONGEST_NAME, _LONGEST_VALUE = 250, 6000
_BATCH = 500
_TIMEOUT_S = 120


def mirror(store: Store, run_id: str, log: Callable[[str], None], environ: Mapping[str, str] = os.environ) -> None:
    """Copy a run if it is done and the environment asks for it. Nothing that fails here is raised."""
    place = environ.get(VARIABLE)
    if not place:
        return
    try:
        run = runs.get(store, run_id)
        if run.state is not RunState.DONE:
            return
        _write(store, run, place)
    except ImportError:
        log(f"{VARIABLE} is set, but MLflow is not installed: pip install 'covaudit[mlflow]'")
    except Exception as error:  # a mirror must not fail the run, whatever a server does
        cause = f"{type(error).__name__}: {_without_secrets(error, place)}"
        log(f"The copy to MLflow failed; the run is not touched: {cause}")
    else:
        log("copied to MLflow")


def copy_done(store: Store, run_id: str, log: Path) -> None:
    """What a worker does after a run: `mirror` in a process of its own, which can be slow and can be ended."""
    if not os.environ.get(VARIABLE) or runs.get(store, run_id).state is not RunState.DONE:
        return
    command = [sys.executable, "-m", "covaudit.jobs.mirror", run_id]
    with log.open("ab") as output, suppress(subprocess.SubprocessError, OSError):
        subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=PROJECT,
            env=os.environ | store.settings.to_env(), timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip


def _write(store: Store, run: Run, place: str) -> None:
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=place)
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT, _artifacts(store, place))
    estimates = results.estimates(store, run.id)
    parent = _begin(client, experiment, run, run.name, {"covaudit.state": run.state.value})
    _log_params(client, parent, dict(flat_keys(run.experiment)))
    _log_metrics(client, parent, [one for one in estimates if one.fold is None])
    _log_epochs(client, parent, run, runs.epochs(store, run.id))
    for path in sorted(results.folder(store, run).rglob("*")):
        if path.is_file() and path.name not in _LARGE:
            inside = path.parent.relative_to(results.folder(store, run)).as_posix()
            client.log_artifact(parent, str(path), None if inside == "." else inside)
    for fold in sorted({one.fold for one in estimates if one.fold is not None}):
        tags = {"mlflow.parentRunId": parent, "covaudit.fold": str(fold)}
        child = _begin(client, experiment, run, f"{run.name}, fold {fold + 1}", tags)
        _log_metrics(client, child, [one for one in estimates if one.fold == fold])
        client.set_terminated(child)
    client.set_terminated(parent, end_time=_ms(run.finished))


def _artifacts(store: Store, place: str) -> str | None:
    """Where files go: a server knows; without one MLflow would take the working folder, so the workspace has them."""
    return None if place.startswith(("http://", "https://")) else (store.workspace / "mlflow").as_uri()


def _begin(client: "MlflowClient", experiment: str, run: Run, name: str, tags: dict[str, str]) -> str:
    """A run there with the id of the run here as a tag; an earlier copy of the same attempt is deleted."""
    mine = {"covaudit.run": run.id, "covaudit.attempt": str(run.attempt), "mlflow.note.content": INTENDED_USE} | tags
    if "mlflow.parentRunId" not in tags:
        query = f"tags.`covaudit.run` = '{run.id}' and tags.`covaudit.attempt` = '{run.attempt}'"
        for old in client.search_runs([experiment], query):
            client.delete_run(old.info.run_id)
    made = client.create_run(experiment, start_time=_ms(run.started), tags=mine, run_name=name[:_LONGEST_NAME])
    return str(made.info.run_id)


def _log_params(client: "MlflowClient", run_id: str, flat: Mapping[str, str]) -> None:
    from mlflow.entities import Param

    params = [Param(metric_name(key), value[:_LONGEST_VALUE]) for key, value in flat.items()]
    for start in range(0, len(params), 100):
        client.log_batch(run_id, params=params[start : start + 100])


def _log_metrics(client: "MlflowClient", run_id: str, estimates: list[Estimate]) -> None:
    from mlflow.entities import Metric

    moment = _ms(None)
    metrics = [Metric(name, value, moment, 0) for one in estimates for name, value in _values(one)]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH])


def _log_epochs(client: "MlflowClient", run_id: str, run: Run, epochs: list[EpochRecord]) -> None:
    from mlflow.entities import Metric

    moment = _ms(run.finished)
    metrics = [
        Metric(name, value, moment, record.epoch)
        for record in epochs
        for name, value in record.model_dump(include={"train_loss", "val_loss", "val_balanced_accuracy", "lr"}).items()
        if isfinite(value)
    ]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH])


def _values(one: Estimate) -> Iterator[tuple[str, float]]:
    """The value with its interval and n, by names such as internal/auroc/source phantom-a/low."""
    narrowed = (("source", one.source), ("class", one.class_name), ("group", one.group), ("baseline", one.baseline))
    name = "/".join([one.split, one.metric, *(f"{what} {which}" for what, which in narrowed if which is not None)])
    for end, value in (("", one.value), ("/low", one.low), ("/high", one.high), ("/n", float(one.n))):
        if isfinite(value):
            yield metric_name(name + end), value


def metric_name(name: str) -> str:
    """The name with what MLflow refuses made '_', `=` among it: '/' is a folder there, '..' leads out of one."""
    plain = _NOT_ALLOWED.sub("_", name).replace("..", "_").strip("/. ")
    return plain[:_LONGEST_NAME] or "_"


def _without_secrets(error: Exception, place: str) -> str:
    """The message without a password that stands in the address of the server."""
    words, secret = str(error), urlsplit(place).password
    return clip(words.replace(secret, "***") if secret else words, 200)


def _ms(moment: datetime | None) -> int:
    return int((moment or runs.now()).timestamp() * 1000)


if __name__ == "__main__":
    mirror(Store.open(Settings.from_env()), sys.argv[1], lambda line: print(line, flush=True))
