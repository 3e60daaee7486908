"""What Alembic runs. The connection, already in a transaction, comes from `upgrade`."""

from alembic import context

from metrics.run_table import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
