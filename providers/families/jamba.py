"""AI21 Jamba: chat completions with AI21's limits.

Source: Bedrock user guide, model-parameters-jamba, and AI21's API reference, read 2026-11-22. As documented: no
recorded body was at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from providers.base import Json
from providers.families import chat_completions, pieces
from providers.types import Capabilities, Completion, GenerationRequest, Range, StreamEvent

_CAPABILITIES = Capabilities(
    temperature=Range(low=0.0, high=2.0, default=1.0),
    top_p=Range(low=0.0, high=1.0, default=1.0),
    context_tokens=256_000,
    end_of_life="2026-11-26",
    source="Bedrock user guide, model-parameters-jamba; AWS's table of model life cycles (2026-07-17)",
)


class Jamba:
    """Jamba's chat shape, in both directions."""

    name = "jamba"
    prefixes: tuple[str, ...] = ("ai21.jamba-",)
    api: Literal["invoke", "converse"] = "invoke"

    def capabilities(self, model_id: str) -> Capabilities:
        """The same for all of them."""
        return _CAPABILITIES

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body."""
        return chat_completions.encode(request)

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events; a `finish_reason` that is not null is the end, the usage comes with it."""
        return pieces.one_answer(self.name, chat_completions.read(self.name, chunks))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from a complete answer."""
        return pieces.one_answer(self.name, chat_completions.read_body(self.name, body))

    def recognizes(self, body: Json) -> bool:
        """Never: its requests cannot be told from any other chat completion."""
        return False

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for."""
        return chat_completions.parse_request(self.name, model_id, body)

    def write_body(self, completion: Completion) -> dict[str, Any]:
        """The body of a complete answer."""
        return chat_completions.write_body(completion)

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """Chunks of `choices[0].delta`."""
        return chat_completions.write_stream(events)
