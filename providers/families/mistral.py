"""Mistral's own shapes: text completions of the first models, and the chat of Large 2407 and Pixtral.

Newer models (Large 3, Ministral 3, Magistral, Devstral) speak plain chat completions: `openai.py`. Source: Bedrock user
guide, model-parameters-mistral, and recorded bodies of the text shape in opentelemetry-python-contrib and
newrelic-python-agent; the chat shape is as documented. Read 2026-11-22.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from providers.base import Json
from providers.families import fields, pieces, prompts
from providers.families.chat_completions import ChatCompletions
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

_TEXT = Capabilities(
    system_prompt=False,
    prefill=True,
    temperature=Range(low=0.0, high=1.0, default=0.5),
    top_p=Range(low=0.0, high=1.0, default=0.9),
    max_stop_sequences=10,
    max_output_tokens=8192,
    context_tokens=32_000,
    source="Bedrock user guide, model-parameters-mistral-text-completion; read 2026-11-22",
)
_CHAT = replace(
    _TEXT,
    system_prompt=True,
    prefill=False,
    max_stop_sequences=None,
    context_tokens=128_000,
    source="Bedrock user guide, model-parameters-mistral-chat-completion; read 2026-11-22",
)
_SMALLER = replace(_TEXT, max_output_tokens=4096)

_QUIET_KEYS = frozenset(
    {
        "outputs",
    }
)


class MistralChat(ChatCompletions):
    """Large 2407 and Pixtral Large: chat completions whose chunks hold a `message` and a `stop_reason`."""

    name = "mistral"
    prefixes: tuple[str, ...] = ("mistral.mistral-large-2407", "mistral.pixtral-large-2502")
    part = "message"
    reason_field = "stop_reason"

    def capabilities(self, model_id: str) -> Capabilities:
        """The same for both of them."""
        return _CHAT


class Mistral:
    """Mistral's text completions, in both directions; also for ids that name no model of Mistral's."""

    name = "mistral"
    prefixes: tuple[str, ...] = (
        "mistral.mistral-7b-",
        "mistral.mixtral-8x7b-",
        "mistral.mistral-large-2402",
        "mistral.mistral-small-2402",
    )
    api: Literal["invoke", "converse"] = "invoke"

    def capabilities(self, model_id: str) -> Capabilities:
        """Facts of one model."""
        return _SMALLER if model_id.startswith("mistral.mixtral-8x7b-") else _TEXT

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body."""
        settings = request.inference
        body: dict[str, Any] = {
            "prompt": _write_prompt(request.messages),
            "max_tokens": settings.max_tokens,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "stop": list(settings.stop_sequences) or None,
        }
        return pieces.merged(pieces.present(body), request.extra)

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events; a `stop_reason` that is not null is the end."""
        return pieces.one_answer(self.name, _read(chunks))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from a complete answer, which has the shape of a chunk."""
        return pieces.one_answer(self.name, _read(iter((body,))))

    def recognizes(self, body: Json) -> bool:
        """By its template."""
        prompt = body.get("prompt")
        return isinstance(prompt, str) and prompt.startswith("<s>[INST]") and "<<SYS>>" not in prompt

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for."""
        return GenerationRequest(
            model_id=model_id,
            messages=_read_prompt(fields.text_field(body, "prompt")),
            inference=fields.inference(body, max_tokens="max_tokens", stop="stop"),
            extra=fields.without(body, ("prompt", "max_tokens", "temperature", "top_p", "stop")),
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
        if outputs := chunk.get("outputs"):
            output = outputs[0]
            yield TextDelta(output["text"])
            if reason := output.get("stop_reason"):
                yield pieces.stopped(reason)
        else:
            pieces.skip_rest(Mistral.name, chunk, _QUIET_KEYS)


def _chunk(text: str, reason: StopReason | None) -> dict[str, Any]:
    word = None if reason is None else "length" if reason is StopReason.MAX_TOKENS else "stop"
    return {"outputs": [{"text": text, "stop_reason": word}]}


# --- the prompt -------------------------------------------------------------------------------------------------------

_CONTROL = re.compile(r"\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]|</?s>")


def _write_prompt(messages: Sequence[Message]) -> str:
    """Questions between `[INST]` and `[/INST]`, answers closed by `</s>`; a trailing answer is left open."""
    parts = ["<s>"]
    for position, turn in enumerate(messages):
        text = prompts.defused(turn.text, _CONTROL)
        if turn.role == "user":
            parts.append(f"[INST] {text} [/INST]")
        else:
            parts.append(f" {text}" + ("" if position == len(messages) - 1 else "</s>"))
    return "".join(parts)


def _read_prompt(prompt: str) -> tuple[Message, ...]:
    messages: list[Message] = []
    for part in prompt.split("[INST] ")[1:]:
        question, _, answer = part.partition(" [/INST]")
        messages.append(Message(role="user", text=question))
        if answer := answer.removesuffix("</s>").removeprefix(" "):
            messages.append(Message(role="assistant", text=answer))
    return tuple(messages) or (Message(role="user", text=prompt),)
