"""The outer layer of every decoder, and the small pieces beside it."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import DecodeError, ModelFailedError
from providers.families import pieces, prompts
from providers.types import (
    Message,
    MessageStop,
    ReasoningDelta,
    StopReason,
    StreamEvent,
    TextDelta,
    Usage,
    accumulate,
)

STOP = MessageStop(reason=StopReason.END_TURN, raw_reason="stop")


def regular(*events: StreamEvent) -> list[StreamEvent]:
    return list(pieces.one_answer("test", iter(events)))


def test_empty_text_is_dropped_and_empty_reasoning_is_a_sign() -> None:
    assert regular(TextDelta(""), ReasoningDelta(""), TextDelta("a")) == [ReasoningDelta(""), TextDelta("a")]


def test_text_after_the_stop_is_dropped_and_usage_is_not() -> None:
    used = Usage(output_tokens=1)
    assert regular(TextDelta("a"), STOP, TextDelta("b"), ReasoningDelta("c"), used, STOP) == [
        TextDelta("a"),
        STOP,
        used,
    ]


@pytest.mark.parametrize("error", [KeyError("x"), IndexError(), TypeError(), AttributeError(), ValueError()])
def test_a_shape_that_cannot_be_read_is_a_decode_error(error: Exception) -> None:
    def broken() -> Iterator[StreamEvent]:
        yield TextDelta("a")
        raise error

    with pytest.raises(DecodeError, match="documented format of test") as caught:
        list(pieces.one_answer("test", broken()))
    assert caught.value.__cause__ is error


def test_errors_of_the_source_pass_through_as_they_are() -> None:
    def broken() -> Iterator[StreamEvent]:
        raise ModelFailedError("no")
        yield STOP

    with pytest.raises(ModelFailedError, match="no"):
        list(pieces.one_answer("test", broken()))


@given(text=st.text(), cuts=st.lists(st.integers(0, 60), max_size=6))
def test_halves_are_joined_wherever_utf_16_was_cut(text: str, cuts: list[int]) -> None:
    units = text.encode("utf-16-le", "surrogatepass")
    marks = sorted({min(cut * 2, len(units)) for cut in cuts} | {0, len(units)})
    halves = [units[start:end].decode("utf-16-le", "surrogatepass") for start, end in itertools.pairwise(marks)]
    events = pieces.one_answer("test", iter([*map(TextDelta, halves), STOP]))
    assert accumulate(events).text == units.decode("utf-16-le", "replace")


def test_a_half_that_is_left_over_shows_only_in_a_complete_answer() -> None:
    assert accumulate(regular(TextDelta("a\ud83d"))).text == "a"
    assert accumulate(regular(TextDelta("a\ud83d"), STOP)).text == "a\ufffd"
    assert accumulate(regular(ReasoningDelta("a\ud83d"), STOP)).reasoning == "a\ufffd"
    assert accumulate(regular(TextDelta("\ud83d"), ReasoningDelta("r"), TextDelta("\ude00"))).text == "😀"


def test_an_unknown_part_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            pieces.skip_unknown("test", "a part of this test", {"number": 1})
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "a part of this test" in caplog.text


@pytest.mark.parametrize(
    "value", [{"text": "a"}, {"x": [{"content": "a"}]}, [{"completion": "a"}], {"generation": "a"}]
)
def test_a_part_with_text_is_never_skipped(value: object) -> None:
    with pytest.raises(DecodeError, match="'novelty'"):
        pieces.skip_unknown("test", "novelty", value)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", StopReason.END_TURN),
        ("FINISHED", StopReason.END_TURN),
        ("LENGTH", StopReason.MAX_TOKENS),
        ("COMPLETE", StopReason.END_TURN),
        ("tool_calls", StopReason.TOOL_USE),
        ("refusal", StopReason.CONTENT_FILTERED),
        ("model_context_window_exceeded", StopReason.CONTEXT_WINDOW_EXCEEDED),
        ("brand_new", StopReason.OTHER),
    ],
)
def test_stop_words_are_normalised_and_kept(word: str, reason: StopReason) -> None:
    assert pieces.stopped(word) == MessageStop(reason=reason, raw_reason=word)


def test_usage_adds_the_cache_and_takes_whole_floats_only() -> None:
    raw = {"in": 4.0, "out": True, "read": 10, "inf": float("inf")}
    used = pieces.usage(raw, input_tokens="in", output_tokens="out", cache_read=("none", "read"))
    assert (used.input_tokens, used.output_tokens, used.cache_read_tokens) == (14, None, 10)
    assert pieces.usage(raw, input_tokens="inf", output_tokens="nan").input_tokens is None


def test_extra_fields_are_merged_one_level_deep_without_touching_either_side() -> None:
    body, extra = {"a": {"x": 1}, "b": 1}, {"a": {"y": 2}, "b": {"z": 3}}
    assert pieces.merged(body, extra) == {"a": {"x": 1, "y": 2}, "b": {"z": 3}}
    assert (body, extra) == ({"a": {"x": 1}, "b": 1}, {"a": {"y": 2}, "b": {"z": 3}})


def test_control_words_are_opened_by_a_blank() -> None:
    control = re.compile(r"<\|x\|>")
    assert prompts.defused("a<|x|>b", control) == "a< |x|>b"
    assert prompts.defused("< |x|>", control) == "< |x|>"


def test_a_transcript_is_read_back() -> None:
    turns = (
        Message(role="user", text="Bot: hi\nUser: you\n"),
        Message(role="assistant", text="User:"),
        Message(role="user", text="ok"),
    )
    read = prompts.read_transcript(prompts.transcript(turns))
    assert [turn.role for turn in read] == ["user", "assistant", "user"]
    assert [turn.text.replace(" ", "") for turn in read] == [turn.text.replace(" ", "") for turn in turns]
    assert prompts.read_transcript("just text") == (Message(role="user", text="just text"),)
    open_end = (*turns[:2],)
    assert prompts.transcript(open_end).endswith("Bot:  User:")
