"""Jobs: what a run is doing, why one failed, and what can be done about it."""

import pytest

from covaudit.domain.run import RunState
from covaudit.errors import BadState
from covaudit.jobs import submit
from covaudit.store import runs, workers


@pytest.fixture
def no_engine(monkeypatch):
    """The queue's engine is not under test here: no entry of it needs to be forgotten."""
    monkeypatch.setattr("covaudit.jobs.engine.forget", lambda store, ticket: None)


def test_the_table_says_state_place_and_time_left(filled, made, open_page):
    table = open_page("jobs").dataframe[0].value.set_index("Id")
    assert (
        table.loc[made.queued.id, "State"] == "◷ Queued" and table.loc[made.queued.id, "Step"] == "place 1 in the queue"
    )
    assert (
        table.loc[made.running.id, "State"] == "▶ Running"
        and table.loc[made.running.id, "Step"] == "training, 45 of 72"
    )
    # 3 epochs are left, and 0.5 to 4 for what comes after; the last two took 3.2 and 3.4 s
    assert table.loc[made.running.id, "Time left"] == "11–24 s"
    assert table.loc[made.failed.id, "State"] == "✕ Failed" and table.loc[made.single.id, "State"] == "✓ Done"


def test_a_running_run_shows_its_progress_and_log(filled, made, open_page, seen):
    words = seen(open_page("jobs", run=made.running.id))
    assert "training, 45 of 72" in words and "epoch 5/8" in words and "updated" in words


def test_a_silent_run_never_looks_alive(filled, made, open_page, seen):
    from datetime import UTC, datetime, timedelta

    from sqlalchemy import update

    from covaudit.store import schema

    with filled.engine.begin() as connection:
        long_ago = datetime.now(UTC) - timedelta(minutes=5)
        connection.execute(update(schema.run).where(schema.run.c.id == made.running.id).values(beat=long_ago))
    app = open_page("jobs", run=made.running.id)
    assert app.dataframe[0].value.set_index("Id").loc[made.running.id, "State"] == "▶ No sign of life"
    assert "No sign of life since 5 min ago" in "".join(warning.value for warning in app.warning)


def test_a_failed_run_says_what_happened_and_what_to_do(filled, made, open_page, seen):
    words = seen(open_page("jobs", run=made.failed.id))
    assert "probably for lack of memory: it held 14.2 GB" in words
    assert "smaller batch (now 32)" in words and "epoch 1/8" in words


def test_the_log_can_be_searched(filled, made, open_page):
    app = open_page("jobs", run=made.single.id)
    app.text_input[0].input("EPOCH 3").run()
    shown = next(code.value for code in app.code if "epoch" in code.value)
    assert shown.startswith("epoch 3/") and "\n" not in shown


@pytest.mark.parametrize(("which", "state"), [("queued", RunState.CANCELLED), ("running", RunState.CANCELLING)])
def test_cancel_asks_first_and_then_cancels(which, state, filled, made, open_page, no_engine):
    experiment = getattr(made, which)
    app = open_page("jobs", run=experiment.id)
    app.button(key="cancel").click().run()
    assert runs.get(filled, experiment.id).state is state


def test_retry_puts_a_failed_run_in_the_queue(filled, made, open_page, monkeypatch):
    asked = []
    monkeypatch.setattr(submit, "retry", lambda store, run_id: asked.append(run_id))
    open_page("jobs", run=made.failed.id).button(key="retry").click().run()
    assert asked == [made.failed.id]


def test_remove_deletes_a_finished_run(filled, made, open_page):
    open_page("jobs", run=made.failed.id).button(key="remove").click().run()
    assert made.failed.id not in [run.id for run in runs.listing(filled)]


def test_an_action_that_is_refused_is_one_sentence(filled, made, open_page, monkeypatch):
    def refuse(store, run_id):
        raise BadState("Run is done already. Only a run that waits or runs can be cancelled.")

    monkeypatch.setattr(submit, "cancel", refuse)
    app = open_page("jobs", run=made.queued.id)
    app.button(key="cancel").click().run()
    assert "Only a run that waits or runs can be cancelled" in app.error[0].value


def test_a_device_is_shown_with_its_load_and_a_worker_that_is_gone_is_not(filled, made, open_page, seen):
    load = {"what": "GPU", "busy": 37.0, "memory": 2_000_000_000, "memory_total": 80_000_000_000, "celsius": 55.0}
    workers.start(filled, "here:cuda:0", "here", "cuda:0", 1)
    workers.beat(filled, "here:cuda:0", made.running.id, load)
    workers.start(filled, "here:cuda:1", "here", "cuda:1", 2)
    workers.stop(filled, "here:cuda:1")
    words = seen(open_page("jobs"))
    assert "GPU 37 % busy, 2.0 of 80.0 GB, 55 °C" in words
    assert "cuda:1" not in words
    assert "Start one" not in words


def test_work_without_a_worker_is_said_with_the_command(filled, open_page, seen):
    assert "Start one: `python -m covaudit worker`" in seen(open_page("jobs"))
