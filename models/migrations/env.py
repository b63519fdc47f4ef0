"""Alembic's entry: migrates the connection that ``models.database.migrate`` has opened, in its transaction."""

from alembic import context

from models.tables import State

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=State.metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
