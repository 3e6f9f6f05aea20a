"""A store in a folder of its own, and experiments to fill it with."""

from collections.abc import Callable

import pytest

from covaudit.domain.experiment import Experiment
from covaudit.domain.run import RunState
from covaudit.store import Store, results, runs

Ask = Callable[..., Experiment]


@pytest.fixture
def bring(store: Store, ask: Ask) -> Callable[[RunState], str]:
    """Make a run and bring it into a state by the lawful way; returns its id."""

    def bring_to(state: RunState) -> str:
        run_id = ask(name=f"to {state}").id
        with store.engine.begin() as connection:
            runs.create(connection, ask(name=f"to {state}"))
        if state is RunState.QUEUED:
            return run_id
        assert runs.claim(store, run_id, "cpu") == 1
        if state is RunState.CANCELLING:
            assert runs.cancel(store, run_id) == []
        elif state is RunState.DONE:
            results.write_outcome(store, run_id, 1, results.Outcome(), [])
        elif state is not RunState.RUNNING:
            assert runs.finish(store, run_id, 1, state, "for the test")
        assert runs.get(store, run_id).state is state
        return run_id

    return bring_to
