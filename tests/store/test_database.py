import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from covaudit.domain.experiment import Experiment
from covaudit.errors import CovauditError
from covaudit.settings import Settings
from covaudit.store import Store, database, folds, runs, schema


def test_migrations_make_the_tables_of_the_schema(store: Store) -> None:
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_revision_is_the_head_of_the_migrations() -> None:
    folder = Path(database.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == schema.REVISION


def test_sqlite_is_set_for_several_processes(store: Store) -> None:
    with store.engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 30_000}


def test_old_sqlite_still_tells_the_time(store: Store) -> None:
    with store.engine.connect() as connection:
        told = connection.execute(text("SELECT unixepoch('subsec')")).scalar()
    assert told is not None and told > 1_700_000_000  # plain SQLite 3.40 answers NULL


def test_opening_twenty_times_at_once_makes_one_schema(settings: Settings) -> None:
    with ThreadPoolExecutor(20) as pool:
        stores = list(pool.map(lambda _: Store.open(settings), range(20)))
    with stores[0].engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1
    for store in stores:
        store.close()


def test_a_newer_schema_is_refused_and_kept(settings: Settings) -> None:
    store = Store.open(settings)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CovauditError, match=f"revision 9999, newer than {schema.REVISION}"):
        Store.open(settings)
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"
    store.close()


def test_a_crash_half_way_through_the_migration_leaves_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from covaudit.store import migrations

    whole = migrations.upgrade

    def crash(*args: object) -> None:
        whole(*args)  # type: ignore[arg-type]
        raise RuntimeError("power cut")

    monkeypatch.setattr(migrations, "upgrade", crash)
    with pytest.raises(RuntimeError):
        Store.open(settings)
    with sqlite3.connect(settings.workspace / "covaudit.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    monkeypatch.undo()
    Store.open(settings).close()


def test_a_file_that_is_no_database_is_refused_in_a_sentence(settings: Settings) -> None:
    settings.workspace.mkdir()
    (settings.workspace / "covaudit.sqlite").write_text("a shopping list, long enough to be read as a page" * 100)
    with pytest.raises(CovauditError, match=r"is damaged \(file is not a database\)\. There is no backup"):
        Store.open(settings)


def test_a_workspace_that_cannot_be_made_is_refused_in_a_sentence(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CovauditError, match=r"cannot be written .* Set COVAUDIT_WORKSPACE"):
        Store.open(replace(settings, workspace=tmp_path / "file" / "workspace"))


def test_a_run_from_before_there_were_folds_has_one(settings: Settings, ask: Callable[..., Experiment]) -> None:
    from covaudit.store import migrations

    settings.workspace.mkdir()
    engine = database.build_engine(settings.database)
    old = {
        "id": ask().id,
        "experiment": ask().canonical_json(),
        "ticket": "kept",
        "moment": "2026-01-02 03:04:05.000000",
    }
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        migrations.upgrade(connection, "0004")
        connection.execute(
            text(
                "INSERT INTO run (id, experiment, state, attempt, ticket, losses, created, queued, started, stage,"
                " done, total, demo, summary) VALUES (:id, :experiment, 'running', 2, :ticket, 1, :moment, :moment,"
                " :moment, 'training', 3, 9, 0, '{}')"
            ),
            old,
        )
        connection.execute(text("INSERT INTO epoch VALUES (:id, 2, 1, 0.5, 0.25, 0.75, 0.1, 3.0, 1)"), old)
    engine.dispose()
    store = Store.open(settings)
    run, (job,) = runs.get(store, old["id"]), folds.listing(store, old["id"])
    assert (run.state, run.attempt, run.progress, run.priority) == (job.state, 2, job.progress, 0)
    assert (job.number, job.attempt, job.progress.done, job.started) == (0, 2, 3, run.started)
    assert [record.train_loss for record in runs.epochs(store, run.id)] == [0.5]
    assert folds.is_current(store, run.id, 2) and runs.claim(store, run.id, "cpu", "kept") == 3
    store.close()
