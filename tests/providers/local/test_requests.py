"""Which model answers, in which shape, for every kind of id and body."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import FamilyServer, ModelFamily
from providers.errors import InvalidValueError, ProviderError, UnknownModelError
from providers.local.requests import Question, WireApi, read_question
from providers.registry import FAMILIES
from providers.types import GenerationRequest, InferenceConfig, Message, StreamEvent

OWN = "local.smollm2-135m-instruct"
CLAUDE = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
CONVERSE = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
OPAQUE = "arn:aws:bedrock:us-east-1:000000000000:application-inference-profile/abcdefghijkl"


class Mute:
    """A model that is never asked here."""

    def stream(self, request: GenerationRequest, stop: threading.Event) -> Iterator[StreamEvent]:
        raise NotImplementedError

    def ahead(self, stop: threading.Event) -> int | None:
        raise NotImplementedError


MODELS = {OWN: Mute(), "simulated.swift": Mute()}


def read(model_id: str, body: Any, api: WireApi = "invoke", *, streamed: bool = False) -> Question:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_question(MODELS, OWN, model_id, data, api=api, streamed=streamed)


@pytest.mark.parametrize(
    ("model_id", "answers"),
    [
        (OWN, OWN),
        ("simulated.swift", "simulated.swift"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", OWN),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2", OWN),
        (OPAQUE, OWN),
    ],
)
def test_who_answers_and_in_which_shape(model_id: str, answers: str) -> None:
    for api, body in (("invoke", CLAUDE), ("converse", CONVERSE)):
        if model_id.endswith("claude-v2") and api == "invoke":
            continue  # its own shape is the older one
        question = read(model_id, body, cast("WireApi", api))
        assert question.model_id == answers
        assert question.model is MODELS[answers]
        assert cast("ModelFamily", question.writer).name == ("claude" if api == "invoke" else "converse")
        assert question.request.messages == (Message(role="user", text="Hi"),)


INVOKE_FAMILIES = [family for family in FAMILIES if family.api == "invoke" and isinstance(family, FamilyServer)]


@pytest.mark.parametrize("family", INVOKE_FAMILIES, ids=lambda family: family.name)
def test_a_model_of_this_machine_is_asked_in_every_invoke_shape(family: ModelFamily) -> None:
    """What our own families write for a model of theirs is understood under an id that names no family."""
    written = family.encode(
        GenerationRequest(
            model_id=family.prefixes[0],
            messages=(Message(role="user", text="Why is the sky blue?"),),
            inference=InferenceConfig(max_tokens=7, temperature=0.5),
        ),
        stream=False,
    )
    question = read(OWN, written)
    assert "Why is the sky blue?" in question.request.messages[0].text
    assert question.request.inference.max_tokens == 7


@pytest.mark.parametrize(
    "model_id",
    [
        "",
        " ",
        "nope",
        "nope.nope",
        "local.nope",
        "simulated.",
        "amazon.titan-embed-text-v2:0",
        "../etc/passwd",
        "arn:x",
    ],
)
@pytest.mark.parametrize("api", ["invoke", "converse"])
def test_unknown_ids(model_id: str, api: WireApi) -> None:
    with pytest.raises(UnknownModelError, match="The provided model identifier is invalid"):
        read(model_id, CLAUDE if api == "invoke" else CONVERSE, api)


def test_a_model_without_an_invoke_shape() -> None:
    with pytest.raises(UnknownModelError, match="not supported by InvokeModel"):
        read("us.openai.gpt-5.6-luna", CLAUDE)


def test_a_model_that_cannot_stream() -> None:
    body = {"prompt": "Hi", "maxTokens": 5}
    assert read("ai21.j2-mid-v1", body)
    with pytest.raises(InvalidValueError, match="unsupported for streaming"):
        read("ai21.j2-mid-v1", body, streamed=True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"null",
        b'"text"',
        b'{"messages": NaN}',
        b"\xff\xfe",
        b"[" * 100_000,
        {},
        {"messages": None},
        {"messages": {}},
        {"messages": []},
        {"messages": [1]},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": []}]},
        {"messages": [{"role": "user", "content": [{"image": {}}]}]},
        {"messages": [{"role": "tool", "content": [{"text": "Hi"}]}]},
        {**CONVERSE, "system": 5},
        {**CONVERSE, "system": [5]},
        {**CONVERSE, "inferenceConfig": []},
        {**CONVERSE, "inferenceConfig": {"temperature": "warm"}},
        {**CONVERSE, "inferenceConfig": {"temperature": True}},
        {**CONVERSE, "inferenceConfig": {"maxTokens": 1.5}},
        {**CONVERSE, "inferenceConfig": {"maxTokens": 0}},
        {**CONVERSE, "inferenceConfig": {"stopSequences": [1]}},
    ],
)
@pytest.mark.parametrize("api", ["invoke", "converse"])
def test_malformed_bodies_are_refused(body: Any, api: WireApi) -> None:
    with pytest.raises(InvalidValueError):
        read(OWN, body, api)


KEYS = st.sampled_from(
    ["messages", "role", "user", "content", "text", "system", "inferenceConfig", "prompt", "max_tokens", "inputText"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, JSON, max_size=4), st.sampled_from(["invoke", "converse"]))
def test_any_json_is_a_question_or_a_refusal(body: dict[str, Any], api: WireApi) -> None:
    for model_id in (OWN, "us.amazon.nova-lite-v1:0", "us.meta.llama3-3-70b-instruct-v1:0"):
        try:
            question = read(model_id, body, api)
        except ProviderError:
            continue
        assert question.request.messages
