"""Copies of the database, and a database that is damaged, gone, or old."""

import random
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import nan
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from covaudit.domain.estimate import Confusion, Estimate
from covaudit.domain.finding import AuditFinding, Severity
from covaudit.domain.run import EpochRecord, RunState
from covaudit.errors import CovauditError, DamagedDatabase
from covaudit.jobs import upkeep
from covaudit.settings import Settings
from covaudit.store import Store, backup, database, health, migrations, results, runs, trash, workers

Bring = Callable[[RunState], str]


@pytest.fixture(autouse=True)
def _look_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each opening in these tests stands for the first of a process."""
    monkeypatch.setattr(health, "_sound", set())


def _outcome(number: int) -> results.Outcome:
    estimates = [
        Estimate(split="internal", metric=f"m{k}", value=k / 40, low=k / 50, high=k / 30, n=40 + k, method="wilson")
        for k in range(20)
    ]
    estimates.append(Estimate(split="external", metric="auroc", class_name="CVP", n=0, method="none"))
    table = Confusion(split="internal", classes=("NCV", "CVP"), counts=((20, 5), (number, 25)))
    finding = AuditFinding(
        check="gap", severity=Severity.CRITICAL, title="A gap", detail="d" * 300, evidence={"v": nan, "n": number}
    )
    return results.Outcome(estimates, [table], [finding], {"seconds": number, "samples_sha256": "ab" * 32})


def _fill(store: Store, ask: Callable[..., Any], n: int = 6) -> list[str]:
    ids = []
    for number in range(n):
        experiment = ask(name=f"run {number}", seed=number)
        with store.engine.begin() as connection:
            runs.create(connection, experiment)
        assert runs.claim(store, experiment.id, "cpu") == 1
        record = EpochRecord(epoch=1, train_loss=0.5, val_loss=nan, val_balanced_accuracy=0.5, lr=0.1, seconds=1.0)
        runs.add_epoch(store, experiment.id, 1, record)
        results.write_outcome(store, experiment.id, 1, _outcome(number), [])
        ids.append(experiment.id)
    return ids


def _everything(store: Store, ids: list[str]) -> str:
    """All that pages show of runs that are done, as text, for NaN equals nothing."""
    told = [(run.id, run.asked, run.state, run.created, run.finished, run.device) for run in runs.listing(store)]
    shown = [(results.show(store, one), results.summary(store, one), results.confusions(store, one)) for one in ids]
    return repr((told, shown))


# -- backup and restore -----------------------------------------------------------------------------------------------


def test_a_backup_holds_what_was_there_and_restores_it(store: Store, settings: Settings, ask: Any) -> None:
    ids = _fill(store, ask)
    before = _everything(store, ids)
    made = backup.back_up(settings)
    assert [one.path for one in backup.listing(settings.workspace)] == [made]
    assert [path.name for path in made.parent.iterdir()] == [made.name]  # one file, no -wal beside it
    for one in ids:
        trash.throw(store, one)
    assert runs.count(store) == 0
    kept = upkeep.restore(settings, Path(made.name))
    assert _everything(store, ids) == before  # the store that was open all the time sees it
    assert kept is not None and [one.why for one in backup.listing(settings.workspace)] == ["replaced", "manual"]
    with sqlite3.connect(kept) as connection:
        assert connection.execute("SELECT count(*) FROM run").fetchone() == (0,)


def test_a_backup_while_others_write_is_whole(store: Store, settings: Settings, ask: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    _fill(store, ask, 2)
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(_fill, store, _other(ask), 15)
        made = [backup.back_up(settings) for _ in range(5)]
        writing.result()
    for path in made:
        assert health.damage(path) is None
        with sqlite3.connect(path) as connection:  # a run that is done has all its estimates
            rows = connection.execute(
                "SELECT count(*) FROM estimate e WHERE run_id IN (SELECT id FROM run WHERE state = 'done')"
            ).fetchone()
            done = connection.execute("SELECT count(*) FROM run WHERE state = 'done'").fetchone()
        assert rows[0] == 21 * done[0] and done[0] >= 2


def _other(ask: Any) -> Any:
    return lambda name, seed: ask(name=f"other {name}", seed=100 + seed)


def test_a_restore_elsewhere_gives_the_same_results(store: Store, settings: Settings, ask: Any, tmp_path: Path) -> None:
    ids = _fill(store, ask)
    made = backup.back_up(settings, tmp_path / "mine.sqlite")
    other = Settings(workspace=tmp_path / "other", database=f"sqlite:///{tmp_path / 'other' / 'covaudit.sqlite'}")
    other.workspace.mkdir()
    assert upkeep.restore(other, made) is None
    opened = Store.open(other)
    assert _everything(opened, ids) == _everything(store, ids)
    opened.close()


def test_a_restore_is_refused_while_a_worker_lives(store: Store, settings: Settings) -> None:
    from filelock import FileLock

    made = backup.back_up(settings)
    with (
        FileLock(settings.workspace / "worker-cpu.lock"),
        pytest.raises(CovauditError, match=r"Workers live: .*:cpu"),
    ):
        upkeep.restore(settings, made)
    workers.start(store, "elsewhere:cuda:1", "elsewhere", "cuda:1", 12)
    with pytest.raises(CovauditError, match="Workers live: elsewhere:cuda:1"):
        upkeep.restore(settings, made)
    workers.stop(store, "elsewhere:cuda:1")
    upkeep.restore(settings, made)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"a shopping list " * 500, "cannot be used: file is not a database"), (b"", "no database of CovAudit")],
)
def test_what_is_no_backup_replaces_nothing(
    content: bytes, sentence: str, store: Store, settings: Settings, ask: Any, tmp_path: Path
) -> None:
    ids = _fill(store, ask, 1)
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(CovauditError, match=sentence):
        upkeep.restore(settings, tmp_path / "list.txt")
    with pytest.raises(CovauditError, match=r"There is no backup nowhere\.sqlite\. The newest in the workspace: none"):
        upkeep.restore(settings, Path("nowhere.sqlite"))
    assert runs.get(store, ids[0]).state is RunState.DONE


def test_an_automatic_backup_a_day_and_the_last_five(store: Store, settings: Settings) -> None:
    upkeep.begin(store)
    upkeep.begin(store)
    (first,) = backup.listing(settings.workspace)
    assert first.why == "daily"
    mine = backup.back_up(settings)
    for days in range(2, 9):
        old = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y%m%dT%H%M%S%fZ")
        (mine.parent / f"{old}-daily.sqlite").write_bytes(b"x")
    backup.back_up(settings, why="daily")
    found = backup.listing(settings.workspace)
    assert [one.why for one in found].count("daily") == 5 and mine in {one.path for one in found}


# -- migrations -------------------------------------------------------------------------------------------------------


def _at_first_revision(settings: Settings) -> None:
    settings.workspace.mkdir()
    engine = database.build_engine(settings.database)
    with engine.begin() as connection:
        migrations.upgrade(connection, "0001")
        connection.execute(
            text(
                "INSERT INTO run (id, experiment, state, attempt, ticket, losses, created, queued, stage, done, total, "
                "demo, summary) "
                "VALUES ('abcd', '{\"name\": \"old\"}', 'done', 1, 't', 0, '2026-01-01 00:00:00.000000', "
                "'2026-01-01 00:00:00.000000', '', 0, 0, 0, '{}')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO estimate (run_id, split, metric, value, n, method) VALUES ('abcd', 'val', 'm', 0.5, 3, '')"
            )
        )
    engine.dispose()


def test_an_older_schema_is_backed_up_and_migrated_with_its_rows(settings: Settings) -> None:
    _at_first_revision(settings)
    store = Store.open(settings)
    assert [item.value for item in results.estimates(store, "abcd")] == [0.5]
    assert runs.get(store, "abcd").name == "old"
    store.close()
    (before,) = backup.listing(settings.workspace)
    assert before.why == "migration"
    with sqlite3.connect(before.path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert connection.execute("SELECT value FROM estimate").fetchone() == (0.5,)


def test_a_migration_that_fails_leaves_the_rows_and_the_revision(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _at_first_revision(settings)
    whole = migrations.upgrade

    def crash(*args: Any) -> None:
        whole(*args)
        raise RuntimeError("power cut")

    monkeypatch.setattr(migrations, "upgrade", crash)
    with pytest.raises(RuntimeError):
        Store.open(settings)
    with sqlite3.connect(settings.workspace / "covaudit.sqlite") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert connection.execute("SELECT value FROM estimate").fetchone() == (0.5,)


def test_a_migration_that_makes_a_table_anew_keeps_the_rows_that_refer_to_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _at_first_revision(settings)
    whole = migrations.upgrade

    def rebuild(connection: Any) -> None:
        whole(connection)
        connection.exec_driver_sql("CREATE TABLE run2 AS SELECT * FROM run")
        connection.exec_driver_sql("DROP TABLE run")  # with foreign keys on this deletes every estimate
        connection.exec_driver_sql("ALTER TABLE run2 RENAME TO run")
        connection.exec_driver_sql("CREATE UNIQUE INDEX run_id ON run (id)")

    monkeypatch.setattr(migrations, "upgrade", rebuild)
    store = Store.open(settings)
    assert len(results.estimates(store, "abcd")) == 1
    store.close()


def test_a_revision_that_never_was_is_damage(store: Store, settings: Settings) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0q01'"))
    with pytest.raises(DamagedDatabase, match="revision 0q01, which there never was"):
        Store.open(settings)


# -- damage -----------------------------------------------------------------------------------------------------------


def test_a_flipped_byte_is_said_or_does_no_harm(settings: Settings, ask: Any) -> None:
    store = Store.open(settings)
    ids = _fill(store, ask)
    truth = _everything(store, ids)
    store.close()
    path = settings.workspace / "covaudit.sqlite"
    made, sound = backup.back_up(settings), path.read_bytes()
    rng, said = random.Random(0), 0
    used = [place for place, byte in enumerate(sound) if byte]  # most of the rest is empty space
    for offset in [*range(0, 100, 10), *rng.sample(used, 50)]:
        path.write_bytes(sound[:offset] + bytes([sound[offset] ^ (1 << rng.randrange(8))]) + sound[offset + 1 :])
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        runs._build_run.cache_clear()
        health._sound.clear()
        try:
            opened = Store.open(settings)
        except CovauditError as error:
            said += 1
            assert "database" in str(error).lower() and "Traceback" not in str(error)
            continue
        try:
            assert _everything(opened, ids) == truth, f"wrong data after a change of byte {offset}"
        except DamagedDatabase as error:
            said += 1
            assert "restore" in str(error)
        finally:
            opened.close()
    assert said >= 20  # the test would prove nothing if the changes were all in empty space
    path.write_bytes(b"\x00" * 200 + sound[200:])
    health._sound.clear()
    with pytest.raises(DamagedDatabase, match=f"python -m covaudit restore {made.name}"):
        Store.open(settings)
    kept = upkeep.restore(settings, made)
    assert kept is not None and kept.read_bytes()[:200] == b"\x00" * 200
    again = Store.open(settings)
    assert _everything(again, ids) == truth
    again.close()


@pytest.mark.parametrize("how", ["empty", "gone"])
def test_a_database_that_was_lost_is_not_begun_anew(how: str, settings: Settings, ask: Any) -> None:
    store = Store.open(settings)
    _fill(store, ask, 1)
    made = backup.back_up(settings)
    store.close()
    path = settings.workspace / "covaudit.sqlite"
    path.unlink()
    if how == "empty":
        path.touch()
    with pytest.raises(DamagedDatabase, match=f"is {how}, but .* python -m covaudit restore {made.name}"):
        Store.open(settings)
    upkeep.restore(settings, made)
    again = Store.open(settings)
    assert runs.count(again) == 1
    again.close()


def test_an_empty_file_in_a_fresh_workspace_is_a_beginning(settings: Settings) -> None:
    settings.workspace.mkdir()
    (settings.workspace / "covaudit.sqlite").touch()
    Store.open(settings).close()


def test_a_lost_write_ahead_log_gives_the_state_before_it(settings: Settings, ask: Any, tmp_path: Path) -> None:
    import shutil

    store = Store.open(settings)
    ids = _fill(store, ask, 3)
    path = settings.workspace / "covaudit.sqlite"
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    later = _fill(store, _other(ask), 2)
    other = Settings(workspace=tmp_path / "copy", database=f"sqlite:///{tmp_path / 'copy' / 'covaudit.sqlite'}")
    other.workspace.mkdir()
    shutil.copy(path, other.workspace)  # as after a kill, without the -wal that holds the last two runs
    opened = Store.open(other)
    assert {run.id for run in runs.listing(opened)} == set(ids)
    assert len(results.estimates(opened, ids[0])) == 21 and later
    opened.close()
    store.close()


def test_damage_met_while_reading_is_a_sentence(store: Store, settings: Settings, ask: Any) -> None:
    ids = _fill(store, ask)
    backup.back_up(settings)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        root = connection.exec_driver_sql("SELECT rootpage FROM sqlite_master WHERE name = 'estimate'").scalar()
    store.engine.dispose()
    path = settings.workspace / "covaudit.sqlite"
    content = bytearray(path.read_bytes())
    content[(root - 1) * 4096 : (root - 1) * 4096 + 100] = b"\xff" * 100
    path.write_bytes(content)
    with pytest.raises(DamagedDatabase, match=r"The database is damaged .* python -m covaudit restore"):
        results.estimates(store, ids[0])


def test_a_changed_number_is_not_shown(store: Store, ask: Any) -> None:
    (run_id,) = _fill(store, ask, 1)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE estimate SET value = value + 0.001 WHERE metric = 'm3'"))
    with pytest.raises(DamagedDatabase, match=rf"run {run_id} \(estimate\) is not what was written"):
        results.estimates(store, run_id)
    assert len(results.findings(store, run_id)) == 1


def test_a_network_disk_is_refused_with_the_way_out(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "disk_of", lambda path: "nfs4")
    with pytest.raises(CovauditError, match=r"network disk \(nfs4\), where SQLite loses data\. Set COVAUDIT_DB"):
        Store.open(settings)


def test_the_kind_of_disk_is_that_of_the_nearest_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    mounts = [("/", "ext4"), (str(tmp_path / "far"), "nfs4"), (str(tmp_path / "far" / "near"), "tmpfs")]
    disks = [SimpleNamespace(mountpoint=place, fstype=kind) for place, kind in mounts]
    monkeypatch.setattr(health.psutil, "disk_partitions", lambda all: disks)
    found = [health.disk_of(tmp_path / place) for place in ("here/x", "far/x/y", "far/near/x", "farther")]
    assert found == ["ext4", "nfs4", "tmpfs", "ext4"]
