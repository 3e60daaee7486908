"""What is refused, what is left out with a word, and what passes untouched."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import InvalidValueError
from providers.registry import resolve
from providers.types import Capabilities, GenerationRequest, InferenceConfig, Message, Range
from providers.validation import check, clean_text, is_blank

MODEL = "anthropic.claude-sonnet-4-20250514-v1:0"
OPEN = Capabilities(
    temperature=Range(low=0.0, high=1.0), top_p=Range(low=0.0, high=1.0), max_output_tokens=4096, source="test"
)


def ask(*texts: str, system: str | None = None, **inference: Any) -> GenerationRequest:
    messages = tuple(Message(role="assistant" if index % 2 else "user", text=text) for index, text in enumerate(texts))
    return GenerationRequest(model_id=MODEL, messages=messages, system=system, inference=InferenceConfig(**inference))


def refused(request: GenerationRequest, capabilities: Capabilities = OPEN) -> tuple[str, str]:
    with pytest.raises(InvalidValueError) as caught:
        check(request, capabilities, stream=True)
    return caught.value.field, str(caught.value)


def test_a_sound_request_passes_as_it_is() -> None:
    request = ask(
        "Hi", "Hello.", "More", system="Be brief.", max_tokens=1, temperature=0.0, top_p=1, stop_sequences=("|",)
    )
    assert check(request, OPEN, stream=True) == (request, ())


@pytest.mark.parametrize("value", [1.5, -0.1, math.nan, math.inf, -math.inf, True, "0.5", "abc", []])
@pytest.mark.parametrize("field", ["temperature", "top_p"])
def test_a_number_out_of_range_names_field_range_model_and_value(field: str, value: Any) -> None:
    where, sentence = refused(ask("Hi", **{field: value}))
    assert where == field
    for words in (field, "between 0 and 1", MODEL, "you gave"):
        assert words in sentence


def test_a_huge_number_is_refused_too() -> None:
    assert "a huge number" in refused(ask("Hi", temperature=10**5000))[1]
    assert "a huge number" in refused(ask("Hi", max_tokens=10**5000))[1]


def test_the_sentence_as_a_person_reads_it() -> None:
    assert refused(ask("Hi", temperature=1.5))[1] == f"temperature must be between 0 and 1 for {MODEL}; you gave 1.5."
    assert "a number between" in refused(ask("Hi", temperature="hot"))[1]
    wide = replace(OPEN, top_p=Range(low=0.01, high=0.99))
    assert "between 0.01 and 0.99" in refused(ask("Hi", top_p=1.0), wide)[1]


@pytest.mark.parametrize("value", [0, -1, 1.5, 500.0, 10**9, True, "5", math.nan])
def test_max_tokens(value: Any) -> None:
    where, sentence = refused(ask("Hi", max_tokens=value))
    assert where == "max_tokens"
    assert "between 1 and 4096" in sentence
    assert "at least 1" in refused(ask("Hi", max_tokens=0), replace(OPEN, max_output_tokens=None))[1]


@pytest.mark.parametrize("value", [("",), ("a", ""), "stop", (1,), tuple(str(number) for number in range(2501))])
def test_stop_sequences(value: Any) -> None:
    assert refused(ask("Hi", stop_sequences=value))[0] == "stop_sequences"


def test_stop_sequences_are_counted_against_the_models_limit_and_doubles_count_once() -> None:
    four = replace(OPEN, max_stop_sequences=4)
    assert "at most 4" in refused(ask("Hi", stop_sequences=("a", "b", "c", "d", "e")), four)[1]
    checked, _ = check(ask("Hi", stop_sequences=("a", "b", "a", "c", "d")), four, stream=True)
    assert checked.inference.stop_sequences == ("a", "b", "c", "d")


def test_what_a_model_does_not_take_is_left_out_with_a_word() -> None:
    newest = replace(OPEN, temperature=None, top_p=None, max_stop_sequences=0)
    checked, notices = check(ask("Hi", temperature=7.0, top_p=0.5, stop_sequences=("|",)), newest, stream=True)
    assert checked.inference == InferenceConfig()
    assert [sentence.split("; ")[0] for sentence in notices] == [
        f"{MODEL} does not take temperature",
        f"{MODEL} does not take top_p",
        f"{MODEL} does not take stop_sequences",
    ]


def test_unset_parameters_make_no_notices() -> None:
    assert check(ask("Hi"), replace(OPEN, temperature=None, top_p=None, max_stop_sequences=0), stream=True)[1] == ()


def test_top_p_yields_where_both_are_not_allowed() -> None:
    one = replace(OPEN, temperature_with_top_p=False)
    checked, notices = check(ask("Hi", temperature=0.0, top_p=0.5), one, stream=True)
    assert (checked.inference.temperature, checked.inference.top_p) == (0.0, None)
    assert "top_p was left out" in notices[0]
    assert check(ask("Hi", top_p=0.5), one, stream=True)[1] == ()


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u200b\u2060", "\x00"])
def test_an_empty_prompt_says_what_to_do(text: str) -> None:
    assert refused(ask(text)) == ("prompt", "Prompt is required: write what the model should answer.")
    assert refused(ask())[0] == "prompt"


def test_turns_begin_with_the_user_and_alternate() -> None:
    answer = Message(role="assistant", text="Hello.")
    question = Message(role="user", text="Hi")
    assert "first message" in refused(replace(ask("Hi"), messages=(answer, question)))[1]
    assert "alternate" in refused(replace(ask("Hi"), messages=(question, question)))[1]
    assert (
        "must be user or assistant"
        in refused(
            replace(ask("Hi"), messages=(replace(question, role="system"),))  # type: ignore[arg-type]
        )[1]
    )
    assert "Message 2 (assistant) is empty" in refused(ask("Hi", " ", "More"))[1]


def test_a_trailing_assistant_turn_needs_prefill() -> None:
    request = ask("Hi", "Hel")
    assert refused(request)[0] == "messages"
    assert check(request, replace(OPEN, prefill=True), stream=True)[0] == request


def test_a_model_without_turns_takes_one_question() -> None:
    assert "single question" in refused(ask("Hi", "Hello.", "More"), replace(OPEN, multi_turn=False))[1]


def test_a_system_prompt_that_is_not_taken_is_said_and_stays_one_until_it_is_written() -> None:
    asked = ask("Hi", "Yo", "More", system="Be brief.")
    checked, notices = check(asked, replace(OPEN, system_prompt=False), stream=True)
    assert checked == asked
    assert "no system prompt" in notices[0]


def test_a_blank_system_prompt_is_none_at_all() -> None:
    checked, notices = check(ask("Hi", system=" \n"), OPEN, stream=True)
    assert (checked.system, notices) == (None, ())


def test_broken_and_control_characters_are_taken_out_with_a_word() -> None:
    checked, notices = check(ask("a\ud83db\x00\x1bc\td", system="e\udc00"), OPEN, stream=True)
    assert checked.messages[0].text == "a\ufffdbc\td"
    assert checked.system == "e\ufffd"
    assert len(notices) == 1


def test_line_ends_become_line_feeds_without_a_word() -> None:
    checked, notices = check(ask("a\r\nb\rc"), OPEN, stream=True)
    assert (checked.messages[0].text, notices) == ("a\nb\nc", ())


def test_text_that_is_not_text_is_refused() -> None:
    assert refused(replace(ask("Hi"), messages=(Message(role="user", text=5),)))[0] == "messages"  # type: ignore[arg-type]
    assert refused(replace(ask("Hi"), system=5))[0] == "system"  # type: ignore[arg-type]


def test_end_of_life_is_said_and_called_nonetheless() -> None:
    _, notices = check(ask("Hi"), replace(OPEN, end_of_life="2026-09-10"), stream=True)
    assert "2026-09-10" in notices[0]


def test_a_model_that_cannot_stream_says_so_only_when_asked_to() -> None:
    assert "one piece" in check(ask("Hi"), replace(OPEN, streaming=False), stream=True)[1][0]
    assert check(ask("Hi"), replace(OPEN, streaming=False), stream=False)[1] == ()


@pytest.mark.parametrize(
    ("model_id", "field"),
    [
        ("us.anthropic.claude-opus-4-7", "temperature"),
        ("global.anthropic.claude-sonnet-5", "temperature"),
        ("global.anthropic.claude-opus-5-5", "top_p"),
        ("us.openai.gpt-5.6-sol", "temperature"),
    ],
)
def test_the_newest_models_are_not_sent_what_they_refuse(model_id: str, field: str) -> None:
    resolved = resolve(model_id)
    given_by_name: dict[str, Any] = {field: 0.0}
    request = replace(ask("Hi"), model_id=model_id, inference=InferenceConfig(**given_by_name))
    checked, notices = check(request, resolved.capabilities, stream=True)
    assert f"does not take {field}" in notices[0]
    assert field not in str(resolved.encode(checked, stream=True))


@given(st.text(st.characters()))
def test_cleaned_text_can_be_encoded_and_stays_as_it_is(text: str) -> None:
    once = clean_text(text)
    once.encode()
    assert clean_text(once) == once
    assert not is_blank(text) or is_blank(once)
    assert all(char in "\n\t" or char >= " " for char in once)


@given(value=st.floats() | st.integers() | st.booleans() | st.text(max_size=5))
def test_a_temperature_is_sent_or_refused_never_changed(value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and 0 <= value <= 1:
        assert check(ask("Hi", temperature=value), OPEN, stream=True)[0].inference.temperature == value
    else:
        assert refused(ask("Hi", temperature=value))[0] == "temperature"
