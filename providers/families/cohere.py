"""Cohere Command and Command Light: text generation. End of life; the format lives on in provisioned throughput.

Source: Bedrock user guide, model-parameters-cohere-command, and recorded bodies in newrelic-python-agent, read
2026-11-22. End of life: AWS's table as quoted in epam/ai-dial-adapter-bedrock, pull request 310.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from providers.base import Json
from providers.errors import ModelFailedError
from providers.families import fields, pieces, prompts
from providers.types import (
    Capabilities,
    Completion,
    GenerationRequest,
    MessageStop,
    Range,
    StopReason,
    StreamEvent,
    TextDelta,
)

_CAPABILITIES = Capabilities(
    system_prompt=False,
    temperature=Range(low=0.0, high=5.0, default=0.9),
    top_p=Range(low=0.0, high=1.0, default=0.75),
    max_stop_sequences=4,
    max_output_tokens=4096,
    context_tokens=4096,
    end_of_life="2025-08-12",
    source="Bedrock user guide, model-parameters-cohere-command; read 2026-11-22",
)

_QUIET_KEYS = frozenset(
    {
        "text",
        "is_finished",
        "finish_reason",
        "index",
        "id",
        "prompt",
        "generations",
    }
)


class Cohere:
    """Command's generation shape, in both directions."""

    name = "cohere"
    prefixes: tuple[str, ...] = ("cohere.command-text-", "cohere.command-light-")
    api: Literal["invoke", "converse"] = "invoke"

    def capabilities(self, model_id: str) -> Capabilities:
        """The same for both of them."""
        return _CAPABILITIES

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body. Without `stream` in it the service streams one chunk with the whole answer."""
        settings = request.inference
        first = request.messages[0]
        body: dict[str, Any] = {
            "prompt": first.text if len(request.messages) == 1 else prompts.transcript(request.messages),
            "max_tokens": settings.max_tokens,
            "temperature": settings.temperature,
            "p": settings.top_p,
            "stop_sequences": list(settings.stop_sequences) or None,
            "stream": stream,
        }
        return pieces.merged(pieces.present(body), request.extra)

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events; `is_finished` is the end. Raises `ModelFailedError` where the finish is an error."""
        return pieces.one_answer(self.name, _read(chunks))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from a complete answer."""
        return pieces.one_answer(self.name, _read(iter((body,))))

    def recognizes(self, body: Json) -> bool:
        """By the flag in the body, or its own name for top-p."""
        return isinstance(body.get("prompt"), str) and bool(body.keys() & {"p", "stream", "num_generations"})

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for."""
        known = ("prompt", "max_tokens", "temperature", "p", "stop_sequences", "stream")
        return GenerationRequest(
            model_id=model_id,
            messages=prompts.read_transcript(fields.text_field(body, "prompt")),
            inference=fields.inference(body, max_tokens="max_tokens", top_p="p", stop="stop_sequences"),
            extra=fields.without(body, known),
            api="invoke",
            family=self.name,
        )

    def write_body(self, completion: Completion) -> dict[str, Any]:
        """The body of a complete answer; reasoning has no place in it."""
        generation = {"id": "local", "text": completion.text, "finish_reason": _word(completion.stop_reason)}
        return {"id": "local", "generations": [generation], "prompt": ""}

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """One chunk per piece, and a last one that says that it is finished."""
        return pieces.write_chunks(events, _chunk)


def _chunk(text: str, reason: StopReason | None) -> dict[str, Any]:
    if reason is None:
        return {"text": text, "is_finished": False, "index": 0}
    return {"is_finished": True, "index": 0, "finish_reason": _word(reason)}


def _read(chunks: Iterator[Json]) -> Iterator[StreamEvent]:
    for chunk in chunks:
        if chunk.get("index"):
            continue  # one answer was asked for; more come only through `extra`
        if text := chunk.get("text"):
            yield TextDelta(text)
        if chunk.get("is_finished"):
            yield finished(chunk["finish_reason"])
        elif generations := chunk.get("generations"):
            yield TextDelta(generations[0]["text"])
            if reason := generations[0].get("finish_reason"):
                yield finished(reason)
        elif not text:
            pieces.skip_rest(Cohere.name, chunk, _QUIET_KEYS)


def finished(reason: str) -> MessageStop:
    """Cohere's end of an answer. Raises `ModelFailedError` for the reasons that are errors."""
    if reason.startswith("ERROR"):
        raise ModelFailedError(
            f"The model ended its answer with {reason}. Try again, or change the prompt.", code=reason
        )
    return pieces.stopped(reason)


def _word(reason: StopReason | None) -> str:
    return "MAX_TOKENS" if reason is StopReason.MAX_TOKENS else "COMPLETE"
