"""What must not be lost to a database that does not answer for a while: it is tried again."""

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError

from covaudit.errors import CovauditError

PATIENCE_S: Final = 600.0
_LONGEST_PAUSE_S = 2.0

Result = TypeVar("Result")


def patiently(
    act: Callable[[], Result],
    within_s: float = PATIENCE_S,
    is_wanted: Callable[[], bool] = lambda: True,
    on_wait: Callable[[Exception], None] = lambda error: None,
) -> Result:
    """What `act` returns, tried again with growing pauses while the database is away, locked, or its disk full.

    `act` must change nothing when it is done a second time. Gives up, and raises what it raised, after `within_s`
    seconds or when it is no longer wanted.
    """
    until, pause = time.monotonic() + within_s, 0.1
    while True:
        try:
            return act()
        except (OperationalError, InterfaceError, CovauditError) as error:
            if not is_away(error) or time.monotonic() >= until or not is_wanted():
                raise
            on_wait(error)
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def is_away(error: BaseException) -> bool:
    """Whether an error, or what it comes from, is a database that does not answer."""
    return isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, CovauditError) and isinstance(error.__cause__, OperationalError | InterfaceError)
    )
