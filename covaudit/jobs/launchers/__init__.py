"""How the process of an attempt is started; one small file for each kind of launcher."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable


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


@runtime_checkable
class Outliving(Launcher, Protocol):
    """A launcher whose processes live on when the worker dies: called again for the same attempt it waits for them."""

    def is_alive(self, attempt: Attempt) -> bool:
        """Whether the attempt's process waits or runs somewhere."""
        ...

    def stop(self, attempt: Attempt) -> None:
        """End the attempt's process, if there is one."""
        ...
