"""Runs as spans, received by a collector over a real socket."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from app.settings import parse
from app.tracing import Tracing
from tests.metrics.records import record


class Collector(http.server.ThreadingHTTPServer):
    """Takes OTLP over HTTP and keeps what came."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        super().__init__(("127.0.0.1", 0), _Receiver)


class _Receiver(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.spans += [span for each in body.resource_spans for s in each.scope_spans for span in s.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)


def traced(collector: Collector, **given: object) -> tuple[Span, dict[str, str]]:
    """The span of one run, and its attributes as text."""
    tracing = Tracing(OTLPSpanExporter(f"http://127.0.0.1:{collector.server_port}/v1/traces"))
    tracing.observe(record(**given))  # type: ignore[arg-type]
    tracing.close()
    (span,) = collector.spans
    return span, {each.key: str(each.value).strip() for each in span.attributes}


def test_a_span_has_the_wait_in_line_in_it(collector: Collector) -> None:
    span, told = traced(collector, duration_s=1.0, queued_s=9.0)
    assert span.end_time_unix_nano - span.start_time_unix_nano == 10_000_000_000
    assert told["bench.time_in_queue"] == "double_value: 9"


def test_a_run_becomes_a_span_of_its_own_length(collector: Collector) -> None:
    span, told = traced(
        collector, prompt="a secret", response="another", duration_s=2.5, output_tokens=30, time_to_first_chunk_s=0.5
    )
    assert span.name == "chat amazon.nova-lite-v1:0"
    assert span.kind == Span.SPAN_KIND_CLIENT
    assert span.end_time_unix_nano - span.start_time_unix_nano == 2_500_000_000
    assert span.start_time_unix_nano == 1_795_331_700_000_000_000
    assert told["gen_ai.usage.output_tokens"] == "int_value: 30"
    assert told["gen_ai.response.time_to_first_chunk"] == "double_value: 0.5"
    assert "gen_ai.usage.input_tokens" not in told
    assert "secret" not in str(span)
    assert "another" not in str(span)


def test_a_failure_is_one_and_no_account_is_named(collector: Collector) -> None:
    arn = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abcdefghijkl"
    span, told = traced(collector, request_model=arn, status="failed", error_type="ThrottledError", duration_s=0.1)
    assert span.status.code == 2
    assert "ThrottledError" in told["error.type"]
    assert "111122223333" not in str(span)


def test_it_is_on_only_where_an_exporter_is_configured() -> None:
    assert not parse([], {}).traces
    assert parse([], {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}).traces
