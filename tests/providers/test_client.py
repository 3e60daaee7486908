"""BedrockClient as a program outside this project uses it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import GeneratorType
from typing import Any

import pytest

from providers import (
    BedrockClient,
    ProviderError,
    StreamingSession,
    StreamInterruptedError,
    UnknownModelError,
    handle_stream_interruptions,
)
from providers.errors import InvalidValueError
from tests.patience import until
from tests.providers.test_retry import claude
from tests.wire import WireServer, document, failure, hang_up, silence, stop_frames, stream, text_frames

NOVA = "us.amazon.nova-lite-v1:0"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
OPUS = "global.anthropic.claude-opus-5"
QWEN = "qwen.qwen3-32b-v1:0"
WHOLE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 4, "outputTokens": 2, "totalTokens": 6},
    "metrics": {"latencyMs": 10},
}
ANSWER = stream([*text_frames("Hel", "lo"), *stop_frames()])
THROTTLED = failure("429 Too Many Requests", "ThrottlingException", "Too many requests.", {"Retry-After": "0"})


class Heard:
    """A callback that remembers, and raises `wrong` at the call that it is told."""

    def __init__(self, breaks_at: tuple[str, bool] | None = None, wrong: Exception | None = None) -> None:
        self.calls: list[tuple[str, bool]] = []
        self.breaks_at = breaks_at
        self.wrong = wrong

    def __call__(self, piece: str, is_complete: bool) -> None:
        self.calls.append((piece, is_complete))
        if self.calls[-1] == self.breaks_at and self.wrong is not None:
            raise self.wrong


@pytest.fixture
def client(wire: WireServer) -> BedrockClient:
    return BedrockClient(endpoint_url=wire.url)


def test_signatures_are_those_of_the_contract() -> None:
    made = inspect.signature(BedrockClient)
    assert list(made.parameters) == ["region_name", "profile_name", "max_retries", "endpoint_url"]
    assert [made.parameters[name].default for name in list(made.parameters)[:3]] == ["us-west-2", None, 3]
    asked = inspect.signature(BedrockClient.generate_text).parameters
    assert list(asked)[1:7] == ["model_id", "prompt", "temperature", "max_tokens", "stream", "callback"]
    assert (asked["temperature"].default, asked["max_tokens"].default) == (0.7, 500)


def test_a_complete_answer_is_a_dict(wire: WireServer, client: BedrockClient) -> None:
    wire.reply_with(document(WHOLE))
    answer = client.generate_text(NOVA, "Hi", api="converse")
    assert isinstance(answer, dict)
    assert answer["text"] == "Hello"
    assert answer["model_id"] == NOVA
    assert 0 < answer["latency"] < 5
    assert answer["usage"] == {"input_tokens": 4, "output_tokens": 2, "total_tokens": 6}
    assert answer["stop_reason"] == "end_turn"
    assert answer["raw_response"] == WHOLE
    assert wire.asked[0].body["inferenceConfig"] == {"maxTokens": 500, "temperature": 0.7}


def test_a_streamed_answer_is_a_generator_that_returns_the_whole(wire: WireServer, client: BedrockClient) -> None:
    wire.reply_with(ANSWER)
    pieces = client.generate_text(NOVA, "Hi", stream=True, api="converse")
    assert isinstance(pieces, GeneratorType)
    assert (next(pieces), next(pieces)) == ("Hel", "lo")
    with pytest.raises(StopIteration) as end:
        next(pieces)
    assert end.value.value == "Hello"


def test_a_callback_hears_each_piece_and_the_end_once(wire: WireServer, client: BedrockClient) -> None:
    wire.reply_with(ANSWER)
    heard = Heard()
    assert client.generate_text(NOVA, "Hi", stream=True, callback=heard, api="converse") == "Hello"
    assert heard.calls == [("Hel", False), ("lo", False), ("", True)]


def test_a_callback_hears_the_error_before_it_is_raised(wire: WireServer, client: BedrockClient) -> None:
    wire.reply_with(stream(text_frames("Hel"), hang_up))
    heard = Heard()
    with pytest.raises(StreamInterruptedError) as caught:
        client.generate_text(NOVA, "Hi", stream=True, callback=heard, api="converse")
    assert caught.value.partial.text == "Hel"
    assert heard.calls[0] == ("Hel", False)
    assert heard.calls[1][0].startswith("Error: ")
    assert heard.calls[1][1] is True
    assert len(heard.calls) == 2
    assert len(wire.asked) == 1  # once a piece is out it never starts over by itself


@pytest.mark.parametrize("wrong", [ValueError("no room"), ProviderError("its own"), KeyError("x")])
@pytest.mark.parametrize("at", [("lo", False), ("", True)])
def test_what_a_callback_raises_is_not_told_to_it(
    wire: WireServer, client: BedrockClient, wrong: Exception, at: tuple[str, bool]
) -> None:
    wire.reply_with(ANSWER)
    asks: tuple[Callable[..., object], ...] = (
        functools.partial(client.generate_text, stream=True),
        functools.partial(handle_stream_interruptions, client),
    )
    for ask in asks:
        heard = Heard(breaks_at=at, wrong=wrong)
        with pytest.raises(type(wrong)) as caught:
            ask(NOVA, "Hi", callback=heard, api="converse")
        assert caught.value is wrong
        assert heard.calls[-1] == at
        assert len([call for call in heard.calls if call[1]]) == int(at[1])


def test_the_stream_is_closed_when_the_callback_breaks(wire: WireServer, client: BedrockClient) -> None:
    wire.reply_with(stream(text_frames("lo"), silence))
    heard = Heard(breaks_at=("lo", False), wrong=ValueError("no room"))
    with pytest.raises(ValueError, match="no room"):
        client.generate_text(NOVA, "Hi", stream=True, callback=heard, api="converse")
    until(lambda: bool(wire.left_at))


def test_a_callback_hears_of_a_refused_value_too(wire: WireServer, client: BedrockClient) -> None:
    heard = Heard()
    with pytest.raises(ValueError, match="between 0 and 1"):
        client.generate_text(NOVA, "Hi", temperature=1.7, stream=True, callback=heard)
    assert [call[1] for call in heard.calls] == [True]
    assert heard.calls[0][0].startswith("Error: temperature")
    assert wire.asked == []


@pytest.mark.parametrize(("max_retries", "requests"), [(0, 1), (2, 3)])
def test_max_retries_counts_requests_after_the_first(wire: WireServer, max_retries: int, requests: int) -> None:
    wire.reply_with(THROTTLED)
    client = BedrockClient(max_retries=max_retries, endpoint_url=wire.url)
    with pytest.raises(ProviderError):
        client.generate_text(NOVA, "Hi", api="converse")
    assert len(wire.asked) == requests


@pytest.mark.parametrize("stream_it", [True, False])
def test_bad_values_are_refused_before_any_call(wire: WireServer, client: BedrockClient, stream_it: bool) -> None:
    with pytest.raises(UnknownModelError, match=r"acme\.wonder-1"):
        client.generate_text("acme.wonder-1", "Hi", stream=stream_it)
    with pytest.raises(ValueError, match="between 0 and 1"):
        client.generate_text(NOVA, "Hi", temperature=1.7, stream=stream_it)
    with pytest.raises(ValueError, match=r"[Pp]rompt"):
        client.generate_text(NOVA, "  ", stream=stream_it)
    assert wire.asked == []


@pytest.mark.parametrize("stream_it", [True, False])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("messages", "hello"),
        ("messages", 5),
        ("messages", {"role": "user", "content": "Hi"}),
        ("messages", [{}]),
        ("messages", ["hello"]),
        ("messages", [None]),
        ("messages", [{"role": "user"}]),
        ("messages", [{"role": "user", "content": None}]),
        ("messages", [{"role": "user", "content": 5}]),
        ("messages", [{"role": "user", "content": {"text": "Hi"}}]),
        ("messages", [{"role": "user", "content": ["Hi"]}]),
        ("messages", [{"role": "user", "content": [{"text": None}]}]),
        ("messages", [{"role": [], "content": "Hi"}]),
        ("messages", [{"role": "wizard", "content": "Hi"}]),
        ("stop_sequences", 5),
        ("stop_sequences", [5]),
        ("stop_sequences", ""),
        ("prompt", 5),
        ("prompt", ["Hi"]),
        ("prompt", b"Hi"),
        ("prompt", None),
        ("model_id", 5),
        ("model_id", None),
        ("model_id", ""),
    ],
)
def test_odd_input_is_a_refused_value(
    wire: WireServer, client: BedrockClient, field: str, value: object, stream_it: bool
) -> None:
    given: dict[str, Any] = {"model_id": NOVA, "prompt": "Hi", field: value}
    with pytest.raises(InvalidValueError) as caught:
        client.generate_text(stream=stream_it, **given)
    assert isinstance(caught.value, ValueError)
    assert caught.value.field == field
    assert wire.asked == []


@pytest.mark.parametrize("value", [None, True, 2.0, "3", -1])
def test_counts_are_whole_numbers(client: BedrockClient, value: Any) -> None:
    with pytest.raises(InvalidValueError) as caught:
        BedrockClient(max_retries=value)
    assert caught.value.field == "max_retries"
    with pytest.raises(InvalidValueError) as caught:
        StreamingSession(client, NOVA, "Hi", max_attempts=value)
    assert caught.value.field == "max_attempts"


def test_a_parameter_that_the_model_refuses_is_left_out_and_told(wire: WireServer, client: BedrockClient) -> None:
    wire.reply_with(stream(claude("Hi")))
    with pytest.warns(UserWarning, match="temperature"):
        pieces = client.generate_text(OPUS, "Hi", temperature=0.3, stream=True)
    assert "".join(pieces) == "Hi"
    assert "temperature" not in wire.asked[0].body


def test_our_default_temperature_gives_way_without_a_word(wire: WireServer, client: BedrockClient) -> None:
    wire.reply_with(stream(claude("Hi")))
    assert "".join(client.generate_text(OPUS, "Hi", stream=True)) == "Hi"  # warnings are errors here
    assert "".join(client.generate_text(HAIKU, "Hi", stream=True, top_p=0.5)) == "Hi"
    assert "temperature" not in wire.asked[1].body
    assert wire.asked[1].body["top_p"] == 0.5


def test_earlier_turns_and_the_system_prompt_are_sent(wire: WireServer, client: BedrockClient) -> None:
    wire.reply_with(document(WHOLE))
    turns: list[dict[str, object]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": [{"text": "Two"}]},
    ]
    client.generate_text(NOVA, "Three", messages=turns, api="converse")
    assert wire.asked[0].body["system"] == [{"text": "Be brief."}]
    assert [turn["content"][0]["text"] for turn in wire.asked[0].body["messages"]] == ["One", "Two", "Three"]


def test_a_client_costs_nothing_until_it_is_asked() -> None:
    BedrockClient(region_name="nowhere-1", profile_name="no-such-profile")


def test_closing_the_generator_ends_the_answer(wire: WireServer, client: BedrockClient) -> None:
    wire.reply_with(stream(text_frames("one"), silence))
    pieces = client.generate_text(NOVA, "Hi", stream=True, api="converse")
    assert isinstance(pieces, GeneratorType)
    assert next(pieces) == "one"
    pieces.close()
    assert next(pieces, "nothing more") == "nothing more"
