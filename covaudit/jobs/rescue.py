"""Runs whose worker fell silent and did not come back: give them to another, or end them."""

import time
from datetime import datetime

from covaudit.domain.run import STALE_AFTER_S, Run, RunState
from covaudit.jobs import engine
from covaudit.store import Store, runs


class Watch:
    """Sees which running runs give no sign of life.

    A beat that does not change for `silence_s` seconds of this process's own time is silence; the clocks of two hosts
    are never compared.
    """

    def __init__(self, silence_s: float = STALE_AFTER_S) -> None:
        self._silence_s = silence_s
        self._seen: dict[tuple[str, int], tuple[datetime | None, float]] = {}

    def look(self, store: Store) -> list[Run]:
        """The runs that have been silent for too long."""
        active = runs.listing(store, limit=1000, states=runs.ACTIVE)
        moment = time.monotonic()
        before, self._seen = self._seen, {}
        for run in active:
            beat, since = before.get((run.id, run.attempt), (None, moment))
            self._seen[run.id, run.attempt] = (run.beat, since if beat == run.beat else moment)
        return [run for run in active if moment - self._seen[run.id, run.attempt][1] > self._silence_s]


def rescue(store: Store, run: Run) -> None:
    """Queue a silent run again under a new ticket, so that its lost worker cannot go on with it; end one that was to be
    cancelled, or that lost its worker too often."""
    if run.state is RunState.CANCELLING:
        runs.finish(store, run.id, run.attempt, RunState.CANCELLED, "Cancelled by request.")
        return
    queue, old, new = engine.client(store), runs.ticket(store, run.id), engine.new_ticket(run.id)
    with store.engine.begin() as connection:
        queued = runs.hand_back(connection, run.id, run.attempt, new, lost=True)
        if queued:
            engine.enqueue(queue, connection, run.id, new)
    if not queued:
        runs.finish(store, run.id, run.attempt, RunState.FAILED, runs.LOST_TOO_OFTEN)
    if old is not None:
        engine.forget(store, old)
