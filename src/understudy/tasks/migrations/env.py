"""Alembic's entrance: migrations run on the connection that ``database.migrate`` holds."""

from __future__ import annotations

from alembic import context

from understudy.tasks.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
