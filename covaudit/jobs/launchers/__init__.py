"""How the process of an attempt is started: a launcher is a function, and there is one small file for each kind."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol


class Attempt(NamedTuple):
    """One attempt to carry out a job of a run. `folder` is there, and takes all that the attempt writes."""

    run_id: str
    number: int
    folder: Path
    device: str
    fold: int = 0

    @property
    def arguments(self) -> tuple[str, ...]:
        """What `covaudit.jobs.execute` is called with."""
        return (self.run_id, str(self.fold), str(self.number))


class Launcher(Protocol):
    """Carry out an attempt in a process of its own and wait for its end.

    Returns its exit code, negative for a signal; None when it was stopped because `is_wanted` became False.
    """

    def __call__(self, attempt: Attempt, is_wanted: Callable[[], bool]) -> int | None: ...
