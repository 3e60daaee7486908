"""Meta Llama 2, 3 and 4: a raw prompt in which the roles are written by us.

Body and answer: Bedrock user guide, model-parameters-meta, and recorded bodies in dd-trace-py and
newrelic-python-agent. Templates: Meta's model cards and prompt formats (llama.com), read 2026-11-22. Ends of life:
AWS's table in awslabs/startups (2026-07-17); for Llama 2 the day on which it was reported
(epam/ai-dial-adapter-bedrock, pull request 177).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from providers.base import Json
from providers.families import fields, pieces, prompts
from providers.model_ids import bare_id
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
    Usage,
)

_BASE = Capabilities(
    prefill=True,
    temperature=Range(low=0.0, high=1.0, default=0.5),
    top_p=Range(low=0.0, high=1.0, default=0.9),
    max_stop_sequences=0,
    max_output_tokens=8192,
    context_tokens=128_000,
    source="Bedrock user guide, model-parameters-meta; read 2026-11-22",
)
_OLD = replace(_BASE, max_output_tokens=2048)
_ROWS = {
    "meta.llama2-": replace(_OLD, context_tokens=4096, end_of_life="2024-11-08"),
    "meta.llama3-8b": replace(_OLD, context_tokens=8192),
    "meta.llama3-70b": replace(_OLD, context_tokens=8192),
    "meta.llama3-1-405b": replace(_BASE, end_of_life="2026-07-07"),
    "meta.llama3-2-": replace(_BASE, end_of_life="2026-07-07"),
}

_QUIET_KEYS = frozenset(
    {
        "generation",
        "prompt",
        "prompt_token_count",
        "generation_token_count",
        "stop_reason",
        "logprobs",
    }
)


class Llama:
    """Llama's raw prompt shape, in both directions. There is no field for stop sequences."""

    name = "llama"
    prefixes: tuple[str, ...] = ("meta.llama",)
    api: Literal["invoke", "converse"] = "invoke"

    def capabilities(self, model_id: str) -> Capabilities:
        """Facts of one Llama model."""
        return pieces.best_match(model_id, _ROWS, _BASE)

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body, with the prompt in the template of the model's generation."""
        settings = request.inference
        body: dict[str, Any] = {
            "prompt": _template(request.model_id).write(request.system, request.messages),
            "max_gen_len": settings.max_tokens,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
        }
        return pieces.merged(pieces.present(body), request.extra)

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events; a `stop_reason` that is not null is the end. Empty chunks occur, before emoji for one."""
        return pieces.one_answer(self.name, _read(chunks))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from a complete answer, which has the shape of a chunk."""
        return pieces.one_answer(self.name, _read(iter((body,))))

    def recognizes(self, body: Json) -> bool:
        """By its own name for the length, or by one of its templates."""
        prompt = body.get("prompt")
        return "max_gen_len" in body or (isinstance(prompt, str) and (prompt.startswith(BEGIN) or "<<SYS>>" in prompt))

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for; a prompt without a template is one question."""
        system, messages = _read_prompt(fields.text_field(body, "prompt"))
        return GenerationRequest(
            model_id=model_id,
            messages=messages,
            system=system,
            inference=fields.inference(body, max_tokens="max_gen_len"),
            extra=fields.without(body, ("prompt", "max_gen_len", "temperature", "top_p")),
            api="invoke",
            family=self.name,
        )

    def write_body(self, completion: Completion) -> dict[str, Any]:
        """The body of a complete answer; reasoning has no place in it."""
        used = completion.usage or Usage()
        return _chunk(completion.text, _word(completion.stop_reason), used.input_tokens, used.output_tokens)

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """One chunk per piece, and an empty last one with the reason and the counts."""
        used, stop = Usage(), None
        for event in events:
            match event:
                case TextDelta(text):
                    yield _chunk(text, None, None, None)
                case Usage():
                    used = event
                case MessageStop():
                    stop = event
        if stop is not None:
            yield _chunk("", _word(stop.reason), used.input_tokens, used.output_tokens)


def _read(chunks: Iterator[Json]) -> Iterator[StreamEvent]:
    prompt_tokens: int | None = None
    for chunk in chunks:
        if text := chunk.get("generation"):
            yield TextDelta(text)
        if (told := chunk.get("prompt_token_count")) is not None:  # only the first chunk tells
            prompt_tokens = told
        if reason := chunk.get("stop_reason"):
            counts = {
                "prompt_token_count": prompt_tokens,
                "generation_token_count": chunk.get("generation_token_count"),
            }
            if any(count is not None for count in counts.values()):
                yield pieces.usage(counts, input_tokens="prompt_token_count", output_tokens="generation_token_count")
            yield pieces.stopped(reason)
        if text is None:
            pieces.skip_rest(Llama.name, chunk, _QUIET_KEYS)


def _chunk(text: str, reason: str | None, prompt_tokens: int | None, tokens: int | None) -> dict[str, Any]:
    return {
        "generation": text,
        "prompt_token_count": prompt_tokens,
        "generation_token_count": tokens,
        "stop_reason": reason,
    }


def _word(reason: StopReason | None) -> str:
    return "length" if reason is StopReason.MAX_TOKENS else "stop"


# --- the templates ----------------------------------------------------------------------------------------------------

BEGIN = "<|begin_of_text|>"
_HEADER_WORDS = re.compile(r"<\|[^|<>\s]{1,40}\|>")
_INSTRUCT_WORDS = re.compile(r"\[/?INST\]|<</?SYS>>|</?s>")
"""Words that open or close a turn in the templates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _HeaderTemplate:
    """Llama 3 and 4: every turn has a header and an end."""

    opening: str
    closing: str
    end: str

    def write(self, system: str | None, messages: Sequence[Message]) -> str:
        """The prompt; a trailing assistant turn is left open, otherwise a new one is opened."""
        turns = [self._turn("system", system) + self.end] if system else []
        turns += [self._turn(turn.role, turn.text) + self.end for turn in messages]
        if messages and messages[-1].role == "assistant":
            turns[-1] = turns[-1].removesuffix(self.end)
        else:
            turns.append(self._turn("assistant", ""))
        return BEGIN + "".join(turns)

    def _turn(self, role: str, text: str) -> str:
        return f"{self.opening}{role}{self.closing}\n\n{prompts.defused(text, _HEADER_WORDS)}"

    def read(self, prompt: str) -> tuple[str | None, tuple[Message, ...]]:
        """The turns that `write` wrote, those with nothing in them left out."""
        system: str | None = None
        messages: list[Message] = []
        for part in prompt.split(self.opening)[1:]:
            role, _, text = part.partition(f"{self.closing}\n\n")
            text = text.removesuffix(self.end)
            if role == "system":
                system = text
            elif text and role in ("user", "assistant"):
                messages.append(Message(role="user" if role == "user" else "assistant", text=text))
        return system, tuple(messages)


class _InstructTemplate:
    """Llama 2: a pair of turns stands between `<s>` and `</s>`, the system prompt inside the first question."""

    opening = "[INST] "

    def write(self, system: str | None, messages: Sequence[Message]) -> str:
        """The prompt; a trailing assistant turn is left open."""
        parts: list[str] = []
        above = f"<<SYS>>\n{prompts.defused(system, _INSTRUCT_WORDS)}\n<</SYS>>\n\n" if system else ""
        for position, turn in enumerate(messages):
            text = prompts.defused(turn.text, _INSTRUCT_WORDS)
            if turn.role == "user":
                parts.append(f"<s>[INST] {'' if position else above}{text} [/INST]")
            else:
                parts.append(f" {text}" + ("" if position == len(messages) - 1 else " </s>"))
        return "".join(parts)

    def read(self, prompt: str) -> tuple[str | None, tuple[Message, ...]]:
        """The turns that `write` wrote."""
        system: str | None = None
        messages: list[Message] = []
        for part in prompt.split(self.opening)[1:]:
            question, _, answer = part.partition(" [/INST]")
            if question.startswith("<<SYS>>\n"):
                system, _, question = question.removeprefix("<<SYS>>\n").partition("\n<</SYS>>\n\n")
            messages.append(Message(role="user", text=question))
            answer = answer.removesuffix("<s>").removesuffix(" </s>").removeprefix(" ")
            if answer:
                messages.append(Message(role="assistant", text=answer))
        return system, tuple(messages)


_LLAMA_2 = _InstructTemplate()
_LLAMA_3 = _HeaderTemplate(opening="<|start_header_id|>", closing="<|end_header_id|>", end="<|eot_id|>")
_LLAMA_4 = _HeaderTemplate(opening="<|header_start|>", closing="<|header_end|>", end="<|eot|>")


def _template(model_id: str) -> _HeaderTemplate | _InstructTemplate:
    """The template by the model's generation. An id that tells none, of an imported model for one, gets Llama 3's."""
    rows: dict[str, _HeaderTemplate | _InstructTemplate] = {"meta.llama2": _LLAMA_2, "meta.llama4": _LLAMA_4}
    return pieces.best_match(bare_id(model_id), rows, _LLAMA_3)


def _read_prompt(prompt: str) -> tuple[str | None, tuple[Message, ...]]:
    begin = prompt.removeprefix(BEGIN).removeprefix("<s>")
    for template in (_LLAMA_3, _LLAMA_4, _LLAMA_2):
        if begin.startswith(template.opening):
            return template.read(prompt)
    return None, (Message(role="user", text=prompt),)
