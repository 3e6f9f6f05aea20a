"""A job of Slurm, by submitit. Needs the extra `slurm`: pip install 'covaudit[slurm]'.

The queue stays here, and a worker's job waits in Slurm's own queue when the partition is full. submitit writes the job
as a pickle beside the log and Slurm's node reads it back: the workspace must be writable by its owner alone.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covaudit.errors import CovauditError, clip
from covaudit.jobs.launchers import Attempt, Launcher
from covaudit.jobs.launchers.local import EXECUTE
from covaudit.jobs.launchers.remote import follow, shell_line
from covaudit.settings import Settings
from covaudit.store.artifacts import write_whole

if TYPE_CHECKING:
    import submitit

_NUMBERS = ("timeout_min", "cpus_per_task", "mem_gb")
_WORDS = ("slurm_partition", "slurm_account", "slurm_qos", "slurm_constraint")
DEFAULTS: Mapping[str, Any] = {"timeout_min": 24 * 60, "cpus_per_task": 4}


def build_slurm(
    settings: Settings, options: str = "", command: Sequence[str] = EXECUTE, cluster: str | None = None
) -> Launcher:
    """A launcher with options such as `partition=gpu,timeout_min=720`; `cluster` "local" runs jobs on this machine.

    Raises `CovauditError` for an option that is not known, or where there is no Slurm.
    """
    try:
        import submitit
    except ImportError as error:
        raise CovauditError("The slurm launcher needs the package submitit: pip install 'submitit>=1.5'.") from error
    parameters = {**DEFAULTS, **parse_options(options)}
    try:
        submitit.AutoExecutor(folder=settings.workspace, cluster=cluster or "slurm")
    except RuntimeError as error:
        raise CovauditError("There is no Slurm here (no sbatch). Run the worker where jobs are submitted.") from error
    return _Slurm(settings, parameters, tuple(command), cluster or "slurm")


def parse_options(options: str) -> dict[str, Any]:
    """`partition=gpu,timeout_min=720` as submitit's parameters. Raises `CovauditError` for one that is not known."""
    found: dict[str, Any] = {}
    for option in filter(None, options.split(",")):
        name, _, value = option.partition("=")
        key = name if name in _NUMBERS else f"slurm_{name}"
        if key not in (*_NUMBERS, *_WORDS) or not value or (key in _NUMBERS and not value.isdecimal()):
            allowed = ", ".join((*_NUMBERS, *(word.removeprefix("slurm_") for word in _WORDS)))
            raise CovauditError(
                f"COVAUDIT_LAUNCHER has the option '{clip(option)}'. Allowed: {allowed}, each as NAME=VALUE."
            )
        found[key] = int(value) if key in _NUMBERS else value
    return found


class _Slurm:
    def __init__(self, settings: Settings, parameters: Mapping[str, Any], command: Sequence[str], cluster: str) -> None:
        self._settings, self._parameters, self._command, self._cluster = settings, parameters, command, cluster

    def __call__(self, attempt: Attempt, is_wanted: Callable[[], bool]) -> int | None:
        job = self._attached(attempt)
        if job is None:
            line = shell_line(self._settings, self._command, attempt)
            job = _submit(line, self._parameters, self._cluster, attempt)
            write_whole(_folder(attempt) / "job_id", job.job_id.encode())
        return follow(attempt, partial(job.done, force_check=True), partial(job.cancel, check=False), is_wanted)

    def is_alive(self, attempt: Attempt) -> bool:
        job = self._attached(attempt)
        return job is not None and not job.done(force_check=True)

    def stop(self, attempt: Attempt) -> None:
        job = self._attached(attempt)
        if job is not None:
            job.cancel(check=False)

    def _attached(self, attempt: Attempt) -> "submitit.Job[Any] | None":
        return _attached(_folder(attempt)) if self._cluster == "slurm" else None


def _folder(attempt: Attempt) -> Path:
    return attempt.folder / "slurm"


def _attached(folder: Path) -> "submitit.Job[Any] | None":
    """The job that an earlier worker started for this attempt."""
    import submitit

    try:
        return submitit.SlurmJob(folder, (folder / "job_id").read_text())
    except OSError:
        return None


def _submit(line: str, parameters: Mapping[str, Any], cluster: str, attempt: Attempt) -> "submitit.Job[Any]":
    import submitit

    executor = submitit.AutoExecutor(folder=_folder(attempt), cluster=cluster)
    gpus = {} if attempt.device == "cpu" else {"gpus_per_node": 1}
    executor.update_parameters(name=f"covaudit-{attempt.run_id}", **parameters, **gpus)
    return executor.submit(submitit.helpers.CommandFunction(["sh", "-c", line], verbose=False))
