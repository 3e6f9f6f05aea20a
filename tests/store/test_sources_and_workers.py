from collections.abc import Callable
from datetime import timedelta

import pytest

from covaudit.domain.built_in import BUILT_IN
from covaudit.domain.experiment import Experiment
from covaudit.domain.source import Source
from covaudit.errors import BadSource, UnknownName
from covaudit.store import Store, runs, sources, workers


def test_the_made_up_sources_are_those_that_can_be_drawn() -> None:
    from covaudit.sources.phantom import STYLES

    assert [source.name for source in BUILT_IN] == list(STYLES)
    assert {source.reader for source in BUILT_IN} == {"phantom"}


def test_sources_come_after_the_made_up_ones_and_stay(store: Store) -> None:
    mine = Source(name="mine", reader="csv", path="/somewhere", columns={"label": "Diagnosis"})
    sources.add(store, mine)
    listed = sources.listing(store)
    assert listed[0].path is None and listed[0].name == "phantom-a"
    assert listed[-1] == mine == sources.get(store, "mine")
    sources.remove(store, "mine")
    with pytest.raises(UnknownName, match=r"Unknown source 'mine'\. Allowed: phantom-a, "):
        sources.get(store, "mine")


@pytest.mark.parametrize("name", ["mine", "phantom-a"])
def test_a_name_is_given_once(name: str, store: Store) -> None:
    sources.add(store, Source(name="mine", reader="csv", path="/somewhere"))
    with pytest.raises(BadSource, match=f"There is a source '{name}' already"):
        sources.add(store, Source(name=name, reader="csv", path="/elsewhere"))


def test_a_source_in_use_or_made_up_is_not_removed(store: Store, ask: Callable[..., Experiment]) -> None:
    sources.add(store, Source(name="mine", reader="csv", path="/somewhere"))
    users = [ask(train=[{"source": "mine", "label": "NOR"}, {"source": "mine", "label": "CVP"}])]
    users.append(ask(seed=1, test=[{"source": "mine", "label": "CVP"}]))
    with store.engine.begin() as connection:
        for user in users:
            runs.create(connection, user)
    for user in users:
        with pytest.raises(BadSource, match=f"used by run .*{user.id}"):
            sources.remove(store, "mine")
        assert runs.cancel(store, user.id)
    sources.remove(store, "mine")
    with pytest.raises(BadSource, match="cannot be removed"):
        sources.remove(store, "phantom-a")


def test_a_worker_is_alive_while_it_beats(store: Store) -> None:
    workers.start(store, "host:cpu", "host", "cpu", 4711)
    workers.beat(store, "host:cpu", "abc")
    (worker,) = workers.listing(store)
    assert (worker.pid, worker.run_id, worker.device) == (4711, "abc", "cpu")
    assert worker.is_alive(worker.beat + timedelta(seconds=20))
    assert not worker.is_alive(worker.beat + timedelta(seconds=21))
    workers.stop(store, "host:cpu")
    (worker,) = workers.listing(store)
    assert not worker.is_alive(worker.beat) and worker.run_id is None
    workers.start(store, "host:cpu", "host", "cpu", 4712)
    assert [(w.pid, w.stopped) for w in workers.listing(store)] == [(4712, None)]
