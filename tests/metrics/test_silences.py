"""Silences and the reader: by hand, second for second."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.record import RunRecord
from metrics.silences import (
    WORDS_PER_MIN,
    Silence,
    long_ones,
    longest,
    reader_of,
    silences,
    silences_of,
    text_arrivals,
)
from metrics.timing import Chunks
from tests.metrics.records import record

S = 1_000_000_000


def told(*pieces: tuple[float, str], **given: Any) -> RunRecord:
    """A streamed run of pieces of text and when they came, in seconds."""
    chunks = tuple((round(at_s * S), "text", len(text)) for at_s, text in pieces)
    values: dict[str, Any] = {"chunks": chunks, "response": "".join(text for _, text in pieces), "duration_s": 10.0}
    return record(**(values | given))


STEADY: Chunks = [(round((1 + 0.1 * i) * S), "text", 4) for i in range(10)]


def test_an_injected_gap_is_found_with_its_place_and_length() -> None:
    chunks = [(at + (4_200_000_000 if i > 5 else 0), kind, chars) for i, (at, kind, chars) in enumerate(STEADY)]
    found = silences(chunks)
    assert len(found) == 9
    worst = longest(found)
    assert worst is not None
    assert (worst.began_s, worst.length_s) == pytest.approx((1.5, 4.3))
    assert long_ones(found) == (worst,)


def test_a_steady_stream_has_no_long_gap_however_slow() -> None:
    assert long_ones(silences(STEADY)) == ()
    assert long_ones(silences([(i * 2 * S, "text", 1) for i in range(9)])) == ()
    assert long_ones(()) == ()
    assert longest(()) is None


def test_the_wait_for_the_first_chunk_is_no_gap_and_empty_text_is_no_chunk() -> None:
    assert silences([(5 * S, "text", 3)]) == ()
    assert silences([(1 * S, "text", 3), (2 * S, "text", 0), (3 * S, "text", 1)]) == (
        Silence(began_s=1.0, length_s=2.0),
    )


def test_a_run_that_was_cut_is_silent_to_its_end() -> None:
    pieces = ((1.0, "One "), (1.1, "two"))
    assert silences_of(told(*pieces, status="interrupted", duration_s=9.0))[-1] == Silence(began_s=1.1, length_s=7.9)
    assert longest(silences_of(told(*pieces))) == Silence(began_s=1.0, length_s=pytest.approx(0.1))  # type: ignore[arg-type]  # stands for a float
    assert silences_of(told(*pieces, mode="sync")) == ()
    assert silences_of(record(chunks=None)) == ()


def test_a_reader_who_is_slower_than_the_stream_never_waits() -> None:
    reader = reader_of(told((0.5, "Five words "), (0.6, "come at "), (0.7, "once.")))
    assert reader is not None
    assert (reader.first_text_s, reader.waited_s, reader.first_sentence_s) == (0.5, 0.0, 0.7)
    assert reader.done_s == pytest.approx(0.5 + 5 * 60 / WORDS_PER_MIN)
    assert not reader.fell_behind


def test_a_reader_waits_for_what_comes_late() -> None:
    # Reads "One" from 1.00 to 1.25 s, waits for "two." until 3.00, reads it until 3.25, waits for "Three." until 5.00.
    reader = reader_of(told((1.0, "One "), (3.0, "two. "), (5.0, "Three.")))
    assert reader is not None
    assert reader.waited_s == pytest.approx(1.75 + 1.75)
    assert reader.waited_in_all_s == pytest.approx(4.5)
    assert reader.done_s == pytest.approx(5.25)
    assert reader.first_sentence_s == 3.0
    assert reader.fell_behind


def test_a_word_in_two_chunks_is_there_with_its_second_half() -> None:
    reader = reader_of(told((1.0, "Un"), (1.2, "believable")))
    assert reader is not None
    assert reader.waited_s == pytest.approx(0.2)
    assert not reader.fell_behind  # less than one word


def test_thinking_is_nothing_to_read() -> None:
    thought = told((2.0, "Yes, of course."), reasoning="Hm")
    chunks = ((1 * S, "reasoning", 2), *(thought.chunks or ()))
    reader = reader_of(told((2.0, "Yes, of course."), chunks=chunks))
    assert reader is not None
    assert reader.first_text_s == 2.0


def test_a_complete_answer_is_there_all_at_once() -> None:
    complete = record(mode="sync", response="One two three.", duration_s=4.0)
    assert text_arrivals(complete) == ((14, 4.0),)
    reader = reader_of(complete)
    assert reader is not None
    assert (reader.first_text_s, reader.first_sentence_s, reader.waited_s) == (4.0, 4.0, 0.0)


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("1. Sleep early. Then", "1. Sleep early."),
        ("See Dr. Smith now! Or", "See Dr. Smith now!"),
        ('He said: "Never." Then', 'He said: "Never."'),
        ("Version 3.14 is out? Yes", "Version 3.14 is out?"),
        ("你好。再见", "你好。"),
        ("no end in sight", None),
        ("**Bold claim.** More", "**Bold claim.**"),
    ],
)
def test_where_the_first_sentence_ends(text: str, ends: str | None) -> None:
    reader = reader_of(told(*((float(i), sign) for i, sign in enumerate(text, 1))))
    assert reader is not None
    assert reader.first_sentence_s == (len(ends) if ends else None)


def test_signs_are_read_one_by_one() -> None:
    reader = reader_of(told((1.0, "你好世界")))
    assert reader is not None
    assert reader.done_s == pytest.approx(1 + 4 * 0.25)


@pytest.mark.parametrize("nothing", [record(chunks=()), record(chunks=None, response="text"), told((1.0, "  "))])
def test_without_text_or_times_there_is_no_reader(nothing: RunRecord) -> None:
    assert reader_of(nothing) is None
