"""The strip under an answer: every chunk in its place, silences where they were, and no more than can be seen."""

from __future__ import annotations

import re

from app.live import RunUpdate
from app.ui.compare_timeline import SEEN, WIDTH, shared_axis_s, timeline
from tests.app.ui.make import a_complete_update, a_live_update, a_record, an_update

S = 1_000_000_000


def streamed(*times_s: float, total_s: float | None = None, **values: object) -> RunUpdate:
    """An answer of which a chunk came at each of these times."""
    chunks = tuple((round(at_s * S), "text", 4) for at_s in times_s)
    record = a_record(chunks=chunks, duration_s=total_s or times_s[-1], **values)
    return an_update(record=record, first_text_s=times_s[0])


def ticks(html: str) -> list[int]:
    return [int(place) for place in re.findall(r"M(\d+) 3v14", html)]


def test_each_chunk_is_a_tick_at_its_time() -> None:
    html = timeline(streamed(1.0, 2.0, 4.0), 10.0)
    assert ticks(html) == [100, 200, 400]
    assert '<rect class="wait" x="0" y="0" width="100"' in html
    assert '<rect class="flow" x="100" y="0" width="300"' in html


def test_a_silence_is_found_with_its_place_and_length() -> None:
    steady = [0.5 + 0.05 * number for number in range(47)]
    later = [steady[-1] + 4.2 + 0.05 * number for number in range(20)]
    html = timeline(streamed(*steady, *later), 10.0)
    assert "longest silence 4.20 s at 2.80 s" in html
    assert '<rect class="silence long" x="280" y="0" width="420"' in html
    assert html.count('class="silence') == 1 + html.count('class="silences"')


def test_a_silence_is_seen_however_long_the_axis_is() -> None:
    steady = [0.5 + 0.01 * number for number in range(40)]
    html = timeline(streamed(*steady, steady[-1] + 0.4, steady[-1] + 0.41), 600.0)
    assert f'<rect class="silence" x="1" y="0" width="{SEEN}"' in html


def test_a_slow_and_steady_answer_has_no_coloured_gap() -> None:
    html = timeline(streamed(*(1.0 + 0.5 * number for number in range(10))), 10.0)
    assert '<rect class="silence' not in html


def test_a_long_answer_has_no_more_ticks_than_the_axis_has_places() -> None:
    html = timeline(streamed(*(0.2 + 0.001 * number for number in range(50_000))), 60.0)
    assert len(ticks(html)) <= WIDTH + 1
    assert len(html) < 12_000


def test_a_complete_answer_arrives_at_one_moment() -> None:
    html = timeline(a_complete_update(), 10.0)
    assert ticks(html) == [740]
    assert "all at once" in html
    assert '<rect class="wait" x="0" y="0" width="740"' in html


def test_a_lump_has_no_silences_to_tell() -> None:
    assert "came in one lump" in timeline(streamed(3.8, flags=("buffered_stream",)), 10.0)


def test_while_text_flows_there_are_bars_and_no_words() -> None:
    html = timeline(a_live_update(elapsed_s=5.0), 10.0)
    assert '<rect class="flow"' in html
    assert "<p" not in html
    assert ticks(html) == []


def test_what_was_not_sent_has_no_timeline() -> None:
    assert timeline(an_update(run_id="", state="failed", elapsed_s=0.0, record=None, text=""), 10.0) == ""


def test_all_timelines_share_an_axis_that_moves_in_steps() -> None:
    answers = [streamed(1.0, 2.0), a_live_update(elapsed_s=6.1), None]
    assert shared_axis_s(answers, moving=True) == 8
    assert shared_axis_s(answers, moving=False) == 6.1
    assert shared_axis_s([None], moving=False) > 0


def test_the_strip_has_words_for_those_who_do_not_see_it() -> None:
    assert 'aria-label="Timeline: first text at 1.00 s, 2 chunks until 2.00 s"' in timeline(streamed(1.0, 2.0), 4.0)
