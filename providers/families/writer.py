"""Writer Palmyra X4 and X5: chat completions whose stream closes with the JSON text "[DONE]".

Source: Bedrock user guide, model-parameters-palmyra, and public adapters, read 2026-11-22. As documented: no recorded
body was at hand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from providers.base import Json
from providers.families import pieces
from providers.families.chat_completions import ChatCompletions
from providers.types import Capabilities, GenerationRequest, Range

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


class Writer(ChatCompletions):
    """Palmyra's chat shape. Our own streams end without "[DONE]": chunks of the endpoint are objects."""

    name = "writer"
    prefixes: tuple[str, ...] = ("writer.palmyra-",)

    def capabilities(self, model_id: str) -> Capabilities:
        """Facts of one Palmyra model."""
        return pieces.best_match(model_id, _ROWS, _CAPABILITIES)

    def encode(self, request: GenerationRequest, *, stream: bool) -> dict[str, Any]:
        """The body; the length is always given."""
        return {"max_tokens": DEFAULT_MAX_TOKENS, **super().encode(request, stream=stream)}

    def parse_request(self, model_id: str, body: Json) -> GenerationRequest:
        """The request that a body asks for; a bare `prompt` is one question."""
        if "messages" not in body and isinstance(body.get("prompt"), str):
            rest = {name: value for name, value in body.items() if name != "prompt"}
            body = {**rest, "messages": [{"role": "user", "content": body["prompt"]}]}
        return super().parse_request(model_id, body)
