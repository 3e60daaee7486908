"""Cohere Command R and R+: chat with a message, a history and a preamble.

Source: Bedrock user guide, model-parameters-cohere-command-r-plus, and a recorded complete answer in
opentelemetry-python-contrib; the stream is as documented by Cohere (chat, version 1). Read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from providers.base import Json
from providers.families import fields, pieces
from providers.families.cohere import finished
from providers.types import (
    Capabilities,
    Completion,
    GenerationRequest,
    Message,
    MessageStop,
    Range,
    StopReason,
    StreamEvent,
    TextDelta,
)

_CAPABILITIES = Capabilities(
    temperature=Range(low=0.0, high=1.0, default=0.3),
    top_p=Range(low=0.01, high=0.99, default=0.75),
    context_tokens=128_000,
    end_of_life="2026-08-19",
    source="Bedrock user guide, model-parameters-cohere-command-r-plus; AWS's table of model life cycles (2026-07-17)",
)

_NO_KEYS: frozenset[str] = frozenset()
_QUIET_KINDS = frozenset(
    {
        "stream-start",
        "search-queries-generation",
        "search-results",
        "citation-generation",
        "tool-calls-chunk",
        "tool-calls-generation",
    }
)


class CohereR:
    """Command R's chat shape, in both directions."""

    name = "cohere-r"
    prefixes: tuple[str, ...] = ("cohere.command-r",)
    api: Literal["invoke", "converse"] = "invoke"

    def capabilities(self, model_id: str) -> Capabilities:
        """The same for both of them."""
        return _CAPABILITIES

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body: the last turn is the message, those before it are the history."""
        settings = request.inference
        *earlier, last = request.messages
        body: dict[str, Any] = {
            "message": last.text,
            "chat_history": [
                {"role": "USER" if turn.role == "user" else "CHATBOT", "message": turn.text} for turn in earlier
            ]
            or None,
            "preamble": request.system or None,
            "max_tokens": settings.max_tokens,
            "temperature": settings.temperature,
            "p": settings.top_p,
            "stop_sequences": list(settings.stop_sequences) or None,
        }
        return pieces.merged(pieces.present(body), request.extra)

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events; `stream-end` is the end. Its `response` repeats the whole answer and is not text of its own.

        Raises `ModelFailedError` where the finish is an error.
        """
        return pieces.one_answer(self.name, _read_stream(chunks))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from a complete answer."""
        return pieces.one_answer(self.name, _read_body(body))

    def recognizes(self, body: Json) -> bool:
        """Only this shape has one `message`."""
        return isinstance(body.get("message"), str)

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for."""
        turns: list[Message] = []
        for position, turn in enumerate(body.get("chat_history") or ()):
            path = f"chat_history/{position}"
            if not isinstance(turn, dict) or turn.get("role") not in ("USER", "CHATBOT"):
                fields.malformed(path, "expected a USER or CHATBOT turn")
            turns.append(
                Message(
                    role="user" if turn["role"] == "USER" else "assistant",
                    text=fields.content_text(turn.get("message"), path),
                )
            )
        known = ("message", "chat_history", "preamble", "max_tokens", "temperature", "p", "stop_sequences")
        return GenerationRequest(
            model_id=model_id,
            messages=(*turns, Message(role="user", text=fields.text_field(body, "message"))),
            system=fields.text_field(body, "preamble") or None if body.get("preamble") is not None else None,
            inference=fields.inference(body, max_tokens="max_tokens", top_p="p", stop="stop_sequences"),
            extra=fields.without(body, known),
            api="invoke",
            family=self.name,
        )

    def write_body(self, completion: Completion) -> dict[str, Any]:
        """The body of a complete answer; reasoning has no place in it."""
        return _answer(completion.text, completion.stop_reason)

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """One chunk per piece, and a last one that repeats the whole answer."""
        _, events = pieces.begun(events)
        yield {"event_type": "stream-start", "is_finished": False, "generation_id": "local"}
        texts: list[str] = []
        stop: MessageStop | None = None
        for event in events:
            match event:
                case TextDelta(text):
                    texts.append(text)
                    yield {"event_type": "text-generation", "is_finished": False, "text": text}
                case MessageStop():
                    stop = event
        if stop is not None:
            yield {
                "event_type": "stream-end",
                "is_finished": True,
                "finish_reason": _word(stop.reason),
                "response": _answer("".join(texts), stop.reason),
            }


def _read_stream(chunks: Iterator[Json]) -> Iterator[StreamEvent]:
    for chunk in chunks:
        kind = chunk.get("event_type")
        if kind == "text-generation":
            yield TextDelta(chunk["text"])
        elif kind == "stream-end" or chunk.get("is_finished"):
            yield finished(chunk["finish_reason"])
        elif kind is not None and kind not in _QUIET_KINDS:
            pieces.skip_unknown(CohereR.name, kind, chunk)
        elif kind is None:
            pieces.skip_rest(CohereR.name, chunk, _NO_KEYS)


def _read_body(body: Json) -> Iterator[StreamEvent]:
    yield TextDelta(body["text"])
    if reason := body.get("finish_reason"):
        yield finished(reason)


def _answer(text: str, reason: StopReason | None) -> dict[str, Any]:
    return {"text": text, "generation_id": "local", "chat_history": [], "finish_reason": _word(reason)}


def _word(reason: StopReason | None) -> str:
    return "MAX_TOKENS" if reason is StopReason.MAX_TOKENS else "COMPLETE"
