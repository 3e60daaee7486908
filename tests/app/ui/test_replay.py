"""The player's HTML: the times of a run, its text as data and never as markup, and how it ended."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest

from app.ui.markdown import to_html
from app.ui.replay import BLOCK, replay_html, why_not
from metrics.record import RunRecord
from tests.app.ui.make import a_record

S = 1_000_000_000


def a_stream(*pieces: tuple[float, str, str], **given: Any) -> RunRecord:
    """A streamed run of (seconds, kind, text)."""
    chunks = tuple((round(at_s * S), kind, len(text)) for at_s, kind, text in pieces)
    texts = {
        name: "".join(text for _, kind, text in pieces if kind == wanted)
        for name, wanted in (("response", "text"), ("reasoning", "reasoning"))
    }
    first_s = next((at_s for at_s, kind, _ in pieces if kind == "text"), None)
    return a_record(**({"chunks": chunks, "duration_s": 3.0, "time_to_first_visible_s": first_s} | texts | given))


def data_of(drawn: str) -> dict[str, Any]:
    """What the script gets to play."""
    found = re.search(r'data-replay="([^"]*)"', drawn)
    assert found is not None
    data: dict[str, Any] = json.loads(html.unescape(found[1]))
    return data


TWO = a_stream((0.5, "text", "Two "), (1.25, "text", "words."))


def test_a_step_is_a_moment_and_how_much_was_there() -> None:
    data = data_of(replay_html(TWO))
    assert data["steps"] == [[500.0, 4, 0], [1250.0, 10, 0]]
    assert (data["duration_ms"], data["text"], data["ended"]) == (3000.0, "Two words.", "done after 3.00 s")
    assert data["whole"] is True


def test_thinking_is_played_apart() -> None:
    data = data_of(replay_html(a_stream((0.2, "reasoning", "Hmm"), (0.5, "text", "Yes"), (0.7, "reasoning", "!"))))
    assert data["steps"] == [[200.0, 0, 3], [500.0, 3, 3], [700.0, 3, 4]]
    assert (data["text"], data["thought"]) == ("Yes", "Hmm!")


def test_lengths_are_those_of_javascript() -> None:
    assert [step[1] for step in data_of(replay_html(a_stream((1, "text", "🌙a"), (2, "text", "é"))))["steps"]] == [3, 4]


def test_left_out_texts_are_blocks_of_the_same_length() -> None:
    drawn = replay_html(a_stream((0.5, "reasoning", "Hm 🌙"), (1, "text", "Secret\n word")), texts=False)
    data = data_of(drawn)
    assert data["text"] == f"{BLOCK * 6}\n {BLOCK * 4}"
    assert data["thought"] == f"{BLOCK * 2} {BLOCK}"
    assert data["steps"][-1][1:] == [len(data["text"]), len(data["thought"])]
    assert "ecret" not in drawn


def test_at_the_end_the_answer_is_drawn_as_in_the_chat_and_left_out_where_texts_are() -> None:
    run = a_stream((1, "text", "**Two** <b>words</b>"))
    assert f'<template class="replay-drawn">{to_html(run.response).strip()}</template>' in replay_html(run)
    assert "<strong>Two</strong> &lt;b&gt;" in replay_html(run)
    assert "<template" not in replay_html(run, texts=False)


def test_everything_of_the_model_is_data() -> None:
    evil = '</section><script>alert(1)</script>" onclick="alert(2)'
    given = {"request_model": evil, "status": "failed", "error_message": evil}
    drawn = replay_html(a_stream((0.5, "reasoning", evil), (1, "text", evil), **given))
    assert "<script" not in drawn
    assert '" onclick' not in drawn
    assert data_of(drawn)["text"] == evil


def test_a_complete_answer_plays_only_its_wait_and_says_so() -> None:
    drawn = replay_html(a_record(mode="sync", response="All of it.", chunks=((7 * S, "text", 10),)))
    data = data_of(drawn)
    assert data["steps"] == []
    assert data["whole"] is True
    assert "It has no chunks: what is played is its wait of 7.40 s." in drawn
    assert 'data-pane="streamed"' not in drawn
    assert "replay-strip" not in drawn
    assert "reader" not in drawn


@pytest.mark.parametrize(
    ("status", "word"), [("interrupted", "cut off"), ("cancelled", "stopped"), ("failed", "failed")]
)
def test_a_run_that_ended_early_plays_what_it_had_and_says_how_it_ended(status: Any, word: str) -> None:
    run = a_stream((0.5, "text", "Half of it"), status=status, error_message="The connection broke.")
    drawn = replay_html(run)
    data = data_of(drawn)
    assert data["ended"] == f"{word} after 3.00 s"
    assert data["whole_ended"] == f"{word} after 3.00 s: nothing to read"
    assert data["whole"] is False
    assert data["text"] == "Half of it"
    assert "Without streaming there would have been nothing." in drawn
    assert ("The connection broke." in drawn) is (status != "cancelled")
    assert "reader" not in drawn


def test_what_is_played_is_told_in_words_too() -> None:
    drawn = replay_html(TWO)
    assert "First text after 500 ms; without streaming, if it took as long, after 3.00 s." in drawn
    assert "First sentence at 1.25 s. A reader of 240 words a minute ran out of text, for 500 ms in all" in drawn
    calm = replay_html(a_stream((0.5, "text", "Two "), (0.6, "text", "words.")))
    assert "A reader of 240 words a minute never ran out of text." in calm


def test_simulated_and_burst_runs_are_marked() -> None:
    drawn = replay_html(a_stream((1, "text", "x"), simulated=True, flags=("buffered_stream",)))
    assert ">simulated<" in drawn
    assert ">not really streamed: it came in one burst<" in drawn


def test_a_chunk_is_a_tick_and_a_long_gap_a_frame() -> None:
    pieces = [(1 + i / 20, "text", "x") for i in range(10)] + [(2.9, "text", "y")]
    drawn = replay_html(a_stream(*pieces))
    assert drawn.count("V10") == 11
    assert "<title>nothing came for 1.45 s</title>" in drawn
    assert replay_html(a_stream(*pieces[:-1])).count("<rect") == 0


@pytest.mark.parametrize("chunks", [None, ()])
def test_a_run_without_times_of_chunks_plays_its_wait(chunks: Any) -> None:
    drawn = replay_html(a_record(chunks=chunks, response="Text"))
    assert data_of(drawn)["steps"] == []
    assert "No chunk of this run is known" in drawn


def test_a_run_that_was_never_timed_cannot_be_played() -> None:
    assert "nothing to replay" in replay_html(a_record(duration_s=None, status="failed"))


def test_a_run_without_any_text_cannot_be_played_and_says_so() -> None:
    nothing = a_record(response="", chunks=((S, "text", 0),), status="failed")
    assert why_not(nothing) == "No text came in this run: there is nothing to replay."
    assert why_not(nothing) in replay_html(nothing)
    assert why_not(TWO) == ""


def test_it_plays_by_itself_only_where_it_was_asked_for() -> None:
    assert 'data-play="true"' in replay_html(TWO)
    assert 'data-play="false"' in replay_html(TWO, play=False)


def test_every_control_has_a_name() -> None:
    drawn = replay_html(TWO)
    assert re.findall(r"<button[^>]*>([^<]+)</button>", drawn) == ["Play", "Restart", "0.5×", "1×", "2×"]
    assert 'aria-label="Moment of the run"' in drawn
    assert 'role="status"' in drawn
