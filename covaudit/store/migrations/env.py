"""Run by Alembic with a connection that `upgrade` passes in."""

from alembic import context

from covaudit.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
