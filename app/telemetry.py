"""Figures for operators: every run counted and timed for Prometheus.

Names, units and buckets follow the OpenTelemetry GenAI conventions (semantic-conventions-genai, `gen-ai-metrics.md`,
status Development, read 2026-11), spelt as Prometheus spells them. Everything comes from the run's row, after its end:
nothing here lies in the stream's path. No prompt, answer or account id is exported.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from app.tracing import model_name
from metrics.record import RunRecord

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(4**power for power in range(14))
MAX_MODELS = 100
"""An id is whatever somebody typed: beyond this many different ones they are counted together."""
OTHER = "other"
NS_PER_S = 1e9
_SHARED = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")


class Telemetry:
    """One for each process. `observe` every row as it is written; `exposition` is what Prometheus reads. `trace` is
    told every row, too."""

    def __init__(self, trace: Callable[[RunRecord], None] | None = None) -> None:
        self._trace = trace
        self._registry = CollectorRegistry()
        self._lock = threading.Lock()
        self._models: set[str] = set()
        self._duration = self._seconds(
            "gen_ai_client_operation_duration_seconds",
            "From the call, or the end of its wait in line for this machine's model, to its end.",
            "error_type",
            "gen_ai_request_stream",
        )
        self._first_chunk = self._seconds(
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "From the same moment to the first content of a stream.",
        )
        self._chunk = self._seconds(
            "gen_ai_client_operation_time_per_output_chunk_seconds", "Between two chunks of a stream."
        )
        self._tokens = Histogram(
            "gen_ai_client_token_usage",
            "Tokens of a call, as the service reported them.",
            (*_SHARED, "gen_ai_token_type"),
            buckets=TOKENS,
            registry=self._registry,
        )
        self._runs = Counter(
            "playground_runs", "Runs by how they ended.", ("status", "backend", "simulated"), registry=self._registry
        )
        self._cost = Counter("playground_cost_usd", "List price of all runs that have one.", registry=self._registry)
        self._lost = Counter(
            "playground_unlogged_runs", "Runs whose row could not be written.", registry=self._registry
        )
        self._under_way = Gauge("playground_runs_under_way", "Runs that have not ended.", registry=self._registry)

    def watch(self, under_way: Callable[[], int]) -> None:
        """Where the number of runs that have not ended is read."""
        self._under_way.set_function(under_way)

    def observe(self, record: RunRecord, not_saved: str | None) -> None:
        """Counts one run. A figure that the row does not have is not counted as 0."""
        shared = (record.operation_name, record.provider_name, self._model(record))
        error = record.error_type or ("" if record.status == "completed" else record.status)
        if record.duration_s is not None:
            stream = "true" if record.request_stream else "false"
            self._duration.labels(*shared, error, stream).observe(record.duration_s)
        if record.time_to_first_chunk_s is not None:
            self._first_chunk.labels(*shared).observe(record.time_to_first_chunk_s)
        if record.request_stream:
            gaps = self._chunk.labels(*shared)
            for (earlier, *_), (later, *_) in pairwise(record.chunks or ()):
                gaps.observe((later - earlier) / NS_PER_S)
        for kind, tokens in (("input", record.input_tokens), ("output", record.output_tokens)):
            if tokens is not None:
                self._tokens.labels(*shared, kind).observe(tokens)
        self._runs.labels(record.status, record.backend, "true" if record.simulated else "false").inc()
        if record.cost_usd:
            self._cost.inc(record.cost_usd)
        if not_saved is not None:
            self._lost.inc()
        if self._trace is not None:
            self._trace(record)

    def exposition(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)

    def _seconds(self, name: str, meaning: str, *more: str) -> Histogram:
        return Histogram(name, meaning, (*_SHARED, *more), buckets=SECONDS, registry=self._registry)

    def _model(self, record: RunRecord) -> str:
        """The model's own id: without region, and without the account that an ARN names."""
        name = model_name(record)
        with self._lock:
            if name not in self._models and len(self._models) >= MAX_MODELS:
                return OTHER
            self._models.add(name)
        return name
