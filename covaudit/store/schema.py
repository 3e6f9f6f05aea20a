"""The tables. A change here needs a new revision in `migrations/versions` and a new `REVISION`."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

from covaudit.errors import DamagedDatabase, clip

REVISION = "0005"
"""The newest revision; a test holds that it is the head of the migrations."""

RESTORE = "It is damaged; restore a backup, see: python -m covaudit backup --list"

metadata = MetaData()


class Utc(TypeDecorator[datetime]):
    """A moment in UTC. SQLite forgets the zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        process = super().result_processor(dialect, coltype)

        def read(value: Any) -> datetime | None:
            try:
                return value if process is None else process(value)
            except (ValueError, TypeError) as error:
                raise DamagedDatabase(f"The database holds a time that is none: {clip(value)}. {RESTORE}") from error

        return read

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _run_id() -> Column[str]:
    return Column("run_id", String(32), ForeignKey("run.id", ondelete="CASCADE"), nullable=False)


run = Table(
    "run",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("experiment", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("attempt", Integer, nullable=False, default=0),
    Column("base", Integer, nullable=False, default=0),
    Column("priority", Integer, nullable=False, default=0),
    Column("created", Utc, nullable=False),
    Column("queued", Utc, nullable=False),
    Column("started", Utc),
    Column("finished", Utc),
    Column("beat", Utc),
    Column("device", String(64)),
    Column("reason", Text),
    Column("stage", String(200), nullable=False, default=""),
    Column("done", Integer, nullable=False, default=0),
    Column("total", Integer, nullable=False, default=0),
    Column("demo", Boolean, nullable=False, default=False),
    Column("summary", Text, nullable=False, default="{}"),
    Column("digests", Text, nullable=False, default="{}", server_default="{}"),
)
"""`number` orders runs without trusting a clock. `base` is the last attempt before the run was begun anew: checkpoints
of attempts up to it are not gone on from. `digests` are those of a finished run's rows, see `store.integrity`. State,
attempt, times, device, reason and progress follow from the folds."""

fold = Table(
    "fold",
    metadata,
    Column("run_id", String(32), ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("fold", Integer, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False, index=True),
    Column("attempt", Integer, nullable=False, default=0),
    Column("ticket", String(64), nullable=False),
    Column("losses", Integer, nullable=False, default=0),
    Column("started", Utc),
    Column("finished", Utc),
    Column("beat", Utc),
    Column("device", String(64)),
    Column("reason", Text),
    Column("stage", String(200), nullable=False, default=""),
    Column("done", Integer, nullable=False, default=0),
    Column("total", Integer, nullable=False, default=0),
)
"""The jobs of a run: its folds from 0, and `GATHER` where there are several. `ticket` is the id of the job's present
entry in the queue: whoever holds another ticket may not work on it. `losses` counts the workers that died under it."""

epoch = Table(
    "epoch",
    metadata,
    Column("run_id", String(32), ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("fold", Integer, primary_key=True, autoincrement=False, default=0),
    Column("attempt", Integer, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("train_loss", Double),
    Column("val_loss", Double),
    Column("val_balanced_accuracy", Double),
    Column("lr", Double),
    Column("seconds", Double),
    Column("is_best", Boolean, nullable=False),
)

estimate = Table(
    "estimate",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    _run_id(),
    Column("split", String(16), nullable=False),
    Column("source", String(80)),
    Column("class_name", String(80)),
    Column("metric", String(40), nullable=False),
    Column("group_name", String(80)),
    Column("baseline", String(40)),
    Column("fold", Integer),
    Column("value", Double),
    Column("low", Double),
    Column("high", Double),
    Column("n", Integer, nullable=False),
    Column("method", String(200), nullable=False),
    Index("estimate_run", "run_id"),
)

confusion = Table(
    "confusion",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    _run_id(),
    Column("split", String(16), nullable=False),
    Column("classes", Text, nullable=False),
    Column("counts", Text, nullable=False),
    Index("confusion_run", "run_id"),
)

finding = Table(
    "finding",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    _run_id(),
    Column("check", String(80), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Index("finding_run", "run_id"),
)

artifact = Table(
    "artifact",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    _run_id(),
    Column("attempt", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Index("artifact_run", "run_id"),
)

source = Table(
    "source",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("reader", String(80), nullable=False),
    Column("path", Text),
    Column("columns", Text, nullable=False),
)

worker = Table(
    "worker",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("host", String(120), nullable=False),
    Column("device", String(64), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", Utc, nullable=False),
    Column("beat", Utc, nullable=False),
    Column("stopped", Utc),
    Column("run_id", String(32)),
    Column("load", Text, nullable=False, server_default="{}"),
)
"""No foreign key: a worker's row outlives the runs that it worked on."""
