"""Jobs whose worker fell silent and did not come back: give them to another, or end them."""

import time
from datetime import datetime

from covaudit.domain.run import STALE_AFTER_S, Fold, RunState
from covaudit.jobs import engine
from covaudit.store import Store, folds


class Watch:
    """Sees which running jobs give no sign of life.

    A beat that does not change for `silence_s` seconds of this process's own time is silence; the clocks of two hosts
    are never compared.
    """

    def __init__(self, silence_s: float = STALE_AFTER_S) -> None:
        self._silence_s = silence_s
        self._seen: dict[tuple[str, int, int], tuple[datetime | None, float]] = {}

    def look(self, store: Store) -> list[Fold]:
        """The jobs that have been silent for too long."""
        active = folds.active(store)
        moment = time.monotonic()
        before, self._seen = self._seen, {}
        for job in active:
            beat, since = before.get(_key(job), (None, moment))
            self._seen[_key(job)] = (job.beat, since if beat == job.beat else moment)
        return [job for job in active if moment - self._seen[_key(job)][1] > self._silence_s]


def _key(job: Fold) -> tuple[str, int, int]:
    return job.run_id, job.number, job.attempt


def rescue(store: Store, job: Fold) -> None:
    """Queue a silent job again under a new ticket, so that its lost worker cannot go on with it; end one that was to be
    cancelled, or that lost its worker too often."""
    run_id, fold, attempt = _key(job)
    if job.state is RunState.CANCELLING:
        folds.finish(store, run_id, attempt, RunState.CANCELLED, folds.CANCELLED, fold)
        return
    queue, old = engine.client(store), folds.ticket(store, run_id, fold)
    with store.engine.begin() as connection:
        entry = folds.hand_back(connection, run_id, attempt, fold, lost=True)
        if entry:
            engine.enqueue(queue, connection, [entry])
    if entry is None:
        folds.finish(store, run_id, attempt, RunState.FAILED, folds.LOST_TOO_OFTEN, fold)
    if old is not None:
        engine.forget(store, [old])


def gather_folds(store: Store) -> None:
    """Queue the pooling of every run whose folds are all done."""
    for run_id in folds.to_gather(store):
        queue = engine.client(store)
        with store.engine.begin() as connection:
            entry = folds.gather(connection, run_id)
            if entry:
                engine.enqueue(queue, connection, [entry])
