"""Drawings and stages as HTML."""

from __future__ import annotations

from app.ui.plots import SHOWN_CHUNKS, drawing, raw_chunks, waterfall
from metrics.record import RunRecord
from metrics.stages import stages_of
from metrics.svg import Chart
from tests.app.ui.make import a_record


def test_a_drawing_stands_with_its_title_and_its_words() -> None:
    chart = Chart(title="A & B", svg="<svg></svg>", words="1 < 2")
    assert drawing(chart) == (
        '<figure class="drawing"><figcaption><h3>A &amp; B</h3></figcaption><svg></svg><p>1 &lt; 2</p></figure>'
    )
    assert "<h3>Model &lt;X&gt;</h3>" in drawing(chart, "Model <X>")


def a_run() -> RunRecord:
    return a_record(
        duration_s=4.0,
        time_to_headers_s=0.5,
        time_to_first_chunk_s=1.0,
        time_to_first_visible_s=1.0,
        time_to_last_chunk_s=3.8,
    )


def test_bars_of_the_waterfall_follow_one_another() -> None:
    drawn = waterfall(stages_of(a_run()))
    assert 'style="margin-left:0.00%;width:12.50%"' in drawn
    assert 'style="margin-left:12.50%;width:12.50%"' in drawn
    assert 'style="margin-left:25.00%;width:70.00%"' in drawn
    assert [words in drawn for words in (">500 ms<", ">2.80 s<", ">200 ms<", ">4.00 s<")] == [True] * 4


def test_what_a_stage_is_can_be_read_without_a_mouse() -> None:
    assert "<dd>Until the first visible text arrived</dd>" in waterfall(stages_of(a_run()))


def test_chunks_as_they_were_stamped() -> None:
    drawn = raw_chunks([(500_000_000, "reasoning", 3), (1_750_000_000, "text", 12)])
    assert "<summary>2 chunks</summary>" in drawn
    assert "<tr><td>1</td><td>500.0</td><td>500.0</td><td>reasoning</td><td>3</td></tr>" in drawn
    assert "<tr><td>2</td><td>1,750.0</td><td>1,250.0</td><td>text</td><td>12</td></tr>" in drawn
    assert "more" not in drawn
    assert raw_chunks(()) == ""


def test_of_a_long_answer_the_first_chunks_are_shown() -> None:
    drawn = raw_chunks([(number, "text", 1) for number in range(SHOWN_CHUNKS + 1200)])
    assert drawn.count("<tr><td>") == SHOWN_CHUNKS
    assert "<p>And 1,200 more.</p>" in drawn


def test_without_stages_there_is_no_waterfall() -> None:
    assert waterfall(()) == ""
    assert waterfall(stages_of(a_record(duration_s=0.0))) == ""
