import base64
import dataclasses
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from covaudit.domain.experiment import Experiment
from covaudit.domain.run import RunState
from covaudit.domain.source import Source
from covaudit.domain.split import Split
from covaudit.errors import BadExperiment, BadState, CovauditError, Leaks, UnknownName
from covaudit.jobs import engine, submit
from covaudit.store import Store, runs, schema, sources

Ask = Callable[..., Experiment]


def _dbos(store: Store) -> str:
    """Where DBOS has its tables: in PostgreSQL in a schema of its own."""
    return "dbos." if store.engine.dialect.name == "postgresql" else ""


def _entries(store: Store) -> list[tuple[str, str]]:
    query = text(f"SELECT workflow_uuid, status FROM {_dbos(store)}workflow_status ORDER BY created_at, workflow_uuid")
    with store.engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(query)]


def test_twenty_submissions_at_once_are_one_job(store: Store, ask: Ask) -> None:
    with ThreadPoolExecutor(20) as pool:
        submitted = list(pool.map(lambda _: submit.submit(store, ask()), range(20)))
    assert {one.run_id for one in submitted} == {ask().id}
    assert [one.created for one in submitted].count(True) == 1
    assert runs.count(store) == 1
    assert _entries(store) == [(runs.ticket(store, ask().id), "ENQUEUED")]


def test_a_run_and_its_entry_come_together_or_not_at_all(
    store: Store, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*args: Any) -> None:
        whole(*args)
        raise RuntimeError("power cut")

    whole = engine.enqueue
    monkeypatch.setattr(engine, "enqueue", crash)
    with pytest.raises(RuntimeError):
        submit.submit(store, ask())
    assert runs.count(store) == 0 and _entries(store) == []


def test_only_the_id_crosses_the_queue_and_as_json(store: Store, ask: Ask) -> None:
    submit.submit(store, ask())
    query = text(
        f"SELECT i.inputs, s.serialization, s.application_version FROM {_dbos(store)}workflow_input i "
        f"JOIN {_dbos(store)}workflow_status s ON s.workflow_uuid = i.workflow_uuid"
    )
    with store.engine.connect() as connection:
        row = connection.execute(query).one()
    assert row == (f'{{"namedArgs":{{}},"positionalArgs":["{ask().id}",0]}}', "portable_json", "1")


def test_a_pickle_in_the_queue_is_not_opened(tmp_path: Path) -> None:
    from dbos._serialization import DBOSPortableJSON, deserialize_value

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "sprung",)

    bait = base64.b64encode(pickle.dumps(Trap())).decode()
    with pytest.raises(TypeError, match="pickled data in the queue is refused"):
        deserialize_value(bait, "py_pickle", DBOSPortableJSON)
    assert not (tmp_path / "sprung").exists()


def test_cancelling_takes_a_waiting_run_out_of_the_queue(store: Store, ask: Ask) -> None:
    run_id = submit.submit(store, ask()).run_id
    run = submit.cancel(store, run_id[:5])
    assert (run.state, run.reason) == (RunState.CANCELLED, "Cancelled before it started.")
    assert [status for _, status in _entries(store)] == ["CANCELLED"]
    with pytest.raises(BadState, match=f"Run {run_id} is cancelled already"):
        submit.cancel(store, run_id)


def test_cancelling_a_run_whose_worker_fell_silent_does_not_wait_for_it(store: Store, ask: Ask) -> None:
    run_id = submit.submit(store, ask()).run_id
    runs.claim(store, run_id, "cpu")
    with store.engine.begin() as connection:
        long_ago = runs.now().replace(year=2020)
        connection.execute(update(schema.fold).values(beat=long_ago))
    assert submit.cancel(store, run_id).state is RunState.CANCELLED


def test_retry_is_a_new_entry_of_the_same_run(store: Store, ask: Ask) -> None:
    run_id = submit.submit(store, ask()).run_id
    first = runs.ticket(store, run_id)
    with pytest.raises(BadState, match=r"is queued\. Only a finished run can be retried"):
        submit.retry(store, run_id)
    submit.cancel(store, run_id)
    run = submit.retry(store, run_id)
    assert (run.id, run.state, runs.count(store)) == (run_id, RunState.QUEUED, 1)
    assert sorted(_entries(store)) == sorted([(first, "CANCELLED"), (runs.ticket(store, run_id), "ENQUEUED")])


def test_a_removed_run_can_be_asked_again(store: Store, ask: Ask) -> None:
    run_id = submit.submit(store, ask()).run_id
    with pytest.raises(BadState, match="cancel it first"):
        submit.remove(store, run_id)
    submit.cancel(store, run_id)
    submit.remove(store, run_id)
    assert submit.submit(store, ask()) == (run_id, True)
    assert [status for _, status in _entries(store)].count("ENQUEUED") == 1


@pytest.mark.parametrize(
    ("changes", "kind", "sentence"),
    [
        ({"network": "resnet19"}, UnknownName, r"Unknown network 'resnet19'\. Allowed: .*resnet18"),
        (
            {"train": [{"source": "nowhere", "label": "NOR"}, {"source": "phantom-b", "label": "CVP"}]},
            UnknownName,
            r"Unknown source 'nowhere'\. Allowed: phantom-a, .* Add it with",
        ),
        (
            {"network": "efficient", "training": {"image_size": 64}},
            BadExperiment,
            r"image_size is 64; network efficient needs at least 121\. Change it",
        ),
        (
            {"network": "efficient", "training": {"image_size": 256, "pretrained": "imagenet"}},
            BadExperiment,
            "efficient has no ImageNet weights",
        ),
        ({"network": "timm:resnet51"}, BadExperiment, "has no network 'resnet51'. Near to it"),
        ({"network": "cvrnet", "training": {"image_size": 100}}, BadExperiment, "cvrnet needs a multiple of 32"),
    ],
)
def test_what_cannot_be_run_is_refused_before_it_waits(
    changes: dict[str, Any], kind: type[CovauditError], sentence: str, store: Store, ask: Ask
) -> None:
    with pytest.raises(kind, match=sentence):
        submit.submit(store, ask(**changes))
    assert runs.count(store) == 0


def test_missing_weights_end_it_before_it_waits(
    store: Store, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.pretrained._is_reachable", lambda address: False)
    monkeypatch.setattr("models.pretrained._in_cache", lambda backbone: None)
    wanted = ask(network="resnet18", training={"pretrained": "imagenet"})
    with pytest.raises(BadExperiment, match=r"weights of resnet18 are not present.*set COVAUDIT_WEIGHTS"):
        submit.submit(store, wanted)
    assert runs.count(store) == 0
    (tmp_path / "resnet18.safetensors").touch()
    there = Store.open(dataclasses.replace(store.settings, weights=tmp_path))
    submit.check(there, wanted)
    there.close()


def test_a_label_that_a_source_does_not_have_is_refused(store: Store, ask: Ask, tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "mine" / "NOR"
    folder.mkdir(parents=True)
    Image.new("L", (64, 64), 99).save(folder / "1.png")
    sources.add(store, Source(name="mine", reader="folder", path=str(tmp_path / "mine")))
    train = [{"source": "mine", "label": "NOR"}, {"source": "mine", "label": "CVP"}]
    with pytest.raises(UnknownName, match=r"Unknown label of source mine: 'CVP'\. Allowed: NOR \(1\)\. Change"):
        submit.check(store, ask(train=train))
    assert list(submit.available(store)["mine"]["label"]) == ["NOR"]


def test_a_lost_folder_hides_no_other_source(store: Store, tmp_path: Path) -> None:
    sources.add(store, Source(name="lost", reader="folder", path=str(tmp_path / "gone")))
    found = submit.available(store)
    assert "lost" not in found and len(found["phantom-a"]) > 0


def test_leakage_is_refused_until_it_is_accepted_in_writing(
    store: Store, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each phantom patient has one image, so two are made one here."""
    real = submit.index_of

    def with_pairs(store: Store, source: Source) -> Any:
        index = real(store, source)
        patient = index.table["label"] + "-" + (index.table.index // 2).astype(str)
        return index._replace(table=index.table.assign(patient=patient))

    monkeypatch.setattr(submit, "index_of", with_pairs)
    by_image = {"split": Split(method="image")}
    with pytest.raises(Leaks, match="patients are on more than one side of the split"):
        submit.submit(store, ask().model_copy(update=by_image))
    assert runs.listing(store) == []
    accepted = ask().model_copy(update=by_image | {"acknowledged": "A negative control."})
    run_id = submit.submit(store, accepted).run_id
    assert runs.get(store, run_id).experiment.acknowledged == "A negative control."
