"""The plain chat-completions family: gpt-oss, Qwen, newer Mistral, Kimi, MiniMax, Gemma, Nemotron, GLM.

Shape: `chat_completions.py`. Source: the vendors' pages in the Bedrock user guide (model parameters), and recorded
bodies of gpt-oss and Qwen; for the other vendors the shape is as documented. Read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

from providers.base import Json
from providers.families import chat_completions, pieces
from providers.model_ids import bare_id
from providers.types import Capabilities, Completion, GenerationRequest, Range, StreamEvent

_BASE = Capabilities(
    temperature=Range(low=0.0, high=1.0),
    top_p=Range(low=0.0, high=1.0),
    context_tokens=128_000,
    source="Bedrock user guide, model cards; OpenAI API reference, chat completions; read 2026-11-22",
)
_ROWS = {
    "openai.gpt-oss": replace(_BASE, temperature=Range(low=0.0, high=2.0, default=1.0)),
    "qwen.": replace(_BASE, temperature=Range(low=0.0, high=2.0), context_tokens=None),
    "qwen.qwen3-235b-a22b-2507": replace(_BASE, temperature=Range(low=0.0, high=2.0), context_tokens=262_000),
    "moonshot": replace(_BASE, context_tokens=262_000),
    "minimax.": replace(_BASE, context_tokens=1_000_000),
    "zai.": replace(_BASE, context_tokens=200_000),
    "nvidia.nemotron-nano-3": replace(_BASE, context_tokens=262_000),
}


class OpenAi:
    """Chat completions as OpenAI wrote them, in both directions."""

    name = "openai"
    prefixes: tuple[str, ...] = (
        "google.gemma-",
        "minimax.",
        "mistral.",
        "moonshot.",
        "moonshotai.",
        "nvidia.nemotron-",
        "openai.gpt-oss-",
        "qwen.",
        "zai.",
    )
    api: Literal["invoke", "converse"] = "invoke"

    def capabilities(self, model_id: str) -> Capabilities:
        """Facts of one model."""
        return pieces.best_match(model_id, _ROWS, _BASE)

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body. gpt-oss has the newer name for the length; `model` and `stream` are left out by all."""
        newer = bare_id(request.model_id).startswith("openai.")
        return chat_completions.encode(request, max_tokens="max_completion_tokens" if newer else "max_tokens")

    def decode_stream(self, chunks: Iterator[Json]) -> Iterator[StreamEvent]:
        """Events; a `finish_reason` that is not null is the end. Inline reasoning tags become reasoning."""
        return pieces.one_answer(self.name, chat_completions.read(self.name, chunks))

    def decode_body(self, body: Json) -> Iterator[StreamEvent]:
        """Events from a complete answer."""
        return pieces.one_answer(self.name, chat_completions.read_body(self.name, body))

    def recognizes(self, body: Json) -> bool:
        """Turns with plain texts under `messages`."""
        return chat_completions.recognizes(body)

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for."""
        return chat_completions.parse_request(self.name, model_id, body)

    def write_body(self, completion: Completion) -> dict[str, Any]:
        """The body of a complete answer."""
        return chat_completions.write_body(completion)

    def write_stream(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """Chunks of `choices[0].delta`."""
        return chat_completions.write_stream(events)
