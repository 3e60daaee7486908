"""Writer Palmyra X4 and X5: chat completions whose stream closes with the JSON text "[DONE]".

Source: Bedrock user guide, model-parameters-palmyra, and public adapters, read 2026-11-22. As documented: no recorded
body was at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

from providers.base import Json
from providers.families import chat_completions, pieces
from providers.types import Capabilities, Completion, GenerationRequest, Range, StreamEvent

DEFAULT_MAX_TOKENS = 4096
"""The service's own default is 16 tokens, which cuts every answer."""

_CAPABILITIES = Capabilities(
    temperature=Range(low=0.0, high=2.0, default=1.0),
    top_p=Range(low=0.0, high=1.0),
    max_stop_sequences=4,
    max_output_tokens=8192,
    source="Bedrock user guide, model-parameters-palmyra; read 2026-11-22",
)
_ROWS = {
    "writer.palmyra-x4": replace(_CAPABILITIES, context_tokens=128_000),
    "writer.palmyra-x5": replace(_CAPABILITIES, context_tokens=1_000_000),
}


class Writer:
    """Palmyra's chat shape, in both directions."""

    name = "writer"
    prefixes: tuple[str, ...] = ("writer.palmyra-",)
    api: Literal["invoke", "converse"] = "invoke"

    def capabilities(self, model_id: str) -> Capabilities:
        """Facts of one Palmyra model."""
        return pieces.best_match(model_id, _ROWS, _CAPABILITIES)

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body; the length is always given."""
        return {"max_tokens": DEFAULT_MAX_TOKENS, **chat_completions.encode(request)}

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events; a `finish_reason` that is not null is the end, "[DONE]" is not."""
        return pieces.one_answer(self.name, chat_completions.read(self.name, chunks))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from a complete answer, under `message` or `text`."""
        return pieces.one_answer(self.name, chat_completions.read_body(self.name, body))

    def recognizes(self, body: Json) -> bool:
        """Never: its requests cannot be told from any other chat completion."""
        return False

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for; a bare `prompt` is one question."""
        if "messages" not in body and isinstance(body.get("prompt"), str):
            rest = {name: value for name, value in body.items() if name != "prompt"}
            body = {**rest, "messages": [{"role": "user", "content": body["prompt"]}]}
        return chat_completions.parse_request(self.name, model_id, body)

    def write_body(self, completion: Completion) -> dict[str, Any]:
        """The body of a complete answer."""
        return chat_completions.write_body(completion)

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """Chunks of `choices[0].delta`. The closing "[DONE]" is left out: chunks of the endpoint are objects."""
        return chat_completions.write_stream(events)
