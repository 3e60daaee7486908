"""Conversations are found by their id; and that id is a digest of the page's key, which opens the conversation."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_runs = sa.table("runs", sa.column("gen_ai.conversation.id", sa.Text()))
_id = _runs.c["gen_ai.conversation.id"]


def upgrade() -> None:
    """Puts digests in the place of keys, and makes the index."""
    connection = op.get_bind()
    for key in connection.execute(sa.select(_id).where(_id.is_not(None)).distinct()).scalars().all():
        digest = hashlib.sha256(b"conversation " + key.encode()).hexdigest()[:32]
        connection.execute(sa.update(_runs).where(_id == key).values({"gen_ai.conversation.id": digest}))
    op.create_index("ix_runs_conversation_id", "runs", ["gen_ai.conversation.id"])


def downgrade() -> None:
    """Drops the index. The keys are gone."""
    op.drop_index("ix_runs_conversation_id", table_name="runs")
