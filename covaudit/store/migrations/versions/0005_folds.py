"""The jobs of a run in a table of their own, one a fold; what ran before has one."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_MOVED = "state, attempt, ticket, losses, started, finished, beat, device, reason, stage, done, total"
_EPOCH = "attempt, epoch, train_loss, val_loss, val_balanced_accuracy, lr, seconds, is_best"


def upgrade() -> None:
    _create_fold()
    op.execute(f"INSERT INTO fold (run_id, fold, {_MOVED}) SELECT id, 0, {_MOVED} FROM run")
    op.drop_column("run", "ticket")
    op.drop_column("run", "losses")
    for name in ("base", "priority"):
        op.add_column("run", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    _key_epochs_by_fold()


def _create_fold() -> None:
    op.create_table(
        "fold",
        _run_id(),
        sa.Column("fold", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("ticket", sa.String(64), nullable=False),
        sa.Column("losses", sa.Integer, nullable=False),
        _time("started"),
        _time("finished"),
        _time("beat"),
        sa.Column("device", sa.String(64)),
        sa.Column("reason", sa.Text),
        sa.Column("stage", sa.String(200), nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
    )


def _key_epochs_by_fold() -> None:
    """SQLite cannot change a primary key: the table is made anew and filled from the old one."""
    op.rename_table("epoch", "old_epoch")
    op.create_table(
        "epoch",
        _run_id(),
        sa.Column("fold", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
        sa.Column("train_loss", sa.Double),
        sa.Column("val_loss", sa.Double),
        sa.Column("val_balanced_accuracy", sa.Double),
        sa.Column("lr", sa.Double),
        sa.Column("seconds", sa.Double),
        sa.Column("is_best", sa.Boolean, nullable=False),
    )
    op.execute(f"INSERT INTO epoch (run_id, fold, {_EPOCH}) SELECT run_id, 0, {_EPOCH} FROM old_epoch")
    op.drop_table("old_epoch")
    op.execute("UPDATE run SET digests = '{}'")  # they were of epochs without a fold


def _run_id() -> "sa.Column[str]":
    return sa.Column("run_id", sa.String(32), sa.ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)


def _time(name: str) -> "sa.Column[datetime]":
    return sa.Column(name, sa.DateTime(timezone=True))
