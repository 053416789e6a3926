"""What Alembic runs for every command: on the connection, and in the transaction, that db/migration hands in."""

from __future__ import annotations

from alembic import context

from db.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite changes a table by building a new one.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
