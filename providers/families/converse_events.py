"""Events and answers in Converse's shape, read and written: for `converse.py`, and for Nova, whose chunks look alike.

Source: botocore 1.44.5 service model, bedrock-runtime 2023-09-30, and recorded streams in opentelemetry-python-contrib
and openllmetry, read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from providers.base import Json
from providers.families import pieces
from providers.families.reasoning import ReasoningTags, whole_text
from providers.types import (
    MessageStop,
    ReasoningDelta,
    ServerTiming,
    StopReason,
    StreamEvent,
    TextDelta,
    Usage,
)

_QUIET_EVENTS = frozenset({"messageStart", "contentBlockStart", "contentBlockStop", "p"})
_QUIET_DELTAS = frozenset({"toolUse", "toolResult", "citation", "image"})


def read(family: str, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
    """Events from the chunks of ConverseStream, or of Nova's invoke stream.

    Block indexes are not looked at: Nova counts them up with every delta (recorded stream in
    opentelemetry-python-contrib). What belongs to one answer arrives in order.
    """
    tags = ReasoningTags()
    for chunk in chunks:
        if (block := chunk.get("contentBlockDelta")) is not None:
            delta = block["delta"]
            if (text := delta.get("text")) is not None:
                if tags.answering:
                    yield TextDelta(text)
                else:
                    yield from tags.feed(text)
            else:
                yield from _read_other_delta(family, delta)
        elif (stop := chunk.get("messageStop")) is not None:
            yield from tags.rest()
            yield pieces.stopped(stop["stopReason"])
        elif (metadata := chunk.get("metadata")) is not None:
            yield from _read_metadata(metadata)
        else:
            pieces.skip_rest(family, chunk, _QUIET_EVENTS)


def _read_other_delta(family: str, delta: Json) -> Iterator[StreamEvent]:
    if (reasoning := delta.get("reasoningContent")) is not None:
        text = reasoning.get("text")
        # An empty text says nothing; a signature or a redacted piece says that there was reasoning.
        if text or text is None:
            yield ReasoningDelta(text or "")
    elif not delta.keys() & _QUIET_DELTAS:
        if not delta:
            raise KeyError("delta")
        pieces.skip_unknown(family, next(iter(delta)), delta)


def _read_metadata(metadata: Json) -> Iterator[StreamEvent]:
    if reported := metadata.get("usage"):
        yield _read_usage(reported)
    latency_ms = (metadata.get("metrics") or {}).get("latencyMs")
    if latency_ms is not None:
        yield ServerTiming(latency_s=latency_ms / 1000)


def _read_usage(reported: Json) -> Usage:
    """Converse's usage. `inputTokens` leaves the cache out: totalTokens is the sum of all four (recorded answers in
    dd-trace-py). Nova's own answers spell the cache's fields with `Count`."""
    return pieces.usage(
        reported,
        input_tokens="inputTokens",
        output_tokens="outputTokens",
        cache_read=("cacheReadInputTokens", "cacheReadInputTokenCount"),
        cache_write=("cacheWriteInputTokens", "cacheWriteInputTokenCount"),
    )


def read_body(family: str, body: Json) -> Iterator[StreamEvent]:
    """Events from the answer of Converse, or of Nova's InvokeModel."""
    texts: list[str] = []
    for block in body["output"]["message"].get("content") or ():
        if (text := block.get("text")) is not None:
            texts.append(text)
        elif (reasoning := block.get("reasoningContent")) is not None:
            yield ReasoningDelta((reasoning.get("reasoningText") or {}).get("text") or "")
        elif (cited := block.get("citationsContent")) is not None:
            texts.extend(part["text"] for part in cited.get("content") or () if "text" in part)
        elif not block.keys() & _QUIET_DELTAS:
            pieces.skip_unknown(family, next(iter(block), "empty block"), block)
    yield from whole_text("".join(texts))
    yield from _read_metadata(body)
    if reason := body.get("stopReason"):
        yield pieces.stopped(reason)


# --- writing --------------------------------------------------------------------------------------------------------


def write(events: Iterable[StreamEvent], *, metrics: bool, total: bool) -> Iterator[dict[str, Any]]:
    """A start, deltas as they come, then what closes the answer, once its end is known."""
    _, events = pieces.begun(events)
    yield {"messageStart": {"role": "assistant"}}
    index, kind = -1, None
    used: Usage | None = None
    timing: ServerTiming | None = None
    stop: MessageStop | None = None
    for event in events:
        match event:
            case TextDelta(text) | ReasoningDelta(text):
                if kind is not type(event):
                    if kind is not None:
                        yield {"contentBlockStop": {"contentBlockIndex": index}}
                    index, kind = index + 1, type(event)
                delta = {"text": text} if isinstance(event, TextDelta) else {"reasoningContent": {"text": text}}
                yield {"contentBlockDelta": {"contentBlockIndex": index, "delta": delta}}
            case Usage():
                used = event
            case ServerTiming():
                timing = event
            case MessageStop():
                stop = event
    if stop is None:
        return
    if kind is not None:
        yield {"contentBlockStop": {"contentBlockIndex": index}}
    yield {"messageStop": {"stopReason": stop_word(stop.reason, stop.raw_reason)}}
    measured = {"latencyMs": latency_ms(timing)} if metrics else {}
    yield {"metadata": {"usage": write_usage(used, total=total), "metrics": measured}}


def write_usage(used: Usage | None, *, total: bool) -> dict[str, int]:
    """Converse's usage object; fields that are not known are left out."""
    written = pieces.write_usage(
        used,
        input_tokens="inputTokens",
        output_tokens="outputTokens",
        cache_read="cacheReadInputTokens",
        cache_write="cacheWriteInputTokens",
    )
    if written and total:
        written["totalTokens"] = sum(written.values())
    return written


def stop_word(reason: StopReason | None, raw: str | None) -> str:
    if reason is None:
        return StopReason.END_TURN.value
    return reason.value if reason is not StopReason.OTHER or not raw else raw


def latency_ms(timing: ServerTiming | None) -> int:
    return round((timing.latency_s or 0.0) * 1000) if timing else 0
