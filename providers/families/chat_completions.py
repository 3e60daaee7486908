"""The chat-completions shape, in both directions: what OpenAI, and most newer vendors after it, speak.

No family by itself: `openai.py` is the plain one; Mistral's chat models, Jamba, DeepSeek V3 and Palmyra differ in
small things and use these functions. Source: OpenAI's API reference for chat completions, and recorded InvokeModel
bodies of gpt-oss and Qwen in opentelemetry-python-contrib and llama-stack, read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from providers.base import Json
from providers.families import fields, pieces
from providers.families.reasoning import ReasoningTags
from providers.types import (
    Completion,
    GenerationRequest,
    MessageStop,
    ReasoningDelta,
    StopReason,
    StreamEvent,
    TextDelta,
    Usage,
)

DONE = "[DONE]"
"""A chunk of some vendors that is a JSON text instead of an object: the stream is over, the answer need not be."""

_QUIET_KEYS = frozenset(
    {
        "choices",
        "created",
        "id",
        "meta",
        "model",
        "object",
        "prompt_logprobs",
        "service_tier",
        "system_fingerprint",
        "usage",
    }
)

_WORDS = {
    StopReason.MAX_TOKENS: "length",
    StopReason.TOOL_USE: "tool_calls",
    StopReason.CONTENT_FILTERED: "content_filter",
}


def encode(request: GenerationRequest, *, max_tokens: str = "max_tokens", stop: str = "stop") -> dict[str, Any]:
    """The body; a system prompt is the first message. `max_tokens` and `stop` are the fields' names."""
    settings = request.inference
    messages = [{"role": "system", "content": request.system}] if request.system else []
    messages += [{"role": turn.role, "content": turn.text} for turn in request.messages]
    body: dict[str, Any] = {
        "messages": messages,
        max_tokens: settings.max_tokens,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        stop: list(settings.stop_sequences) or None,
    }
    return pieces.merged(pieces.present(body), request.extra)


def read(family: str, chunks: Iterable[Json | str], *, opened: bool = False) -> Iterator[StreamEvent]:
    """Events from chunks or from one complete answer: `delta`, `message` and `text` are accepted in either.

    The end is a `finish_reason` (Mistral and DeepSeek say `stop_reason`) that is not null. `opened` says that the
    prompt had opened the reasoning, which matters for answers under `text` only.
    """
    tags = ReasoningTags()
    untouched = True
    for chunk in chunks:
        if isinstance(chunk, str):
            if chunk != DONE:
                pieces.skip_unknown(family, chunk, {"text": chunk})
            continue
        if choices := chunk.get("choices"):
            choice = choices[0]
            if choice.get("index"):
                continue  # one answer was asked for; more come only through `extra`
            part = choice.get("delta") or choice.get("message") or choice
            text = part.get("content")
            if text is None:
                text = part.get("text")
                if text and untouched and opened:
                    tags = ReasoningTags(opened=True)
            if text:
                untouched = False
                if tags.answering and type(text) is str:
                    yield TextDelta(text)
                else:
                    yield from _read_content(family, tags, text)
            if thought := part.get("reasoning_content") or part.get("reasoning"):
                yield ReasoningDelta(thought)
            if reason := choice.get("finish_reason") or choice.get("stop_reason"):
                yield from tags.rest()
                yield pieces.stopped(reason)
        else:
            pieces.skip_rest(family, chunk, _QUIET_KEYS)
        if reported := chunk.get("usage"):
            yield _read_usage(reported)


def read_body(family: str, body: Json, *, opened: bool = False) -> Iterator[StreamEvent]:
    """Events from a complete answer: reasoning first, then at most one `TextDelta`."""
    texts: list[str] = []
    late: list[StreamEvent] = []
    for event in read(family, (body,), opened=opened):
        if isinstance(event, TextDelta):
            texts.append(event.text)
        elif isinstance(event, ReasoningDelta):
            yield event
        else:
            late.append(event)
    yield TextDelta("".join(texts))
    yield from late


def _read_content(family: str, tags: ReasoningTags, content: Any) -> Iterator[StreamEvent]:
    """Text, or a list of blocks as Mistral's reasoning models write it (Mistral API reference, read 2026-11-22)."""
    if isinstance(content, str):
        yield from tags.feed(content)
        return
    for block in content:
        match block["type"]:
            case "text":
                yield from tags.feed(block["text"])
            case "thinking":
                thought = block["thinking"]
                parts = [thought] if isinstance(thought, str) else [part.get("text", "") for part in thought]
                yield ReasoningDelta("".join(parts))
            case kind:
                pieces.skip_unknown(family, kind, block)


def _read_usage(reported: Json) -> Usage:
    """`prompt_tokens` has the cached ones in it."""
    total = pieces.usage(reported, input_tokens="prompt_tokens", output_tokens="completion_tokens")
    cached = (reported.get("prompt_tokens_details") or {}).get("cached_tokens")
    return Usage(
        input_tokens=total.input_tokens,
        output_tokens=total.output_tokens,
        cache_read_tokens=cached,
        raw=reported,
    )


# --- the other direction ----------------------------------------------------------------------------------------------


def recognizes(body: Json) -> bool:
    """Whether turns hold plain texts under `messages`, without another family's own fields."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or "anthropic_version" in body or "inferenceConfig" in body:
        return False
    return all(isinstance(turn, dict) and isinstance(turn.get("content"), str) for turn in messages)


def parse_request(family: str, model_id: str, body: Json, *, stop: str = "stop") -> GenerationRequest:
    """The request that a body asks for. Raises `InvalidValueError`."""
    known = ("messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", stop, "model", "stream")
    return GenerationRequest(
        model_id=model_id,
        messages=tuple(fields.messages_field(body)),
        system=fields.system_texts(body),
        inference=fields.inference(body, max_tokens=("max_completion_tokens", "max_tokens"), stop=stop),
        extra=fields.without(body, known),
        api="invoke",
        family=family,
    )


def write_body(completion: Completion, *, reason_field: str = "finish_reason") -> dict[str, Any]:
    """The body of a complete answer, reasoning inline as gpt-oss writes it."""
    content = (_inline(completion.reasoning) if completion.reasoning else "") + completion.text
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content},
        reason_field: _WORDS.get(completion.stop_reason, "stop") if completion.stop_reason else "stop",
    }
    return {"object": "chat.completion", "choices": [choice], **_usage_field(completion.usage)}


def write_stream(
    events: Iterable[StreamEvent], *, part: str = "delta", reason_field: str = "finish_reason"
) -> Iterator[dict[str, Any]]:
    """One chunk per piece, and a last one with the reason. Every piece of reasoning has its own pair of tags, as in
    recorded streams of gpt-oss (llama-stack)."""
    used: Usage | None = None
    stop: MessageStop | None = None
    _, events = pieces.begun(events)
    yield _chunk(part, {"role": "assistant", "content": ""}, reason_field, None)
    for event in events:
        match event:
            case TextDelta(text):
                yield _chunk(part, {"content": text}, reason_field, None)
            case ReasoningDelta(text):
                if text:
                    yield _chunk(part, {"content": _inline(text)}, reason_field, None)
            case Usage():
                used = event
            case MessageStop():
                stop = event
    if stop is not None:
        yield {**_chunk(part, {}, reason_field, _WORDS.get(stop.reason, "stop")), **_usage_field(used)}


def _chunk(part: str, delta: dict[str, Any], reason_field: str, reason: str | None) -> dict[str, Any]:
    choice = {"index": 0, part: delta, reason_field: reason}
    return {"object": "chat.completion.chunk", "choices": [choice]}


def _inline(reasoning: str) -> str:
    return f"<reasoning>{reasoning}</reasoning>"


def _usage_field(used: Usage | None) -> dict[str, Any]:
    if used is None:
        return {}
    counts = {"prompt_tokens": used.input_tokens, "completion_tokens": used.output_tokens}
    known = {name: count for name, count in counts.items() if count is not None}
    return {"usage": {**known, "total_tokens": sum(known.values())}}
