"""The table of runs that have not ended."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Makes it."""
    op.create_table(
        "open_runs",
        sa.Column("run_id", sa.Text(), primary_key=True),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    """Drops it."""
    op.drop_table("open_runs")
