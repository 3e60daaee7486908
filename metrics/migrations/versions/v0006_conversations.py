"""Conversations are found by their id; and that id is a digest of the page's key, which opens the conversation."""

import hashlib
import json
import zlib

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_runs = sa.table("runs", sa.column("gen_ai.conversation.id", sa.Text()))
_id = _runs.c["gen_ai.conversation.id"]
_open_runs = sa.table("open_runs", sa.column("run_id", sa.Text()), sa.column("record", sa.LargeBinary()))


def upgrade() -> None:
    """Makes the index, and puts digests in the place of keys: without the index, which comes first, each would mean to
    read all rows. Runs that have not ended, or that a dead process left, will be rows, too."""
    op.create_index("ix_runs_conversation_id", "runs", ["gen_ai.conversation.id"])
    connection = op.get_bind()
    for key in connection.execute(sa.select(_id).where(_id.is_not(None)).distinct()).scalars().all():
        connection.execute(sa.update(_runs).where(_id == key).values({"gen_ai.conversation.id": _digest(key)}))
    c = _open_runs.c
    for run_id, packed in connection.execute(sa.select(c.run_id, c.record)).all():
        record = json.loads(zlib.decompress(packed))
        if key := record.get("conversation_id"):
            changed = zlib.compress(json.dumps({**record, "conversation_id": _digest(key)}).encode())
            connection.execute(sa.update(_open_runs).where(c.run_id == run_id).values(record=changed))


def _digest(key: str) -> str:
    return hashlib.sha256(b"conversation " + key.encode()).hexdigest()[:32]


def downgrade() -> None:
    """Drops the index. The keys are gone."""
    op.drop_index("ix_runs_conversation_id", table_name="runs")
