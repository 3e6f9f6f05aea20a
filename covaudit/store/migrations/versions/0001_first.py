"""The first tables."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _run_id() -> "sa.Column[str]":
    return sa.Column("run_id", sa.String(32), sa.ForeignKey("run.id", ondelete="CASCADE"), nullable=False)


def _number() -> "sa.Column[int]":
    return sa.Column("number", sa.Integer, primary_key=True, autoincrement=True)


def _time(name: str, nullable: bool = True) -> "sa.Column[datetime]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    _create_run()
    _create_results()
    _create_sources_and_workers()


def _create_run() -> None:
    op.create_table(
        "run",
        _number(),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("experiment", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("ticket", sa.String(64), nullable=False),
        sa.Column("losses", sa.Integer, nullable=False),
        _time("created", nullable=False),
        _time("queued", nullable=False),
        _time("started"),
        _time("finished"),
        _time("beat"),
        sa.Column("device", sa.String(64)),
        sa.Column("reason", sa.Text),
        sa.Column("stage", sa.String(200), nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("demo", sa.Boolean, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
    )
    op.create_table(
        "epoch",
        sa.Column("run_id", sa.String(32), sa.ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
        sa.Column("train_loss", sa.Double),
        sa.Column("val_loss", sa.Double),
        sa.Column("val_balanced_accuracy", sa.Double),
        sa.Column("lr", sa.Double),
        sa.Column("seconds", sa.Double),
        sa.Column("is_best", sa.Boolean, nullable=False),
    )


def _create_results() -> None:
    op.create_table(
        "estimate",
        _number(),
        _run_id(),
        sa.Column("split", sa.String(16), nullable=False),
        sa.Column("source", sa.String(80)),
        sa.Column("class_name", sa.String(80)),
        sa.Column("metric", sa.String(40), nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("low", sa.Double),
        sa.Column("high", sa.Double),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("method", sa.String(200), nullable=False),
        sa.Index("estimate_run", "run_id"),
    )
    op.create_table(
        "confusion",
        _number(),
        _run_id(),
        sa.Column("split", sa.String(16), nullable=False),
        sa.Column("classes", sa.Text, nullable=False),
        sa.Column("counts", sa.Text, nullable=False),
        sa.Index("confusion_run", "run_id"),
    )
    op.create_table(
        "finding",
        _number(),
        _run_id(),
        sa.Column("check", sa.String(80), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Index("finding_run", "run_id"),
    )
    op.create_table(
        "artifact",
        _number(),
        _run_id(),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Index("artifact_run", "run_id"),
    )


def _create_sources_and_workers() -> None:
    op.create_table(
        "source",
        _number(),
        sa.Column("name", sa.String(80), nullable=False, unique=True),
        sa.Column("reader", sa.String(80), nullable=False),
        sa.Column("path", sa.Text),
        sa.Column("columns", sa.Text, nullable=False),
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("host", sa.String(120), nullable=False),
        sa.Column("device", sa.String(64), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        _time("started", nullable=False),
        _time("beat", nullable=False),
        _time("stopped"),
        sa.Column("run_id", sa.String(32)),
    )
