"""Anthropic's text completions: Claude 2, 2.1 and Instant. End of life; the format lives on in provisioned throughput.

Shapes: Bedrock user guide, Anthropic Claude text completions, and recorded bodies in dd-trace-py, read 2026-11-22. End
of life: AWS's table as quoted in epam/ai-dial-adapter-bedrock, pull request 310.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from providers.base import Json
from providers.families import fields, pieces
from providers.types import (
    Capabilities,
    Completion,
    GenerationRequest,
    Message,
    Range,
    StopReason,
    StreamEvent,
    TextDelta,
)

HUMAN, ASSISTANT = "\n\nHuman:", "\n\nAssistant:"
DEFAULT_MAX_TOKENS = 4096

_BASE = Capabilities(
    prefill=True,
    temperature=Range(low=0.0, high=1.0, default=1.0),
    top_p=Range(low=0.0, high=1.0, default=1.0),
    max_output_tokens=4096,
    context_tokens=100_000,
    end_of_life="2025-07-21",
    source="Bedrock user guide, Anthropic Claude text completions; read 2026-11-22",
)
_ROWS = {"anthropic.claude-v2:1": replace(_BASE, context_tokens=200_000)}

_QUIET_KEYS = frozenset(
    {
        "completion",
        "stop_reason",
        "stop",
        "type",
        "id",
        "model",
        "log_id",
        "truncated",
        "exception",
    }
)


class ClaudeText:
    """The completion shape with its two role words, in both directions."""

    name = "claude-text"
    prefixes: tuple[str, ...] = ("anthropic.claude-v1", "anthropic.claude-v2", "anthropic.claude-instant-")
    api: Literal["invoke", "converse"] = "invoke"

    def capabilities(self, model_id: str) -> Capabilities:
        """Facts of one model."""
        return pieces.best_match(model_id, _ROWS, _BASE)

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body; the length is required."""
        settings = request.inference
        body: dict[str, Any] = {
            "prompt": _write_prompt(request.system, request.messages),
            "max_tokens_to_sample": settings.max_tokens or DEFAULT_MAX_TOKENS,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "stop_sequences": [HUMAN, *settings.stop_sequences],
        }
        return pieces.merged(pieces.present(body), request.extra)

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events; a `stop_reason` that is not null is the end."""
        return pieces.one_answer(self.name, _read(chunks))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from a complete answer, which has the shape of a chunk."""
        return pieces.one_answer(self.name, _read(iter((body,))))

    def recognizes(self, body: Json) -> bool:
        """Only this shape has `max_tokens_to_sample`."""
        return "max_tokens_to_sample" in body

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for."""
        system, messages = _read_prompt(fields.text_field(body, "prompt"))
        settings = fields.inference(body, max_tokens="max_tokens_to_sample", stop="stop_sequences")
        own_stops = tuple(stop for stop in settings.stop_sequences if stop != HUMAN)
        known = ("prompt", "max_tokens_to_sample", "temperature", "top_p", "stop_sequences", "anthropic_version")
        return GenerationRequest(
            model_id=model_id,
            messages=messages,
            system=system,
            inference=replace(settings, stop_sequences=own_stops),
            extra=fields.without(body, known),
            api="invoke",
            family=self.name,
        )

    def write_body(self, completion: Completion) -> dict[str, Any]:
        """The body of a complete answer; reasoning has no place in it."""
        return _chunk(completion.text, completion.stop_reason or StopReason.END_TURN)

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """One chunk per piece, and an empty last one with the reason."""
        return pieces.write_chunks(events, _chunk)


def _read(chunks: Iterator[Json]) -> Iterator[StreamEvent]:
    for chunk in chunks:
        if text := chunk.get("completion"):
            yield TextDelta(text)
        if reason := chunk.get("stop_reason"):
            # The model ends its turn by beginning the person's next one: that is no stop sequence of the caller.
            ended = reason == "stop_sequence" and chunk.get("stop") == HUMAN
            yield pieces.stopped(reason, StopReason.END_TURN if ended else None)
        if text is None:
            pieces.skip_rest(ClaudeText.name, chunk, _QUIET_KEYS)


def _chunk(text: str, reason: StopReason | None) -> dict[str, Any]:
    word, stop = None, None
    if reason is StopReason.MAX_TOKENS:
        word = "max_tokens"
    elif reason is not None:
        word = "stop_sequence"
        stop = None if reason is StopReason.STOP_SEQUENCE else HUMAN
    return {"type": "completion", "completion": text, "stop_reason": word, "stop": stop}


# --- the prompt -------------------------------------------------------------------------------------------------------

_CONTROL = re.compile(r"\n\n(?=(?:Human|Assistant):)")


def _plain(text: str) -> str:
    """`text` that opens no turn: the role words count only after an empty line."""
    return _CONTROL.sub("\n\n ", text)


def _write_prompt(system: str | None, messages: Sequence[Message]) -> str:
    """System text before the first turn (Claude 2.1), turns with their role words, the last turn left open."""
    parts = [_plain(system)] if system else []
    parts += [f"{HUMAN if turn.role == 'user' else ASSISTANT} {_plain(turn.text)}" for turn in messages]
    if not messages or messages[-1].role == "user":
        parts.append(ASSISTANT)
    return "".join(parts)


def _read_prompt(prompt: str) -> tuple[str | None, tuple[Message, ...]]:
    system, *turns = re.split(r"(\n\nHuman:|\n\nAssistant:)", prompt)
    if not turns:
        return None, (Message(role="user", text=prompt),)
    messages = [
        Message(role="user" if word == HUMAN else "assistant", text=text.removeprefix(" "))
        for word, text in zip(turns[::2], turns[1::2], strict=True)
    ]
    if messages[-1].role == "assistant" and not messages[-1].text:
        messages.pop()
    return system or None, tuple(messages)
