"""How busy a worker's device is."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("worker", sa.Column("load", sa.Text, nullable=False, server_default="{}"))
