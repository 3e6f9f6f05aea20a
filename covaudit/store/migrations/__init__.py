"""Alembic revisions; `upgrade` brings a database to `schema.REVISION`. No alembic.ini: the configuration is here."""

from pathlib import Path

from sqlalchemy import Connection


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the missing revisions inside the caller's transaction."""
    # Alembic takes 0.4 s to import, so only a process that migrates pays for it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
