"""Which family speaks for a model."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from providers.base import FamilyServer
from providers.errors import InvalidValueError, UnknownModelError
from providers.registry import ALL_SHAPES, FAMILIES, family_by_prefix, resolve
from providers.types import Api, GenerationRequest, InferenceConfig, Message

ARN = "arn:aws:bedrock:us-east-1:000000000000:"
OPAQUE = ARN + "application-inference-profile/abcdefghijkl"

EXPECTED = {
    "us.anthropic.claude-opus-4-8": "claude",
    "global.anthropic.claude-fable-5": "claude",
    "anthropic.claude-3-haiku-20240307-v1:0": "claude",
    "anthropic.claude-v2:1": "claude-text",
    "anthropic.claude-instant-v1": "claude-text",
    "us.amazon.nova-2-lite-v1:0": "nova",
    "amazon.titan-tg1-large": "titan",
    "us.meta.llama4-scout-17b-instruct-v1:0": "llama",
    "mistral.mixtral-8x7b-instruct-v0:1": "mistral",
    "us.mistral.pixtral-large-2502-v1:0": "mistral",
    "mistral.mistral-large-2402-v1:0": "mistral",
    "mistral.mistral-large-3-675b-instruct": "openai",
    "mistral.ministral-3-8b-instruct": "openai",
    "cohere.command-text-v14": "cohere",
    "cohere.command-r-plus-v1:0": "cohere-r",
    "ai21.j2-ultra-v1": "jurassic",
    "ai21.jamba-1-5-large-v1:0": "jamba",
    "us.deepseek.r1-v1:0": "deepseek",
    "deepseek.v3.2": "deepseek",
    "openai.gpt-oss-120b-1:0": "openai",
    "openai.gpt-oss-safeguard-20b": "openai",
    "qwen.qwen3-coder-next": "openai",
    "moonshot.kimi-k2-thinking": "openai",
    "minimax.minimax-m2.5": "openai",
    "google.gemma-3-27b-it": "openai",
    "nvidia.nemotron-super-3-120b": "openai",
    "zai.glm-5": "openai",
    "us.writer.palmyra-x5-v1:0": "writer",
    "us.openai.gpt-5.6-luna": "converse",
    "global.openai.gpt-6.1-sol": "converse",
    "us.xai.grok-4.6": "converse",
    "local.smollm2-135m-instruct": "converse",
    "simulated.swift": "converse",
    ARN.replace("000000000000", "") + "foundation-model/amazon.titan-text-lite-v1": "titan",
    ARN + "inference-profile/us.anthropic.claude-sonnet-4-6": "claude",
    ARN + "custom-model/amazon.nova-lite-v1:0:300k/abcdefghijkl": "nova",
    OPAQUE: "converse",
    ARN + "prompt/ABCDEFGHIJ": "converse",
    ARN + "default-prompt-router/anthropic.claude:1": "converse",
    "arn:aws:sagemaker:us-east-1:000000000000:endpoint/mine": "converse",
}


@pytest.mark.parametrize(("model_id", "family"), EXPECTED.items())
def test_auto_finds_the_family(model_id: str, family: str) -> None:
    resolved = resolve(model_id)
    assert resolved.family.name == family
    assert resolved.capabilities.source


def test_the_contracts_words_are_families() -> None:
    words = (
        "claude, claude-text, nova, titan, llama, mistral, cohere, cohere-r, jamba, jurassic, deepseek, openai, writer"
    )
    assert set(words.split(", ")) <= {family.name for family in FAMILIES}
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    assert all(isinstance(family, FamilyServer) for family in FAMILIES)


def test_no_prefix_belongs_to_two_families() -> None:
    prefixes = [prefix for family in ALL_SHAPES for prefix in family.prefixes]
    assert len(prefixes) == len(set(prefixes))


def test_the_order_of_families_does_not_matter() -> None:
    for seed in range(20):
        shuffled = list(ALL_SHAPES)
        random.Random(seed).shuffle(shuffled)
        for model_id in EXPECTED:
            bare = resolve(model_id).bare
            assert family_by_prefix(bare, shuffled) is family_by_prefix(bare)


@pytest.mark.parametrize("api", ["auto", "invoke"])
def test_an_unknown_vendor_is_named_and_told_the_ways_out(api: Api) -> None:
    with pytest.raises(UnknownModelError) as caught:
        resolve("acme.super-1", api=api)
    for words in ("acme.super-1", "family=", 'api="converse"', "claude-text"):
        assert words in str(caught.value)


def test_a_known_vendor_does_not_make_a_model_known() -> None:
    with pytest.raises(UnknownModelError, match=r"amazon\.olympus-1"):
        resolve("amazon.olympus-1")
    with pytest.raises(UnknownModelError):
        resolve("my-claude-3.copy")


def test_an_unknown_vendor_is_tried_with_family_or_converse() -> None:
    assert resolve("acme.super-1", family="openai").family.name == "openai"
    resolved = resolve("acme.super-1", api="converse")
    assert resolved.family.name == "converse"
    assert resolved.capabilities.temperature is not None
    assert resolved.capabilities.temperature.high == 1.0


def test_family_overrides_what_the_id_says() -> None:
    assert resolve("anthropic.claude-v2", family="claude").family.name == "claude"
    assert resolve("local.smollm2-135m-instruct", family="titan", api="invoke").family.name == "titan"
    assert resolve(OPAQUE, family="llama").family.name == "llama"


def test_a_word_that_stands_for_two_shapes_is_settled_by_the_id() -> None:
    chat, prompt = resolve("deepseek.v3.2").family, resolve("us.deepseek.r1-v1:0").family
    assert (chat.name, prompt.name) == ("deepseek", "deepseek")
    assert chat is not prompt
    assert resolve("deepseek.v3-v1:0", family="deepseek").family is chat
    assert resolve(OPAQUE, family="deepseek").family is prompt
    assert resolve(OPAQUE, family="mistral").family is resolve("mistral.mistral-7b-instruct-v0:2").family


def test_an_unknown_family_word_lists_the_known_ones() -> None:
    with pytest.raises(InvalidValueError, match="claude, claude-text, cohere") as caught:
        resolve("amazon.nova-lite-v1:0", family="gpt")
    assert caught.value.field == "family"


def test_an_unknown_api_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="auto, invoke or converse"):
        resolve("amazon.nova-lite-v1:0", api="rest")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "model_id", ["us.xai.grok-4.6", "us.openai.gpt-5.6-sol", "local.smollm2-135m-instruct", OPAQUE]
)
def test_invoke_without_an_invoke_shape_asks_for_family(model_id: str) -> None:
    with pytest.raises(UnknownModelError, match="family="):
        resolve(model_id, api="invoke")


def test_converse_keeps_what_is_known_of_the_model() -> None:
    opus = resolve("us.anthropic.claude-opus-4-8", api="converse")
    assert opus.family.name == "converse"
    assert (opus.capabilities.temperature, opus.capabilities.prefill) == (None, False)
    haiku = resolve("us.anthropic.claude-haiku-4-5-20251001-v1:0", api="converse").capabilities
    assert (haiku.temperature_with_top_p, haiku.prefill, haiku.max_output_tokens) == (False, True, 64_000)
    command = resolve("cohere.command-text-v14", api="converse").capabilities
    assert command.temperature is not None
    assert (command.temperature.high, command.multi_turn, command.system_prompt) == (1.0, False, False)
    llama = resolve("us.meta.llama3-1-8b-instruct-v1:0", api="converse").capabilities
    assert (llama.prefill, llama.max_stop_sequences) == (False, 2500)
    assert resolve("us.openai.gpt-5.6-luna", api="converse").capabilities.max_stop_sequences == 0


def test_an_opaque_arn_takes_the_family_of_the_model_behind_it() -> None:
    behind = "arn:aws:bedrock:::foundation-model/us.meta.llama4-scout-17b-instruct-v1:0"
    resolved = resolve(OPAQUE, underlying=behind)
    assert (resolved.family.name, resolved.bare) == ("llama", "meta.llama4-scout-17b-instruct-v1:0")
    request = GenerationRequest(
        model_id=OPAQUE,
        messages=(Message(role="user", text="Hi"),),
        inference=InferenceConfig(max_tokens=5),
    )
    assert "<|header_start|>" in resolved.encode(request, stream=True)["prompt"]
    assert resolve(OPAQUE, underlying=behind, api="converse").capabilities.context_tokens == 128_000


def test_an_opaque_arn_whose_model_is_of_no_family_goes_through_converse() -> None:
    assert resolve(OPAQUE, underlying="acme.super-1").family.name == "converse"
    assert resolve(OPAQUE, underlying=OPAQUE).family.name == "converse"
    assert resolve(ARN + "prompt/ABCDEFGHIJ", underlying="amazon.nova-lite-v1:0").family.name == "converse"


def test_a_model_without_text_stays_refused_whatever_is_said() -> None:
    with pytest.raises(UnknownModelError, match="makes no text"):
        resolve("amazon.titan-embed-text-v2:0", family="titan")


@pytest.mark.parametrize("api", ["invoke", "converse"])
def test_a_system_prompt_without_a_place_of_its_own_stands_in_front_of_the_first_turn(api: Api) -> None:
    turns = (
        Message(role="user", text="Hi"),
        Message(role="assistant", text="Yo"),
        Message(role="user", text="More"),
    )
    request = GenerationRequest(model_id="amazon.titan-text-express-v1", messages=turns, system="Be brief.")
    resolved = resolve(request.model_id, api=api)
    written = resolved.encode(request, stream=False)
    joined = replace(request, system=None, messages=(Message(role="user", text="Be brief.\n\nHi"), *turns[1:]))
    assert written == resolved.encode(joined, stream=False)
    assert str(written).count("Be brief.") == 1
