"""Usage and timing that travel outside an answer's body: in the last chunk's metrics, and in HTTP headers."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from providers.families import pieces
from providers.local import headers
from providers.types import ServerTiming, StreamEvent


def from_metrics(metrics: Mapping[str, Any] | None, *, told_usage: bool) -> Iterator[StreamEvent]:
    """`amazon-bedrock-invocationMetrics` of the last chunk: milliseconds and tokens, on the service's clock."""
    if metrics is None:
        return
    if not told_usage:
        yield pieces.usage(
            metrics,
            input_tokens="inputTokenCount",
            output_tokens="outputTokenCount",
            cache_read=("cacheReadInputTokenCount",),
            cache_write=("cacheWriteInputTokenCount",),
        )
    yield ServerTiming(
        latency_s=_seconds(metrics.get("invocationLatency")), first_byte_s=_seconds(metrics.get("firstByteLatency"))
    )


def from_headers(answered: Mapping[str, str], *, told_usage: bool) -> Iterator[StreamEvent]:
    """The `x-amzn-bedrock-…` headers of a complete answer to InvokeModel."""
    prefix = "x-amzn-bedrock-"
    told = {name.removeprefix(prefix): value for name, value in answered.items() if name.startswith(prefix)}
    if not told_usage and "output-token-count" in told:
        counted = pieces.usage(
            {name: _number(value) for name, value in told.items()},
            input_tokens="input-token-count",
            output_tokens="output-token-count",
            cache_read=("cache-read-input-token-count",),
            cache_write=("cache-write-input-token-count",),
        )
        yield dataclasses.replace(counted, raw=told)
    if "invocation-latency" in told:
        yield ServerTiming(latency_s=_seconds(told["invocation-latency"]))


def queued_s(answered: Mapping[str, str], waited_s: float) -> float | None:
    """The time in the model's line as the local endpoint tells it. More than was waited at all is no such time."""
    told_s = _seconds(answered.get(headers.QUEUED_MS))
    return told_s if told_s is not None and 0 <= told_s <= waited_s else None


def _number(value: Any) -> float | None:
    """A number that may travel as text; `None` for what is none."""
    with contextlib.suppress(TypeError, ValueError):
        return float(value)
    return None


def _seconds(milliseconds: Any) -> float | None:
    number = _number(milliseconds)
    return None if number is None else round(number / 1000, 9)  # 0.009 / 1000 has sixteen digits
