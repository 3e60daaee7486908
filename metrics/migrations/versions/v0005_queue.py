"""The time in the model's line, apart from all others."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Makes its column."""
    op.add_column("runs", sa.Column("bench.time_in_queue", sa.Double()))


def downgrade() -> None:
    """Drops it."""
    op.drop_column("runs", "bench.time_in_queue")
