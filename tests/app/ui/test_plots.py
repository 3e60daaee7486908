"""Drawings and stages as HTML."""

from __future__ import annotations

from app.ui.plots import drawing, waterfall
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


def test_without_stages_there_is_no_waterfall() -> None:
    assert waterfall(()) == ""
    assert waterfall(stages_of(a_record(duration_s=0.0))) == ""
