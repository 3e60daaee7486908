"""What the service refuses, and that nothing else is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from providers.errors import InvalidValueError
from providers.local.validation import refuse_invalid
from providers.types import Capabilities, GenerationRequest, InferenceConfig, Message, Range

TAKES = Capabilities(
    temperature=Range(low=0.0, high=1.0),
    top_p=Range(low=0.1, high=1.0),
    max_output_tokens=100,
    max_stop_sequences=2,
    source="test",
)
USER = Message(role="user", text="Hi")
ASSISTANT = Message(role="assistant", text="Hello")


def request(*messages: Message, **inference: Any) -> GenerationRequest:
    return GenerationRequest(model_id="m", messages=messages, inference=InferenceConfig(**inference))


@pytest.mark.parametrize(
    "accepted",
    [
        request(USER),
        request(USER, ASSISTANT, USER),
        request(USER, temperature=0.0, top_p=0.1, max_tokens=1, stop_sequences=("a", "b")),
        request(USER, temperature=1.0, top_p=1.0, max_tokens=100),
    ],
)
def test_what_is_in_order_passes(accepted: GenerationRequest) -> None:
    refuse_invalid(accepted, TAKES)


@pytest.mark.parametrize(
    ("refused", "field", "sentence"),
    [
        (request(), "messages", "must start with a user message"),
        (request(ASSISTANT), "messages", "must start with a user message"),
        (request(USER, USER), "messages", "must alternate"),
        (request(Message(role="user", text=" \n")), "messages", r"messages\.0\.content\.0 is blank"),
        (request(USER, ASSISTANT), "messages", "does not support assistant message prefill"),
        (request(USER, temperature=1.1), "temperature", "#/temperature: 1.1 is not less or equal to 1"),
        (request(USER, temperature=-0.1), "temperature", "#/temperature: -0.1 is not greater or equal to 0"),
        (request(USER, temperature=float("nan")), "temperature", "#/temperature"),
        (request(USER, top_p=0.0), "top_p", "#/top_p: 0 is not greater or equal to 0.1"),
        (request(USER, max_tokens=0), "max_tokens", "#/max_tokens: 0 is not greater or equal to 1"),
        (request(USER, max_tokens=101), "max_tokens", "exceeds the model limit of 100"),
        (request(USER, stop_sequences=("",)), "stop_sequences", "empty"),
        (request(USER, stop_sequences=("a", "b", "c")), "stop_sequences", "limit of 2"),
    ],
)
def test_what_the_service_refuses(refused: GenerationRequest, field: str, sentence: str) -> None:
    with pytest.raises(InvalidValueError, match=sentence) as raised:
        refuse_invalid(refused, TAKES)
    assert raised.value.field == field


def test_an_open_assistant_turn_passes_where_the_model_continues_it() -> None:
    refuse_invalid(request(USER, ASSISTANT), replace(TAKES, prefill=True))


def test_parameters_that_the_model_does_not_take() -> None:
    with pytest.raises(InvalidValueError, match="`temperature` is deprecated for this model"):
        refuse_invalid(request(USER, temperature=0.5), replace(TAKES, temperature=None))
    with pytest.raises(InvalidValueError, match="cannot both be specified"):
        refuse_invalid(request(USER, temperature=0.5, top_p=0.5), replace(TAKES, temperature_with_top_p=False))
