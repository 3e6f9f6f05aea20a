"""Digests of what a finished run found."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("run", sa.Column("digests", sa.Text, nullable=False, server_default="{}"))
