"""Every family from end to end without an account: our client, boto3, the socket, the endpoint, the small model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from providers.bedrock import BedrockProvider
from providers.clients import local_client
from providers.local.launch import LocalEndpoint
from providers.local.simulated import Profile
from providers.registry import FAMILIES, resolve
from providers.types import (
    GenerationRequest,
    InferenceConfig,
    Message,
    StopReason,
    TextDelta,
    accumulate,
)

SAMPLES = {
    "claude": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "claude-text": "anthropic.claude-v2:1",
    "nova": "us.amazon.nova-lite-v1:0",
    "titan": "amazon.titan-text-express-v1",
    "llama": "us.meta.llama3-3-70b-instruct-v1:0",
    "mistral": "mistral.mistral-7b-instruct-v0:2",
    "cohere": "cohere.command-text-v14",
    "cohere-r": "cohere.command-r-plus-v1:0",
    "jamba": "ai21.jamba-1-5-mini-v1:0",
    "jurassic": "ai21.j2-mid-v1",
    "deepseek": "us.deepseek.r1-v1:0",
    "openai": "openai.gpt-oss-20b-1:0",
    "writer": "us.writer.palmyra-x5-v1:0",
    "converse": "us.xai.grok-4.6",
}
EXTRA = [
    "global.anthropic.claude-opus-5",
    "us.amazon.nova-2-lite-v1:0",
    "meta.llama2-13b-chat-v1",
    "us.meta.llama4-scout-17b-instruct-v1:0",
    "mistral.mistral-large-2407-v1:0",
    "mistral.mistral-large-3-675b-instruct",
    "deepseek.v3.2",
    "qwen.qwen3-32b-v1:0",
]
MAX_TOKENS = 6

QUICK = Profile(id="simulated.quick", label="", time_to_first_token_s=0.0, tokens_per_s=1000, length_tokens=100)
QUESTION = (Message(role="user", text="Tell me a long story."),)
CONVERSATION = (*QUESTION, Message(role="assistant", text="Hello."), Message(role="user", text="And now?"))


@pytest.fixture(scope="module")
def provider(endpoint: LocalEndpoint) -> BedrockProvider:
    return BedrockProvider(local_client(endpoint.url), backend="local")


@pytest.fixture(scope="module")
def quick_provider() -> Iterator[BedrockProvider]:
    """Here a simulated model answers to every id, so that many calls take little time."""
    with LocalEndpoint(profiles=(QUICK,), stand_in=QUICK.id) as running:
        yield BedrockProvider(local_client(running.url), backend="local")


def test_there_is_a_sample_of_every_family() -> None:
    assert {family.name for family in FAMILIES} == SAMPLES.keys()
    assert all(resolve(model_id).family.name == name for name, model_id in SAMPLES.items())


@pytest.mark.parametrize("model_id", [*SAMPLES.values(), "local.smollm2-135m-instruct", "simulated.swift"])
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "complete"])
def test_every_family_with_the_real_model(provider: BedrockProvider, model_id: str, streamed: bool) -> None:
    request = GenerationRequest(
        model_id=model_id, messages=QUESTION, inference=InferenceConfig(max_tokens=MAX_TOKENS, temperature=0.0)
    )
    events = list(provider.stream(request) if streamed else provider.invoke(request))
    done = accumulate(events)
    assert done.text.strip()
    assert done.stop_reason is StopReason.MAX_TOKENS
    assert done.usage is not None
    assert done.usage.output_tokens == MAX_TOKENS
    assert done.usage.input_tokens is not None
    assert done.server_timing is not None
    assert (done.server_timing.latency_s or 0) > 0
    assert done.request_id
    deltas = sum(isinstance(event, TextDelta) for event in events)
    assert (deltas > 3) if streamed and resolve(model_id).capabilities.streaming else (deltas == 1)


@pytest.mark.parametrize("model_id", [*SAMPLES.values(), *EXTRA])
@pytest.mark.parametrize("end", ["low", "high"])
def test_everything_that_a_model_takes_is_understood(quick_provider: BedrockProvider, model_id: str, end: str) -> None:
    """History, system prompt, and each parameter at both ends of the range that our own table names."""
    facts = resolve(model_id).capabilities
    request = GenerationRequest(
        model_id=model_id,
        messages=CONVERSATION if facts.multi_turn else QUESTION,
        system="You are a friendly guide.",
        inference=InferenceConfig(
            max_tokens=50,
            temperature=getattr(facts.temperature, end, None),
            top_p=getattr(facts.top_p, end, None) if facts.temperature_with_top_p else None,
            stop_sequences=() if facts.max_stop_sequences == 0 else ("beforehand",),
        ),
    )
    done = accumulate(quick_provider.stream(request))
    assert done.text.startswith("*This answer is simulated")
    assert ("beforehand" in done.text) == (not request.inference.stop_sequences)
    assert accumulate(quick_provider.invoke(request)).text == done.text
