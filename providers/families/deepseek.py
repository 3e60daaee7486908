"""DeepSeek R1, a raw prompt that opens the reasoning itself, and DeepSeek V3, plain chat completions.

R1: Bedrock user guide, model-parameters-deepseek, and the chat template in DeepSeek's model card. Because `<think>` is
the end of the prompt, an answer may hold only the closing tag. Both as documented: no recorded body was at hand. Read
2026-11-22.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from providers.base import Json
from providers.families import chat_completions, fields, pieces, prompts
from providers.families.chat_completions import ChatCompletions
from providers.types import (
    Capabilities,
    Completion,
    GenerationRequest,
    Message,
    MessageStop,
    Range,
    ReasoningDelta,
    StopReason,
    StreamEvent,
    TextDelta,
)

BEGIN, END = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
USER, ASSISTANT = "<｜User｜>", "<｜Assistant｜>"
THINK = "<think>\n"

_R1 = Capabilities(
    temperature=Range(low=0.0, high=1.0),
    top_p=Range(low=0.0, high=1.0),
    max_stop_sequences=10,
    max_output_tokens=32_768,
    context_tokens=128_000,
    source="Bedrock user guide, model-parameters-deepseek; read 2026-11-22",
)
_V3 = replace(_R1, max_stop_sequences=None, max_output_tokens=None, context_tokens=164_000)


class DeepSeekChat(ChatCompletions):
    """DeepSeek V3: plain chat completions."""

    name = "deepseek"
    prefixes: tuple[str, ...] = ("deepseek.v3",)

    def capabilities(self, model_id: str) -> Capabilities:
        """The same for all of them."""
        return _V3


class DeepSeek:
    """DeepSeek R1, in both directions; also for ids that name no model of DeepSeek's."""

    name = "deepseek"
    prefixes: tuple[str, ...] = ("deepseek.",)
    api: Literal["invoke", "converse"] = "invoke"

    def capabilities(self, model_id: str) -> Capabilities:
        """R1 takes no open assistant turn here: its answer could not be told from reasoning."""
        return _R1

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body."""
        settings = request.inference
        body: dict[str, Any] = {
            "prompt": _write_prompt(request.system, request.messages),
            "max_tokens": settings.max_tokens,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "stop": list(settings.stop_sequences) or None,
        }
        return pieces.merged(pieces.present(body), request.extra)

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events; a `stop_reason` that is not null is the end.

        Text up to `</think>` is reasoning, also where the opening tag is missing.
        """
        return pieces.one_answer(self.name, chat_completions.read(self.name, chunks, opened=True))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from a complete answer."""
        return pieces.one_answer(self.name, chat_completions.read_body(self.name, body, opened=True))

    def recognizes(self, body: Json) -> bool:
        """By R1's template."""
        prompt = body.get("prompt")
        return isinstance(prompt, str) and (USER in prompt or prompt.startswith(BEGIN))

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for."""
        system, messages = _read_prompt(fields.text_field(body, "prompt"))
        return GenerationRequest(
            model_id=model_id,
            messages=messages,
            system=system,
            inference=fields.inference(body, max_tokens="max_tokens", stop="stop"),
            extra=fields.without(body, ("prompt", "max_tokens", "temperature", "top_p", "stop")),
            api="invoke",
            family=self.name,
        )

    def write_body(self, completion: Completion) -> dict[str, Any]:
        """The body of a complete answer; the closing tag stands there even without reasoning."""
        text = f"{completion.reasoning}\n</think>\n\n{completion.text}"
        return _chunk(text, completion.stop_reason or StopReason.END_TURN)

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """One chunk per piece, the closing tag before the first text, and an empty last one with the reason."""
        thinking = True
        stop: MessageStop | None = None
        for event in events:
            match event:
                case ReasoningDelta(text):
                    if thinking and text:
                        yield _chunk(text, None)
                case TextDelta(text):
                    yield _chunk(f"\n</think>\n\n{text}" if thinking else text, None)
                    thinking = False
                case MessageStop():
                    stop = event
        if stop is not None:
            yield _chunk("", stop.reason)


def _chunk(text: str, reason: StopReason | None) -> dict[str, Any]:
    word = None if reason is None else "length" if reason is StopReason.MAX_TOKENS else "stop"
    return {"choices": [{"index": 0, "text": text, "stop_reason": word}]}


# --- the prompt of R1 -------------------------------------------------------------------------------------------------

_CONTROL = re.compile(r"<｜[^｜<>\n]{1,40}｜>")
_TURN = re.compile(f"({re.escape(USER)}|{re.escape(ASSISTANT)})")


def _write_prompt(system: str | None, messages: Sequence[Message]) -> str:
    """System text behind the opening word, answers closed, and the reasoning opened."""
    parts = [BEGIN, prompts.defused(system, _CONTROL) if system else ""]
    for turn in messages:
        text = prompts.defused(turn.text, _CONTROL)
        parts.append(f"{USER}{text}" if turn.role == "user" else f"{ASSISTANT}{text}{END}")
    return "".join(parts) + ASSISTANT + THINK


def _read_prompt(prompt: str) -> tuple[str | None, tuple[Message, ...]]:
    system, *turns = _TURN.split(prompt.removeprefix(BEGIN).removesuffix(THINK).removesuffix(ASSISTANT))
    if not turns:
        return None, (Message(role="user", text=prompt),)
    messages = tuple(
        Message(role="user" if word == USER else "assistant", text=text.removesuffix(END))
        for word, text in zip(turns[::2], turns[1::2], strict=True)
    )
    return system or None, messages
