"""AI21 Jurassic-2: one prompt, one complete answer, no stream. End of life; kept for provisioned throughput and tests.

Source: Bedrock user guide, model-parameters-jurassic2, and recorded bodies in newrelic-python-agent, read 2026-11-22.
The end of life is the day on which it was reported (weaviate, pull request 7538).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from providers.base import Json
from providers.families import fields, pieces, prompts
from providers.types import (
    Capabilities,
    Completion,
    GenerationRequest,
    Range,
    StopReason,
    StreamEvent,
    TextDelta,
    accumulate,
)

_CAPABILITIES = Capabilities(
    streaming=False,
    system_prompt=False,
    temperature=Range(low=0.0, high=1.0, default=0.5),
    top_p=Range(low=0.0, high=1.0, default=0.5),
    max_output_tokens=8191,
    context_tokens=8192,
    end_of_life="2025-03-13",
    source="Bedrock user guide, model-parameters-jurassic2; read 2026-11-22",
)

_REASONS = {"stop": StopReason.STOP_SEQUENCE}
"""Here `stop` is a stop sequence of the caller; the model's own end is `endoftext`."""

_QUIET_KEYS = frozenset({"id", "prompt", "completions"})

_WORDS = {StopReason.MAX_TOKENS: "length", StopReason.STOP_SEQUENCE: "stop"}


class Jurassic:
    """Jurassic's completion shape, in both directions."""

    name = "jurassic"
    prefixes: tuple[str, ...] = ("ai21.j2-",)
    api: Literal["invoke", "converse"] = "invoke"

    def capabilities(self, model_id: str) -> Capabilities:
        """The same for all of them."""
        return _CAPABILITIES

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body; a conversation becomes one text."""
        settings = request.inference
        first = request.messages[0]
        body: dict[str, Any] = {
            "prompt": first.text if len(request.messages) == 1 else prompts.transcript(request.messages),
            "maxTokens": settings.max_tokens,
            "temperature": settings.temperature,
            "topP": settings.top_p,
            "stopSequences": list(settings.stop_sequences) or None,
        }
        return pieces.merged(pieces.present(body), request.extra)

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events from an endpoint that sends the complete answer as a stream of one chunk; Bedrock sends no stream."""
        return pieces.one_answer(self.name, _read(chunks))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from a complete answer; `finishReason` is the end."""
        return pieces.one_answer(self.name, _read(iter((body,))))

    def recognizes(self, body: Json) -> bool:
        """By its own names beside the prompt."""
        return isinstance(body.get("prompt"), str) and bool(
            body.keys() & {"maxTokens", "topP", "stopSequences", "countPenalty", "numResults"}
        )

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for."""
        return GenerationRequest(
            model_id=model_id,
            messages=prompts.read_transcript(fields.text_field(body, "prompt")),
            inference=fields.inference(body, max_tokens="maxTokens", top_p="topP", stop="stopSequences"),
            extra=fields.without(body, ("prompt", "maxTokens", "temperature", "topP", "stopSequences")),
            api="invoke",
            family=self.name,
        )

    def write_body(self, completion: Completion) -> dict[str, Any]:
        """The body of a complete answer; reasoning has no place in it."""
        reason = completion.stop_reason or StopReason.END_TURN
        finish = {"reason": _WORDS.get(reason, "endoftext")}
        return {"id": 1, "prompt": {}, "completions": [{"data": {"text": completion.text}, "finishReason": finish}]}

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """The complete answer as one chunk, if there is one."""
        completion = accumulate(events)
        if completion.is_complete:
            yield self.write_body(completion)


def _read(chunks: Iterator[Json]) -> Iterator[StreamEvent]:
    for chunk in chunks:
        if completions := chunk.get("completions"):
            first = completions[0]
            yield TextDelta(first["data"]["text"])
            if finish := first.get("finishReason"):
                yield pieces.stopped(finish["reason"], _REASONS.get(finish["reason"]))
        else:
            pieces.skip_rest(Jurassic.name, chunk, _QUIET_KEYS)
