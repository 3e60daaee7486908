"""Anthropic Claude over the Messages API: `anthropic.claude-3` to the newest.

Shapes: Anthropic API reference (messages, streaming) and recorded bodies in opentelemetry-python-contrib
(instrumentation-botocore/tests/cassettes), read 2026-11-22. The text completions of Claude 2 are in `claude_text.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from providers.base import Json
from providers.families import claude_models, fields, pieces
from providers.types import (
    Capabilities,
    Completion,
    GenerationRequest,
    MessageStop,
    ReasoningDelta,
    StopReason,
    StreamEvent,
    TextDelta,
    Usage,
)

VERSION = "bedrock-2023-05-31"
MESSAGE_ID = "msg_bdrk_local"
DEFAULT_MAX_TOKENS = 4096
"""`max_tokens` is required; this is the smallest maximum of all Claude 3 and later models."""

_NO_KEYS: frozenset[str] = frozenset()
_QUIET_CHUNKS = frozenset({"content_block_stop", "ping"})
_QUIET_BLOCKS = frozenset({"tool_use", "server_tool_use"})
_QUIET_DELTAS = frozenset({"input_json_delta", "citations_delta"})


class Claude:
    """Anthropic's Messages shape, in both directions."""

    name = "claude"
    prefixes: tuple[str, ...] = ("anthropic.claude-",)
    api: Literal["invoke", "converse"] = "invoke"

    def capabilities(self, model_id: str) -> Capabilities:
        """Facts of one Claude model; a name newer than the table gets the newest rules."""
        return pieces.best_match(model_id, claude_models.ROWS, claude_models.OLDEST)

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body; it holds neither the model nor whether to stream."""
        settings = request.inference
        body: dict[str, Any] = {
            "anthropic_version": VERSION,
            "max_tokens": settings.max_tokens or DEFAULT_MAX_TOKENS,
            "messages": [
                {"role": turn.role, "content": [{"type": "text", "text": turn.text}]} for turn in request.messages
            ],
        }
        if request.system:
            body["system"] = request.system
        if settings.temperature is not None:
            body["temperature"] = settings.temperature
        if settings.top_p is not None:
            body["top_p"] = settings.top_p
        if settings.stop_sequences:
            body["stop_sequences"] = list(settings.stop_sequences)
        return pieces.merged(body, request.extra)

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events; `message_stop` is the end, the reason stands in `message_delta` before it."""
        return pieces.one_answer(self.name, _read_stream(chunks))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from a complete answer."""
        return pieces.one_answer(self.name, _read_body(body))

    def recognizes(self, body: Json) -> bool:
        """Only this shape names Anthropic's version."""
        return "anthropic_version" in body

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for."""
        if fields.count_field(body, "max_tokens") is None:
            fields.malformed("max_tokens", "required key [max_tokens] not found")
        system = body.get("system")
        return GenerationRequest(
            model_id=model_id,
            messages=tuple(fields.messages_field(body, roles=())),
            system=fields.content_text(system, "system") or None if system is not None else None,
            inference=fields.inference(body, max_tokens="max_tokens", stop="stop_sequences"),
            extra=fields.without(body, _OUR_FIELDS),
            api="invoke",
            family=self.name,
        )

    def write_body(self, completion: Completion) -> dict[str, Any]:
        """The body of a complete answer."""
        content: list[dict[str, Any]] = []
        if completion.reasoning:
            content.append({"type": "thinking", "thinking": completion.reasoning, "signature": ""})
        if completion.text:
            content.append({"type": "text", "text": completion.text})
        return {
            "id": MESSAGE_ID,
            "type": "message",
            "role": "assistant",
            "content": content,
            "stop_reason": _word(completion.stop_reason, completion.raw_stop_reason),
            "stop_sequence": None,
            "usage": _write_usage(completion.usage),
        }

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """Chunks in the documented order; the usage comes with `message_delta`."""
        first, events = pieces.begun(events)
        message = {"id": MESSAGE_ID, "type": "message", "role": "assistant", "content": []}
        told = _write_usage(first if isinstance(first, Usage) else None)
        yield {"type": "message_start", "message": {**message, "usage": told}}
        index, kind = -1, None
        used: Usage | None = None
        stop: MessageStop | None = None
        for event in events:
            match event:
                case TextDelta() | ReasoningDelta():
                    if kind is not type(event):
                        if kind is not None:
                            yield {"type": "content_block_stop", "index": index}
                        index, kind = index + 1, type(event)
                        yield {"type": "content_block_start", "index": index, "content_block": _new_block(event)}
                    yield {"type": "content_block_delta", "index": index, "delta": _delta(event)}
                case Usage():
                    used = event
                case MessageStop():
                    stop = event
        if stop is None:
            return
        if kind is not None:
            yield {"type": "content_block_stop", "index": index}
        reason = {"stop_reason": _word(stop.reason, stop.raw_reason), "stop_sequence": None}
        yield {"type": "message_delta", "delta": reason, "usage": _write_usage(used)}
        yield {"type": "message_stop"}


_OUR_FIELDS = (
    "anthropic_version",
    "max_tokens",
    "messages",
    "system",
    "temperature",
    "top_p",
    "stop_sequences",
    "model",
    "stream",
)


def _read_stream(chunks: Iterator[Json]) -> Iterator[StreamEvent]:
    counts: dict[str, Any] = {}
    reason: str | None = None
    for chunk in chunks:
        kind = chunk.get("type")
        if kind == "content_block_delta":
            delta = chunk["delta"]
            if delta["type"] == "text_delta":
                yield TextDelta(delta["text"])
            else:
                yield from _read_other_delta(delta)
        elif kind == "content_block_start":
            yield from _read_block(chunk["content_block"])
        elif kind == "message_start":
            yield from _read_usage(counts, chunk["message"].get("usage"))
        elif kind == "message_delta":
            reason = chunk["delta"].get("stop_reason") or reason
            yield from _read_usage(counts, chunk.get("usage"))
        elif kind == "message_stop":
            yield pieces.stopped(reason or "")
        elif kind is not None and kind not in _QUIET_CHUNKS:
            pieces.skip_unknown(Claude.name, kind, chunk)
        elif kind is None:
            pieces.skip_rest(Claude.name, chunk, _NO_KEYS)


def _read_other_delta(delta: Json) -> Iterator[StreamEvent]:
    match delta["type"]:
        case "thinking_delta":
            if delta["thinking"]:
                yield ReasoningDelta(delta["thinking"])
        case "signature_delta":
            yield ReasoningDelta("")
        case kind if kind not in _QUIET_DELTAS:
            pieces.skip_unknown(Claude.name, kind, delta)


def _read_block(block: Json) -> Iterator[StreamEvent]:
    """What a block holds: nothing yet at its start in a stream, everything in a complete answer."""
    match block["type"]:
        case "text":
            if block.get("text"):
                yield TextDelta(block["text"])
        case "thinking":
            if block.get("thinking") or block.get("signature"):
                yield ReasoningDelta(block.get("thinking") or "")
        case "redacted_thinking":
            yield ReasoningDelta("")
        case kind if kind not in _QUIET_BLOCKS:
            pieces.skip_unknown(Claude.name, kind, block)


def _read_body(body: Json) -> Iterator[StreamEvent]:
    texts: list[str] = []
    for block in body["content"]:
        for event in _read_block(block):
            if isinstance(event, TextDelta):
                texts.append(event.text)
            else:
                yield event
    yield TextDelta("".join(texts))
    yield from _read_usage({}, body.get("usage"))
    if reason := body.get("stop_reason"):
        yield pieces.stopped(reason)


def _read_usage(counts: dict[str, Any], reported: Json | None) -> Iterator[Usage]:
    """The usage so far. `output_tokens` is cumulative; what is only in `message_start` is kept in `counts`.

    `input_tokens` leaves the cached part out (recorded answers in openllmetry).
    """
    if not reported:
        return
    counts.update({name: count for name, count in reported.items() if count is not None})
    yield pieces.usage(
        dict(counts),
        input_tokens="input_tokens",
        output_tokens="output_tokens",
        cache_read=("cache_read_input_tokens",),
        cache_write=("cache_creation_input_tokens",),
    )


# --- writing ----------------------------------------------------------------------------------------------------------


def _word(reason: StopReason | None, raw: str | None) -> str:
    match reason:
        case None:
            return StopReason.END_TURN.value
        case StopReason.CONTENT_FILTERED:
            return "refusal"
        case StopReason.OTHER:
            return raw or StopReason.END_TURN.value
        case _:
            return reason.value


def _new_block(event: TextDelta | ReasoningDelta) -> dict[str, Any]:
    if isinstance(event, TextDelta):
        return {"type": "text", "text": ""}
    return {"type": "thinking", "thinking": "", "signature": ""}


def _delta(event: TextDelta | ReasoningDelta) -> dict[str, Any]:
    if isinstance(event, TextDelta):
        return {"type": "text_delta", "text": event.text}
    return {"type": "thinking_delta", "thinking": event.text}


def _write_usage(used: Usage | None) -> dict[str, int]:
    return pieces.write_usage(
        used,
        input_tokens="input_tokens",
        output_tokens="output_tokens",
        cache_read="cache_read_input_tokens",
        cache_write="cache_creation_input_tokens",
    )
