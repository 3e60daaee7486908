"""The plain chat-completions family: gpt-oss, Qwen, newer Mistral, Kimi, MiniMax, Gemma, Nemotron, GLM.

Shape: `chat_completions.py`. Source: the vendors' pages in the Bedrock user guide (model parameters), and recorded
bodies of gpt-oss and Qwen; for the other vendors the shape is as documented. Read 2026-11-22.
"""

from __future__ import annotations

from dataclasses import replace

from providers.base import Json
from providers.families import pieces
from providers.families.chat_completions import ChatCompletions
from providers.model_ids import bare_id
from providers.types import Capabilities, Range

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


class OpenAi(ChatCompletions):
    """Chat completions as OpenAI wrote them."""

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

    def capabilities(self, model_id: str) -> Capabilities:
        """Facts of one model."""
        return pieces.best_match(model_id, _ROWS, _BASE)

    def max_tokens_field(self, model_id: str) -> str:
        """gpt-oss has the newer name."""
        return "max_completion_tokens" if bare_id(model_id).startswith("openai.") else "max_tokens"

    def recognizes(self, body: Json) -> bool:
        """Turns with plain texts under `messages`, without another family's own fields."""
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages or "anthropic_version" in body or "inferenceConfig" in body:
            return False
        return all(isinstance(turn, dict) and isinstance(turn.get("content"), str) for turn in messages)
