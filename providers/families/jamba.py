"""AI21 Jamba: chat completions with AI21's limits.

Source: Bedrock user guide, model-parameters-jamba, and AI21's API reference, read 2026-11-22. As documented: no
recorded body was at hand.
"""

from __future__ import annotations

from providers.families.chat_completions import ChatCompletions
from providers.types import Capabilities, Range

_CAPABILITIES = Capabilities(
    temperature=Range(low=0.0, high=2.0, default=1.0),
    top_p=Range(low=0.0, high=1.0, default=1.0),
    context_tokens=256_000,
    end_of_life="2026-11-26",
    source="Bedrock user guide, model-parameters-jamba; AWS's table of model life cycles (2026-07-17)",
)


class Jamba(ChatCompletions):
    """Jamba's chat shape; the usage comes with the end."""

    name = "jamba"
    prefixes: tuple[str, ...] = ("ai21.jamba-",)

    def capabilities(self, model_id: str) -> Capabilities:
        """The same for all of them."""
        return _CAPABILITIES
