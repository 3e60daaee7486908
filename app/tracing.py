"""Every run as a span, sent by OpenTelemetry to wherever its own variables point (`OTEL_EXPORTER_OTLP_ENDPOINT`).

Spans are named and filled after the OpenTelemetry GenAI conventions (semantic-conventions-genai, `gen-ai-spans.md`,
status Development, read 2026-11). They are made from the run's row after its end, so that nothing here lies in the
stream's path. No prompt, answer or account id is in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app import __version__
from metrics.record import COLUMNS, RunRecord
from providers.model_ids import parse_model_id

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

NS_PER_S = 1_000_000_000
_ATTRIBUTES = (
    "operation_name",
    "provider_name",
    "request_stream",
    "max_tokens",
    "temperature",
    "top_p",
    "finish_reasons",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "queued_s",
    "time_to_first_chunk_s",
    "conversation_id",
    "region",
    "request_id",
    "http_status",
    "resends",
    "status",
    "run_id",
)


class Tracing:
    """Open until `close`, which sends what is left. `exporter` takes the place of OTLP over HTTP."""

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        about = Resource.create({"service.name": "bedrock-playground", "service.version": __version__})
        self._provider = TracerProvider(resource=about, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("playground", __version__)

    def observe(self, record: RunRecord) -> None:
        """One run, as a span of its own, the wait in line included: a span is what the caller waited."""
        from opentelemetry.trace import SpanKind, Status, StatusCode

        began_ns = round(datetime.fromisoformat(record.started_at).timestamp() * 1e6) * 1000
        model = model_name(record)
        span = self._tracer.start_span(
            f"{record.operation_name} {model}",
            kind=SpanKind.CLIENT,
            start_time=began_ns,
            attributes={"gen_ai.request.model": model, **attributes_of(record)},
        )
        if record.status in ("failed", "interrupted"):
            span.set_attribute("error.type", record.error_type or record.status)
            span.set_status(Status(StatusCode.ERROR))
        span.end(end_time=began_ns + round(((record.queued_s or 0.0) + (record.duration_s or 0.0)) * NS_PER_S))

    def close(self) -> None:
        """Sends what is left, for a few seconds at most."""
        self._provider.shutdown()


def model_name(record: RunRecord) -> str:
    """The model's own id, without region; of an ARN that does not tell its model only the kind."""
    parsed = parse_model_id(record.request_model)
    return f"({parsed.arn_kind})" if parsed.opaque else parsed.bare


def attributes_of(record: RunRecord) -> Mapping[str, Any]:
    """The columns of the row that belong to a span, under their names; what is not known is left out."""
    row = record.to_row()
    found = {COLUMNS[name]: row.get(COLUMNS[name]) for name in _ATTRIBUTES}
    return {name: value for name, value in found.items() if value not in (None, [])}
