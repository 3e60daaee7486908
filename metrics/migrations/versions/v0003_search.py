"""An index of words for the search, one of what tables show, and no more those that these make superfluous."""

import sqlalchemy as sa
from alembic import op

from metrics.run_search import POSTGRESQL_INDEX, TABLE, index_run

revision = "0003"
down_revision = "0002"

BATCH = 500
LIGHT = (
    "bench.started_at",
    "gen_ai.request.model",
    "bench.mode",
    "bench.status",
    "bench.backend",
    "bench.simulated",
    "bench.phase",
    "bench.flags",
    "gen_ai.response.time_to_first_chunk",
    "bench.time_to_first_visible",
    "bench.time_to_visible",
    "gen_ai.client.operation.duration",
    "bench.decode_tokens_per_second",
    "bench.output_tokens_per_second",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "bench.tokens_estimated",
    "bench.cost_usd",
    "bench.pair_id",
    "bench.experiment_id",
    "bench.run_id",
)


def upgrade() -> None:
    """Makes the indexes, and finds the words of the rows that are there."""
    connection = op.get_bind()
    dialect = connection.dialect.name
    op.drop_index("ix_runs_model", "runs")
    op.drop_index("ix_runs_status", "runs")
    for statement in TABLE[dialect]:
        op.execute(statement)
    _index_rows(connection)
    if dialect == "sqlite":
        op.create_index("ix_runs_light", "runs", list(LIGHT))
    else:
        op.execute(POSTGRESQL_INDEX)


def _index_rows(connection: sa.Connection) -> None:
    query = sa.text(
        'SELECT id, "gen_ai.request.model" AS request_model, "bench.prompt" AS prompt, "bench.response" AS response'
        " FROM runs WHERE id > :after ORDER BY id LIMIT :batch"
    )
    after = -1
    while rows := connection.execute(query, {"after": after, "batch": BATCH}).mappings().all():
        for row in rows:
            after = row["id"]
            index_run(connection, after, {str(name): value for name, value in row.items()})


def downgrade() -> None:
    """Drops them, and makes the old ones."""
    op.execute("DROP TABLE run_search")
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_runs_light", "runs")
    op.create_index("ix_runs_status", "runs", ["bench.status"])
    op.create_index("ix_runs_model", "runs", ["gen_ai.request.model"])
