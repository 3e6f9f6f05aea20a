"""A job of an existing Ray cluster, by its Jobs API. Needs the extra `ray`: pip install 'covaudit[ray]'.

The queue stays here: Ray fails a job that has waited for fifteen minutes, so it gets one only when a worker is free
for it. Run as many workers as the cluster has GPUs. A job is known by its submission id, made from run, fold and
attempt: a worker that comes back finds the job that it had started.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from covaudit.errors import CovauditError
from covaudit.jobs.launchers import Attempt, Launcher
from covaudit.jobs.launchers.local import EXECUTE
from covaudit.jobs.launchers.remote import follow, shell_line
from covaudit.settings import Settings

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

DASHBOARD = "http://127.0.0.1:8265"

log = logging.getLogger("covaudit.worker")


def build_ray(settings: Settings, address: str = "", command: Sequence[str] = EXECUTE) -> Launcher:
    """A launcher for the cluster whose dashboard is at `address`. Raises `CovauditError` when it cannot be reached."""
    try:
        from ray.job_submission import JobSubmissionClient
    except ImportError as error:
        raise CovauditError("The ray launcher needs the package ray: pip install 'ray[default]>=2.60'.") from error
    try:
        client = JobSubmissionClient(address or DASHBOARD)
    except (ConnectionError, RuntimeError) as error:
        raise CovauditError(
            f"No Ray cluster answers at {address or DASHBOARD}. Start one, or set COVAUDIT_LAUNCHER=ray:http://HOST:8265."
        ) from error
    return _Ray(settings, client, tuple(command))


class _Ray:
    def __init__(self, settings: Settings, client: "JobSubmissionClient", command: Sequence[str]) -> None:
        self._settings, self._client, self._command = settings, client, command

    def __call__(self, attempt: Attempt, is_wanted: Callable[[], bool]) -> int | None:
        if _status(self._client, _name(attempt)) is None:
            self._client.submit_job(
                entrypoint=shell_line(self._settings, self._command, attempt),
                submission_id=_name(attempt),
                entrypoint_num_cpus=1,
                entrypoint_num_gpus=0 if attempt.device == "cpu" else 1,
            )
        is_over = partial(_is_over, self._client, _name(attempt))
        return follow(attempt, is_over, partial(self.stop, attempt), is_wanted)

    def is_alive(self, attempt: Attempt) -> bool:
        name = _name(attempt)
        return _status(self._client, name) is not None and not _is_over(self._client, name)

    def stop(self, attempt: Attempt) -> None:
        if self.is_alive(attempt):
            self._client.stop_job(_name(attempt))


def _name(attempt: Attempt) -> str:
    return "-".join(("covaudit", *attempt.arguments))


def _is_over(client: "JobSubmissionClient", name: str) -> bool:
    try:
        status = _status(client, name)
    except ConnectionError as error:
        log.warning("The Ray cluster does not answer, trying again: %s", error)
        return False
    return status is None or status in ("STOPPED", "SUCCEEDED", "FAILED")


def _status(client: "JobSubmissionClient", name: str) -> str | None:
    """What Ray says of a job; None for one that it does not know."""
    try:
        return str(client.get_job_status(name).value)
    except RuntimeError as error:
        if "does not exist" in str(error):
            return None
        raise ConnectionError(str(error)) from error
