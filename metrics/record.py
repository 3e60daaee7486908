"""One row a run: `RunRecord`, and the one place where its attributes get their column names and units.

Column names follow the OpenTelemetry GenAI conventions (semantic-conventions-genai, status Development, read 2026-11)
where those have a word, with the prefix `bench.` where the word is ours. The same names stand in the database, in the
JSON of the API and in CSV files. Times are seconds. `None` means unknown or not defined, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal

from metrics.timing import Chunks

Mode = Literal["sync", "stream"]
RunStatus = Literal["completed", "interrupted", "cancelled", "failed"]
Phase = Literal["warmup", "measure"]

SCHEMA_VERSION = "1"


def column(name: str, unit: str = "", *, bulky: bool = False) -> Mapping[str, Any]:
    """Field metadata: the column's name and unit. `bulky` columns are not read by list queries."""
    return {"column": name, "unit": unit, "bulky": bulky}


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Everything that is kept of one run, whichever way it ended.

    The attributes of `timing.RunMetrics` have the same names here, so that a record is made with
    `**dataclasses.asdict(metrics)`. `queued_s` is the time in the line of this machine's model; all other times count
    from its end. `chunks` are (nanoseconds since then, kind, characters): with `response` and `reasoning` they replay
    the stream exactly. `chunks` and `progress_trace` are `None` where they were not read.
    """

    # what it was
    schema_version: str = field(default=SCHEMA_VERSION, metadata=column("bench.schema_version"))
    run_id: str = field(metadata=column("bench.run_id"))
    experiment_id: str | None = field(default=None, metadata=column("bench.experiment_id"))
    comparison_id: str | None = field(default=None, metadata=column("bench.comparison_id"))
    pair_id: str | None = field(default=None, metadata=column("bench.pair_id"))
    status: RunStatus = field(metadata=column("bench.status"))
    mode: Mode = field(metadata=column("bench.mode"))
    order_in_pair: int | None = field(default=None, metadata=column("bench.order_in_pair"))
    phase: Phase | None = field(default=None, metadata=column("bench.phase"))
    seed: int | None = field(default=None, metadata=column("bench.seed"))
    started_at: str = field(metadata=column("bench.started_at"))
    backend: Literal["aws", "local"] = field(metadata=column("bench.backend"))
    simulated: bool = field(default=False, metadata=column("bench.simulated"))

    # what was asked
    operation_name: str = field(default="chat", metadata=column("gen_ai.operation.name"))
    provider_name: str = field(default="aws.bedrock", metadata=column("gen_ai.provider.name"))
    request_model: str = field(metadata=column("gen_ai.request.model"))
    request_stream: bool = field(metadata=column("gen_ai.request.stream"))
    max_tokens: int | None = field(default=None, metadata=column("gen_ai.request.max_tokens"))
    temperature: float | None = field(default=None, metadata=column("gen_ai.request.temperature"))
    top_p: float | None = field(default=None, metadata=column("gen_ai.request.top_p"))
    stop_sequences: tuple[str, ...] = field(default=(), metadata=column("gen_ai.request.stop_sequences"))
    conversation_id: str | None = field(default=None, metadata=column("gen_ai.conversation.id"))
    system_prompt: str | None = field(default=None, metadata=column("bench.system_prompt"))
    conversation: tuple[Mapping[str, str], ...] = field(default=(), metadata=column("bench.conversation"))
    prompt: str = field(default="", metadata=column("bench.prompt"))

    # what came back
    response: str = field(default="", metadata=column("bench.response"))
    reasoning: str = field(default="", metadata=column("bench.reasoning"))
    response_model: str | None = field(default=None, metadata=column("gen_ai.response.model"))
    response_id: str | None = field(default=None, metadata=column("gen_ai.response.id"))
    request_id: str | None = field(default=None, metadata=column("aws.request_id"))
    finish_reasons: tuple[str, ...] = field(default=(), metadata=column("gen_ai.response.finish_reasons"))
    input_tokens: int | None = field(default=None, metadata=column("gen_ai.usage.input_tokens"))
    output_tokens: int | None = field(default=None, metadata=column("gen_ai.usage.output_tokens"))
    cache_read_tokens: int | None = field(default=None, metadata=column("gen_ai.usage.cache_read.input_tokens"))
    cache_write_tokens: int | None = field(default=None, metadata=column("gen_ai.usage.cache_creation.input_tokens"))
    reasoning_tokens: int | None = field(default=None, metadata=column("gen_ai.usage.reasoning.output_tokens"))
    usage_raw: Mapping[str, Any] = field(default_factory=_nothing, metadata=column("bench.usage_raw"))

    # how long it took
    queued_s: float | None = field(default=None, metadata=column("bench.time_in_queue", "s"))
    duration_s: float | None = field(default=None, metadata=column("gen_ai.client.operation.duration", "s"))
    time_to_first_chunk_s: float | None = field(
        default=None, metadata=column("gen_ai.response.time_to_first_chunk", "s")
    )
    time_to_first_visible_s: float | None = field(default=None, metadata=column("bench.time_to_first_visible", "s"))
    time_to_visible_s: float | None = field(default=None, metadata=column("bench.time_to_visible", "s"))
    time_to_last_chunk_s: float | None = field(default=None, metadata=column("bench.time_to_last_chunk", "s"))
    time_to_headers_s: float | None = field(default=None, metadata=column("bench.time_to_headers", "s"))
    thinking_s: float | None = field(default=None, metadata=column("bench.thinking_time", "s"))
    tpot_s: float | None = field(default=None, metadata=column("bench.tpot", "s/token"))
    tpot_visible_s: float | None = field(default=None, metadata=column("bench.tpot_visible", "s/token"))
    output_tokens_per_s: float | None = field(
        default=None, metadata=column("bench.output_tokens_per_second", "token/s")
    )
    decode_tokens_per_s: float | None = field(
        default=None, metadata=column("bench.decode_tokens_per_second", "token/s")
    )
    chunk_count: int | None = field(default=None, metadata=column("bench.chunk_count"))
    inter_chunk_p50_s: float | None = field(default=None, metadata=column("bench.inter_chunk_p50", "s"))
    inter_chunk_p95_s: float | None = field(default=None, metadata=column("bench.inter_chunk_p95", "s"))
    inter_chunk_max_s: float | None = field(default=None, metadata=column("bench.inter_chunk_max", "s"))
    chunks: tuple[tuple[int, str, int], ...] | None = field(default=None, metadata=column("bench.chunks", bulky=True))
    server_latency_s: float | None = field(default=None, metadata=column("bench.server_latency", "s"))
    overhead_s: float | None = field(default=None, metadata=column("bench.overhead", "s"))

    # what was estimated
    tokens_source: Literal["usage", "tokenizer", "estimate"] | None = field(
        default=None, metadata=column("bench.tokens_source")
    )
    tokens_estimated: int | None = field(default=None, metadata=column("bench.tokens_estimated"))
    estimator_version: str | None = field(default=None, metadata=column("bench.estimator_version"))
    text_units: float | None = field(default=None, metadata=column("bench.text_units"))
    text_script: str | None = field(default=None, metadata=column("bench.text_script"))
    progress_trace: tuple[tuple[float, ...], ...] | None = field(
        default=None, metadata=column("bench.progress_trace", bulky=True)
    )
    cost_usd: float | None = field(default=None, metadata=column("bench.cost_usd", "USD"))
    price_model: str | None = field(default=None, metadata=column("bench.price_model"))
    price_source: str | None = field(default=None, metadata=column("bench.price_source"))

    # what went wrong, and where
    error_type: str | None = field(default=None, metadata=column("error.type"))
    error_message: str | None = field(default=None, metadata=column("bench.error_message"))
    http_status: int | None = field(default=None, metadata=column("http.response.status_code"))
    resends: int = field(default=0, metadata=column("http.request.resend_count"))
    server_address: str | None = field(default=None, metadata=column("server.address"))
    region: str | None = field(default=None, metadata=column("cloud.region"))
    guardrail_id: str | None = field(default=None, metadata=column("aws.bedrock.guardrail.id"))
    service_tier: str | None = field(default=None, metadata=column("bench.service_tier"))
    performance_config: str | None = field(default=None, metadata=column("bench.performance_config"))
    flags: tuple[str, ...] = field(default=(), metadata=column("bench.flags"))
    client: Mapping[str, str] = field(default_factory=_nothing, metadata=column("bench.client"))

    def to_row(self) -> dict[str, Any]:
        """The record by column names, in plain JSON values. Bulky columns that were not read are left out."""
        values = {name: getattr(self, attribute) for attribute, name in COLUMNS.items()}
        return {name: plain(value) for name, value in values.items() if value is not None or name not in BULKY}


COLUMNS: Mapping[str, str] = {f.name: f.metadata["column"] for f in fields(RunRecord)}
"""Attribute -> column name, in the order of the columns."""
UNITS: Mapping[str, str] = {f.metadata["column"]: f.metadata["unit"] for f in fields(RunRecord) if f.metadata["unit"]}
"""Column name -> unit, where it has one."""
BULKY = frozenset(f.metadata["column"] for f in fields(RunRecord) if f.metadata["bulky"])


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds. `moment` knows its zone. Such strings sort by time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def chunks_since(sent_at_ns: int, chunks: Chunks) -> tuple[tuple[int, str, int], ...]:
    """Chunk stamps as a record keeps them: nanoseconds since `sent_at_ns`."""
    return tuple((at_ns - sent_at_ns, kind, chars) for at_ns, kind, chars in chunks)


def plain(value: Any) -> Any:
    """`value` in what JSON and every database can hold: lists, dicts, finite numbers, text without stray halves."""
    match value:
        case str():
            return clean_text(value)
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {clean_text(str(key)): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value


def clean_text(text: str) -> str:
    """`text` without NUL, and with halves of surrogate pairs joined or replaced: SQLite refuses lone halves,
    PostgreSQL refuses NUL."""
    if text.isascii():
        return text.replace("\x00", "\ufffd")
    return text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
