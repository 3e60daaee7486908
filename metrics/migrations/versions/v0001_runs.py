"""The table of runs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the table and its indexes."""
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("bench.schema_version", sa.Text(), nullable=False),
        sa.Column("bench.run_id", sa.Text(), nullable=False),
        sa.Column("bench.experiment_id", sa.Text()),
        sa.Column("bench.comparison_id", sa.Text()),
        sa.Column("bench.pair_id", sa.Text()),
        sa.Column("bench.status", sa.Text(), nullable=False),
        sa.Column("bench.mode", sa.Text(), nullable=False),
        sa.Column("bench.order_in_pair", sa.BigInteger()),
        sa.Column("bench.phase", sa.Text()),
        sa.Column("bench.seed", sa.BigInteger()),
        sa.Column("bench.started_at", sa.Text(), nullable=False),
        sa.Column("bench.backend", sa.Text(), nullable=False),
        sa.Column("bench.simulated", sa.Boolean(), nullable=False),
        sa.Column("gen_ai.operation.name", sa.Text(), nullable=False),
        sa.Column("gen_ai.provider.name", sa.Text(), nullable=False),
        sa.Column("gen_ai.request.model", sa.Text(), nullable=False),
        sa.Column("gen_ai.request.stream", sa.Boolean(), nullable=False),
        sa.Column("gen_ai.request.max_tokens", sa.BigInteger()),
        sa.Column("gen_ai.request.temperature", sa.Double()),
        sa.Column("gen_ai.request.top_p", sa.Double()),
        sa.Column("gen_ai.request.stop_sequences", sa.JSON(), nullable=False),
        sa.Column("gen_ai.conversation.id", sa.Text()),
        sa.Column("bench.system_prompt", sa.Text()),
        sa.Column("bench.conversation", sa.JSON(), nullable=False),
        sa.Column("bench.prompt", sa.Text(), nullable=False),
        sa.Column("bench.response", sa.Text(), nullable=False),
        sa.Column("bench.reasoning", sa.Text(), nullable=False),
        sa.Column("gen_ai.response.model", sa.Text()),
        sa.Column("gen_ai.response.id", sa.Text()),
        sa.Column("aws.request_id", sa.Text()),
        sa.Column("gen_ai.response.finish_reasons", sa.JSON(), nullable=False),
        sa.Column("gen_ai.usage.input_tokens", sa.BigInteger()),
        sa.Column("gen_ai.usage.output_tokens", sa.BigInteger()),
        sa.Column("gen_ai.usage.cache_read.input_tokens", sa.BigInteger()),
        sa.Column("gen_ai.usage.cache_creation.input_tokens", sa.BigInteger()),
        sa.Column("gen_ai.usage.reasoning.output_tokens", sa.BigInteger()),
        sa.Column("bench.usage_raw", sa.JSON(), nullable=False),
        sa.Column("gen_ai.client.operation.duration", sa.Double()),
        sa.Column("gen_ai.response.time_to_first_chunk", sa.Double()),
        sa.Column("bench.time_to_first_visible", sa.Double()),
        sa.Column("bench.time_to_visible", sa.Double()),
        sa.Column("bench.time_to_last_chunk", sa.Double()),
        sa.Column("bench.time_to_headers", sa.Double()),
        sa.Column("bench.thinking_time", sa.Double()),
        sa.Column("bench.tpot", sa.Double()),
        sa.Column("bench.tpot_visible", sa.Double()),
        sa.Column("bench.output_tokens_per_second", sa.Double()),
        sa.Column("bench.decode_tokens_per_second", sa.Double()),
        sa.Column("bench.chunk_count", sa.BigInteger()),
        sa.Column("bench.inter_chunk_p50", sa.Double()),
        sa.Column("bench.inter_chunk_p95", sa.Double()),
        sa.Column("bench.inter_chunk_max", sa.Double()),
        sa.Column("bench.chunks", sa.LargeBinary()),
        sa.Column("bench.server_latency", sa.Double()),
        sa.Column("bench.overhead", sa.Double()),
        sa.Column("bench.tokens_source", sa.Text()),
        sa.Column("bench.tokens_estimated", sa.BigInteger()),
        sa.Column("bench.estimator_version", sa.Text()),
        sa.Column("bench.text_units", sa.Double()),
        sa.Column("bench.text_script", sa.Text()),
        sa.Column("bench.progress_trace", sa.LargeBinary()),
        sa.Column("bench.cost_usd", sa.Double()),
        sa.Column("bench.price_model", sa.Text()),
        sa.Column("bench.price_source", sa.Text()),
        sa.Column("error.type", sa.Text()),
        sa.Column("bench.error_message", sa.Text()),
        sa.Column("http.response.status_code", sa.BigInteger()),
        sa.Column("http.request.resend_count", sa.BigInteger(), nullable=False),
        sa.Column("server.address", sa.Text()),
        sa.Column("cloud.region", sa.Text()),
        sa.Column("aws.bedrock.guardrail.id", sa.Text()),
        sa.Column("bench.service_tier", sa.Text()),
        sa.Column("bench.performance_config", sa.Text()),
        sa.Column("bench.flags", sa.JSON(), nullable=False),
        sa.Column("bench.client", sa.JSON(), nullable=False),
    )
    op.create_index("ix_runs_run_id", "runs", ["bench.run_id"], unique=True)
    op.create_index("ix_runs_started_at", "runs", ["bench.started_at"])
    op.create_index("ix_runs_model", "runs", ["gen_ai.request.model"])
    op.create_index("ix_runs_status", "runs", ["bench.status"])
    op.create_index("ix_runs_pair_id", "runs", ["bench.pair_id"])


def downgrade() -> None:
    """Drops the table."""
    op.drop_table("runs")
