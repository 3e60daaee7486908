"""Facts of single models, and corners of single families."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from providers.errors import ModelFailedError
from providers.families.claude_models import ROWS
from providers.registry import FAMILIES, family_named, resolve
from providers.types import (
    GenerationRequest,
    Message,
    ReasoningDelta,
    StopReason,
    accumulate,
)

CLAUDE = {
    # id: (takes temperature, both at once, prefill, most tokens)
    "anthropic.claude-3-haiku-20240307-v1:0": (True, True, True, 4096),
    "us.anthropic.claude-3-7-sonnet-20250219-v1:0": (True, True, True, 127_999),
    "us.anthropic.claude-sonnet-4-20250514-v1:0": (True, True, True, 64_000),
    "us.anthropic.claude-opus-4-1-20250805-v1:0": (True, False, True, 32_000),
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0": (True, False, True, 64_000),
    "us.anthropic.claude-haiku-4-5-20251001-v1:0": (True, False, True, 64_000),
    "us.anthropic.claude-sonnet-4-6": (True, False, False, 64_000),
    "us.anthropic.claude-opus-4-6-v1": (True, False, False, 127_999),
    "us.anthropic.claude-opus-4-7": (False, False, False, 127_999),
    "us.anthropic.claude-opus-4-8": (False, False, False, 127_999),
    "global.anthropic.claude-sonnet-5": (False, False, False, 127_999),
    "global.anthropic.claude-opus-5-5": (False, False, False, 127_999),
    "global.anthropic.claude-fable-5": (False, False, False, 127_999),
    "us.anthropic.claude-something-newer-v1": (False, False, False, 127_999),
}


@pytest.mark.parametrize(("model_id", "facts"), CLAUDE.items())
def test_what_each_claude_takes(model_id: str, facts: tuple[bool, bool, bool, int]) -> None:
    found = resolve(model_id).capabilities
    takes = found.temperature is not None
    assert (takes, found.temperature_with_top_p, found.prefill, found.max_output_tokens) == facts
    assert (found.top_p is not None) == takes


def test_ends_of_life_are_days() -> None:
    bare_ids = [*ROWS, *(prefix for family in FAMILIES for prefix in family.prefixes)]
    told = {
        resolve(bare + "-x" if bare.endswith("-") else bare, api="converse") for bare in bare_ids if "." in bare[:-1]
    }
    days = [resolved.capabilities.end_of_life for resolved in told]
    assert [dt.date.fromisoformat(day) for day in days if day]


def test_every_capability_names_its_source() -> None:
    for family in FAMILIES:
        for prefix in family.prefixes:
            assert len(family.capabilities(prefix + "x").source) > 10


def test_a_signature_alone_is_reasoning_without_words() -> None:
    block = {"type": "content_block_start", "content_block": {"type": "thinking", "thinking": "", "signature": ""}}
    signed = {"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": "c2ln"}}
    events = list(family_named("claude").decode_stream(iter([block, signed])))
    assert events == [ReasoningDelta("")]


def test_a_refusal_of_claude_is_a_filtered_answer() -> None:
    body = {"content": [], "stop_reason": "refusal", "stop_details": {"explanation": "no"}, "usage": {}}
    completion = accumulate(family_named("claude").decode_body(body))
    assert (completion.stop_reason, completion.raw_stop_reason) == (StopReason.CONTENT_FILTERED, "refusal")


def test_a_stop_reason_without_message_stop_is_no_end() -> None:
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}
    assert not accumulate(family_named("claude").decode_stream(iter([delta]))).is_complete


@pytest.mark.parametrize("name", ["cohere", "cohere-r"])
def test_a_finish_that_is_an_error_fails(name: str) -> None:
    chunks = [
        {"event_type": "text-generation", "text": "Red", "is_finished": False},
        {"event_type": "stream-end", "is_finished": True, "finish_reason": "ERROR_TOXIC"},
    ]
    with pytest.raises(ModelFailedError, match="ERROR_TOXIC"):
        list(family_named(name).decode_stream(iter(chunks)))


def test_cohere_without_the_flag_streams_the_whole_answer_in_one_chunk() -> None:
    chunk = {"generations": [{"text": " Red.", "finish_reason": "COMPLETE"}]}
    completion = accumulate(family_named("cohere").decode_stream(iter([chunk])))
    assert (completion.text, completion.is_complete) == (" Red.", True)


def test_only_the_first_of_several_answers_counts() -> None:
    chunks: list[Any] = [
        {"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "delta": {"content": "Red"}, "finish_reason": None}]},
    ]
    completion = accumulate(family_named("openai").decode_stream(iter(chunks)))
    assert (completion.text, completion.is_complete) == ("Red", False)


def test_the_closing_words_of_a_chat_stream_prove_nothing() -> None:
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": {"content": "Red"}, "finish_reason": None}]}, "[DONE]"]
    assert not accumulate(family_named("writer").decode_stream(iter(chunks))).is_complete


def test_a_stop_sequence_of_the_caller_is_told_from_the_end_of_a_turn() -> None:
    chunk = {"completion": "Red", "stop_reason": "stop_sequence", "stop": "|"}
    assert accumulate(family_named("claude-text").decode_body(chunk)).stop_reason is StopReason.STOP_SEQUENCE
    finish = {"completions": [{"data": {"text": "Red"}, "finishReason": {"reason": "stop"}}]}
    assert accumulate(family_named("jurassic").decode_body(finish)).stop_reason is StopReason.STOP_SEQUENCE


def test_unknown_members_of_converse_and_redacted_bytes_are_passed_over() -> None:
    chunks: list[Any] = [
        {"contentBlockDelta": {"delta": {"SDK_UNKNOWN_MEMBER": {"name": "novelty"}}}},
        {"contentBlockDelta": {"delta": {"reasoningContent": {"redactedContent": b"x"}}}},
        {"contentBlockDelta": {"delta": {"toolUse": {"input": "{}"}}}},
        {"contentBlockStart": {"start": {"toolUse": {"name": "x"}}, "contentBlockIndex": 1}},
    ]
    assert list(family_named("converse").decode_stream(iter(chunks))) == [ReasoningDelta("")]


@pytest.mark.parametrize(
    "model_id", ["meta.llama2-13b-chat-v1", "us.meta.llama4-scout-17b-instruct-v1:0", "meta.llama3-8b-x"]
)
def test_an_open_assistant_turn_ends_the_prompt(model_id: str) -> None:
    request = GenerationRequest(
        model_id=model_id,
        messages=(Message(role="user", text="Count"), Message(role="assistant", text="One, two,")),
    )
    resolved = resolve(model_id)
    assert resolved.capabilities.prefill
    assert resolved.encode(request, stream=True)["prompt"].endswith("One, two,")


def test_a_raw_prompt_without_a_template_is_one_question() -> None:
    read = family_named("llama").parse_request("local.x", {"prompt": "Say [INST] hi", "max_gen_len": 5})  # type: ignore[attr-defined]
    assert read.messages == (Message(role="user", text="Say [INST] hi"),)
