"""The tables of experiments and votes, and the way from either to its runs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the tables and the indexes."""
    op.create_table(
        "experiments",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
    )
    op.create_table(
        "votes",
        sa.Column("comparison_id", sa.Text(), primary_key=True),
        sa.Column("run_id", sa.Text()),
        sa.Column("voted_at", sa.Text(), nullable=False),
    )
    op.create_index("ix_runs_experiment_id", "runs", ["bench.experiment_id"])
    op.create_index("ix_runs_comparison_id", "runs", ["bench.comparison_id"])


def downgrade() -> None:
    """Drops them."""
    op.drop_index("ix_runs_comparison_id", "runs")
    op.drop_index("ix_runs_experiment_id", "runs")
    op.drop_table("votes")
    op.drop_table("experiments")
