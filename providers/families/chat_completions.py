"""The chat-completions shape, in both directions: what OpenAI, and most newer vendors after it, speak.

No family by itself but what several are made of: `openai.py` is the plain one; Mistral's chat models, Jamba,
DeepSeek V3 and Palmyra differ in small things. Source: OpenAI's API reference for chat completions, and recordings of
gpt-oss on Bedrock in llama-stack, read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

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


class ChatCompletions:
    """A family in this shape. A subclass says its `name`, its `prefixes` and the facts of its models."""

    name: str
    prefixes: tuple[str, ...]
    api: Literal["invoke", "converse"] = "invoke"
    part: Literal["delta", "message"] = "delta"
    """Where the chunks that we write hold their text; both are read."""
    reason_field: Literal["finish_reason", "stop_reason"] = "finish_reason"
    """The same for the reason of the end."""

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body; a system prompt is the first message, `model` and `stream` are left out."""
        settings = request.inference
        messages = [{"role": "system", "content": request.system}] if request.system else []
        messages += [{"role": turn.role, "content": turn.text} for turn in request.messages]
        body: dict[str, Any] = {
            "messages": messages,
            self.max_tokens_field(request.model_id): settings.max_tokens,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "stop": list(settings.stop_sequences) or None,
        }
        return pieces.merged(pieces.present(body), request.extra)

    def max_tokens_field(self, model_id: str) -> str:
        """The name of the field for the length."""
        return "max_tokens"

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events; a `finish_reason` (or `stop_reason`) that is not null is the end, "[DONE]" and usage are not."""
        return pieces.one_answer(self.name, read(self.name, chunks))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from a complete answer."""
        return pieces.one_answer(self.name, read_body(self.name, body))

    def recognizes(self, body: Json) -> bool:
        """Never: such a request cannot be told from the plain family's, which answers to it."""
        return False

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for."""
        known = ("messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "model", "stream")
        return GenerationRequest(
            model_id=model_id,
            messages=tuple(fields.messages_field(body)),
            system=fields.system_texts(body),
            inference=fields.inference(body, max_tokens=("max_completion_tokens", "max_tokens"), stop="stop"),
            extra=fields.without(body, known),
            api="invoke",
            family=self.name,
        )

    def write_body(self, completion: Completion) -> dict[str, Any]:
        """The body of a complete answer, reasoning inline as gpt-oss writes it."""
        content = (_inline(completion.reasoning) if completion.reasoning else "") + completion.text
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": content},
            self.reason_field: _WORDS.get(completion.stop_reason, "stop") if completion.stop_reason else "stop",
        }
        return {"object": "chat.completion", "choices": [choice], **_usage_field(completion.usage)}

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """One chunk per piece, and a last one with the reason. Every piece of reasoning has its own pair of tags, as
        in recorded streams of gpt-oss (llama-stack)."""
        used: Usage | None = None
        stop: MessageStop | None = None
        _, events = pieces.begun(events)
        yield self._chunk({"role": "assistant", "content": ""}, None)
        for event in events:
            match event:
                case TextDelta(text):
                    yield self._chunk({"content": text}, None)
                case ReasoningDelta(text):
                    if text:
                        yield self._chunk({"content": _inline(text)}, None)
                case Usage():
                    used = event
                case MessageStop():
                    stop = event
        if stop is not None:
            yield {**self._chunk({}, _WORDS.get(stop.reason, "stop")), **_usage_field(used)}

    def _chunk(self, delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, self.part: delta, self.reason_field: reason}
        return {"object": "chat.completion.chunk", "choices": [choice]}


# --- reading ----------------------------------------------------------------------------------------------------------


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


def _inline(reasoning: str) -> str:
    return f"<reasoning>{reasoning}</reasoning>"


def _usage_field(used: Usage | None) -> dict[str, Any]:
    if used is None:
        return {}
    counts = pieces.present({"prompt_tokens": used.input_tokens, "completion_tokens": used.output_tokens})
    return {"usage": {**counts, "total_tokens": sum(counts.values())}}
