"""Which models a person is offered: a short list of current ones, as data. Any other id can be typed.

The list is what this project knows, not what an account may call. Models past their end of life are not in it.
Source: ids and on-demand rules of the Bedrock user guide and of public price tables (litellm's model_prices, 2026-08;
models.dev), read 2026-11-22. Models without on-demand throughput stand here with a geographic prefix: their bare id
is refused by the service.
"""

from __future__ import annotations

from providers.local.simulated import PROFILES
from providers.registry import resolve
from providers.types import ModelInfo

DEFAULT_AWS_MODEL = "us.amazon.nova-micro-v1:0"
DEFAULT_LOCAL_MODEL = "local.smollm2-135m-instruct"

_AWS: tuple[tuple[str, str], ...] = (
    ("us.amazon.nova-micro-v1:0", "Nova Micro"),
    ("us.amazon.nova-lite-v1:0", "Nova Lite"),
    ("us.amazon.nova-pro-v1:0", "Nova Pro"),
    ("us.amazon.nova-2-lite-v1:0", "Nova 2 Lite"),
    ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "Claude Haiku 4.5"),
    ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "Claude Sonnet 4.5"),
    ("us.anthropic.claude-sonnet-4-6", "Claude Sonnet 4.6"),
    ("global.anthropic.claude-sonnet-5", "Claude Sonnet 5"),
    ("us.anthropic.claude-opus-4-8", "Claude Opus 4.8"),
    ("global.anthropic.claude-opus-5", "Claude Opus 5"),
    ("us.meta.llama4-maverick-17b-instruct-v1:0", "Llama 4 Maverick"),
    ("us.meta.llama4-scout-17b-instruct-v1:0", "Llama 4 Scout"),
    ("us.meta.llama3-3-70b-instruct-v1:0", "Llama 3.3 70B"),
    ("us.meta.llama3-1-8b-instruct-v1:0", "Llama 3.1 8B"),
    ("mistral.mistral-large-3-675b-instruct", "Mistral Large 3"),
    ("mistral.ministral-3-8b-instruct", "Ministral 3 8B"),
    ("us.deepseek.r1-v1:0", "DeepSeek R1"),
    ("deepseek.v3.2", "DeepSeek V3.2"),
    ("openai.gpt-oss-120b-1:0", "gpt-oss 120B"),
    ("openai.gpt-oss-20b-1:0", "gpt-oss 20B"),
    ("us.openai.gpt-5.6-luna", "GPT-5.6 luna"),
    ("qwen.qwen3-32b-v1:0", "Qwen3 32B"),
    ("qwen.qwen3-235b-a22b-2507-v1:0", "Qwen3 235B"),
    ("us.writer.palmyra-x5-v1:0", "Palmyra X5"),
    ("moonshotai.kimi-k2.5", "Kimi K2.5"),
    ("minimax.minimax-m2.5", "MiniMax M2.5"),
    ("zai.glm-4.7-flash", "GLM 4.7 Flash"),
    ("google.gemma-3-27b-it", "Gemma 3 27B"),
    ("nvidia.nemotron-nano-3-30b", "Nemotron Nano 3 30B"),
    ("us.xai.grok-4.6", "Grok 4.6"),
)


def aws_models() -> tuple[ModelInfo, ...]:
    """The built-in list for Bedrock, quick and cheap ones first."""
    found = []
    for model_id, label in _AWS:
        resolved = resolve(model_id)
        found.append(
            ModelInfo(
                id=model_id,
                label=label,
                family=resolved.family.name,
                backend="aws",
                streaming=resolved.capabilities.streaming,
            )
        )
    return tuple(found)


def local_models() -> tuple[ModelInfo, ...]:
    """What the endpoint on this machine serves: one small real model, and the simulated ones."""
    real = ModelInfo(id=DEFAULT_LOCAL_MODEL, label="SmolLM2 135M (on this machine)", family="converse", backend="local")
    simulated = (
        ModelInfo(
            id=profile.id,
            label=profile.label,
            family="converse",
            backend="local",
            simulated=True,
        )
        for profile in PROFILES
    )
    return (real, *simulated)
