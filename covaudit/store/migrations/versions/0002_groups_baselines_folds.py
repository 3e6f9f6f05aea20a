"""Estimates of groups of images, of baselines, and of single folds."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("estimate", sa.Column("group_name", sa.String(80)))
    op.add_column("estimate", sa.Column("baseline", sa.String(40)))
    op.add_column("estimate", sa.Column("fold", sa.Integer))
