"""Reasoning between tags, over any cut of the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.families.reasoning import ReasoningTags
from providers.types import StreamEvent, TextDelta, accumulate


def fold(pieces: list[str], *, opened: bool = False) -> tuple[str, str]:
    tags = ReasoningTags(opened=opened)
    events: list[StreamEvent] = [event for piece in pieces for event in tags.feed(piece)]
    events += tags.rest()
    assert all(event.text for event in events if isinstance(event, TextDelta))
    completion = accumulate(events)
    return completion.reasoning, completion.text


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("Red.", "", "Red."),
        ("", "", ""),
        ("  Red.", "", "  Red."),
        ("\n\n", "", "\n\n"),
        ("<think>a</think>\n\nRed.", "a", "Red."),
        (" <think> a </think> Red.", " a ", "Red."),
        ("<reasoning>a</reasoning><reasoning>b</reasoning>Red.", "ab", "Red."),
        ("<think>a", "a", ""),
        ("<think>a</think>", "a", ""),
        ("<thi", "", "<thi"),
        ("<think>a</thi", "a</thi", ""),
        ("Say <think>a</think>.", "", "Say <think>a</think>."),
        ("<b>Red</b>", "", "<b>Red</b>"),
        ("<think>a</reasoning></think>b", "a</reasoning>", "b"),
    ],
)
def test_what_is_reasoning(text: str, reasoning: str, answer: str) -> None:
    assert fold([text]) == fold(list(text)) == (reasoning, answer)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("a\n</think>\n\nRed.", "a\n", "Red."),
        ("<think>\na</think>Red.", "\na", "Red."),
        ("</think>Red.", "", "Red."),
        ("a", "a", ""),
        ("Red </think> and </think>.", "Red ", "and </think>."),
    ],
)
def test_where_the_prompt_opened_the_reasoning(text: str, reasoning: str, answer: str) -> None:
    assert fold([text], opened=True) == fold(list(text), opened=True) == (reasoning, answer)


parts = st.lists(
    st.sampled_from(["<think>", "</think>", "<reasoning>", "</reasoning>", "<", "th", "ink>", "a", " ", "\n"]),
    max_size=9,
)


@given(pieces=parts, opened=st.booleans())
def test_the_cut_does_not_matter(pieces: list[str], opened: bool) -> None:
    whole = fold(["".join(pieces)], opened=opened)
    assert fold(pieces, opened=opened) == fold(list("".join(pieces)), opened=opened) == whole


def test_once_the_answer_has_begun_text_passes_as_it_comes() -> None:
    tags = ReasoningTags()
    assert list(tags.feed("Red")) == [TextDelta("Red")]
    assert tags.answering
    assert list(tags.feed(" <think>")) == [TextDelta(" <think>")]
