"""The plots: fit for a page, the same for the same data, every run drawn, and the same in words."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from metrics.charts import Chart, distribution, gaps, paired_lines, timeline
from metrics.pairs import Pair
from metrics.timing import Chunks
from tests.metrics.records import record

S = 1_000_000_000
TIMES = [(5.0, 0.4), (6.0, 0.5), (4.0, 0.3), (5.5, 6.5)]
CHUNKS: Chunks = [
    (S // 2, "reasoning", 10),
    *((S + i * S // 20, "text", 5) for i in range(20)),
    (6 * S, "text", 30),
]


def pairs() -> list[Pair]:
    return [
        Pair(
            pair_id=str(number),
            complete=record(f"c{number}", mode="sync", time_to_visible_s=complete),
            streamed=record(f"s{number}", time_to_visible_s=streamed),
        )
        for number, (complete, streamed) in enumerate(TIMES)
    ]


CHARTS: dict[str, Callable[[], Chart]] = {
    "paired lines": lambda: paired_lines(pairs()),
    "distribution": lambda: distribution(*zip(*TIMES, strict=True)),
    "timeline": lambda: timeline(CHUNKS, 6.2),
    "gaps": lambda: gaps([0.04, 0.05, 0.0, 0.06, 4.2]),
}


@pytest.fixture(scope="module", params=list(CHARTS))
def drawn(request: pytest.FixtureRequest) -> tuple[Chart, Chart]:
    make = CHARTS[request.param]
    return make(), make()


def dots(chart: Chart, colour: str) -> int:
    return len(re.findall(rf"<use [^>]*fill: var\({colour},", chart.svg))


def test_a_chart_is_one_piece_of_html_that_speaks(drawn: tuple[Chart, Chart]) -> None:
    chart, _ = drawn
    root = ElementTree.fromstring(chart.svg)
    assert (root.tag, root.get("role")) == ("svg", "img")
    title, desc = root[0], root[1]
    assert (title.text, desc.text) == (chart.title, chart.words)
    assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
    assert "<style" not in chart.svg
    assert "<metadata" not in chart.svg
    assert "font-family" not in chart.svg
    assert root.find(".//text") is not None


def test_colours_are_those_of_the_page_with_a_fallback(drawn: tuple[Chart, Chart]) -> None:
    bare = re.sub(r"var\(--[a-z0-9-]+, #[0-9a-f]{6}\)", "", drawn[0].svg)
    assert "var(--" in drawn[0].svg
    assert not re.search(r"#[0-9a-f]{6}(?![0-9a-f-])", bare)


def test_a_chart_is_the_same_for_the_same_data(drawn: tuple[Chart, Chart]) -> None:
    assert drawn[0] == drawn[1]


def test_ids_lead_somewhere_and_belong_to_one_chart() -> None:
    charts = [make().svg for make in CHARTS.values()]
    known = [set(re.findall(r' id="([^"]+)"', svg)) for svg in charts]
    assert len(set.union(*known)) == sum(map(len, known))
    for svg, ids in zip(charts, known, strict=True):
        assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg)) <= ids


def test_every_pair_is_a_line_with_two_dots() -> None:
    chart = paired_lines(pairs())
    assert (dots(chart, "--accent"), dots(chart, "--ink-3")) == (4, 4)
    assert len(re.findall(r"stroke-dasharray", chart.svg)) == 1  # the pair that was slower streamed
    assert chart.words == (
        "In 3 of 4 pairs the first text came sooner with streaming. Median time to first text: complete 5.2 s, "
        "streamed 0.45 s."
    )


def test_every_run_is_a_dot_of_the_distribution() -> None:
    chart = distribution([5.0, 6.0], [0.4, 0.5, 0.6])
    assert (dots(chart, "--accent"), dots(chart, "--ink-3")) == (3 + 1, 2 + 1)  # and one in the legend
    assert "Half of the 3 streamed answers had begun within 0.50 s (from 0.40 s to 0.60 s)." in chart.words
    assert "Half of the 2 complete answers were there within 5.5 s" in chart.words


def test_the_timeline_tells_the_longest_silence() -> None:
    chart = timeline(CHUNKS, 6.2)
    assert "First text after 1.00 s; 130 characters in 21 chunks until 6.0 s, 6.2 s in all." in chart.words
    assert "Thinking began after 0.50 s." in chart.words
    assert chart.words.endswith("Longest silence 4.0 s, 1.95 s after the call.")
    assert "<pattern" in chart.svg
    assert ">4.0 s</text>" in chart.svg
    assert "<pattern" not in timeline(CHUNKS[1:-1], 2.0).svg
    assert "Longest silence 4.0 s" in timeline(CHUNKS[:-1], 6.0, ended_s=5.95).words


@pytest.mark.parametrize(
    ("gaps_s", "labels"),
    [
        ([1e-4, 0.012, 0.153], ["0.1 ms", "1 ms", "10 ms", "100 ms"]),
        ([0.012, 0.02], ["10 ms", "20 ms"]),
        ([0.03, 5.0], ["100 ms", "1 s", "10 s"]),
    ],
)
def test_labels_of_gaps_stand_apart(gaps_s: list[float], labels: list[str]) -> None:
    told = re.findall(r'<text [^>]*x="([\d.]+)"[^>]*>([^<]+)</text>', gaps(gaps_s).svg)
    assert [label for _, label in told] == labels
    places = [float(place) for place, _ in told]
    assert all(right - left > 50 for left, right in itertools.pairwise(places))


def test_gaps_of_nothing_are_drawn_at_the_edge() -> None:
    words = gaps([0.04, 0.05, 0.0, 0.06, 4.2]).words
    assert words.startswith("5 gaps between chunks: median 50 ms, longest 4.2 s.")
    assert words.endswith("Half of them lie between 40 ms and 60 ms.")
    assert gaps([0.2]).words == "1 gap between chunks: median 0.20 s, longest 0.20 s."


@pytest.mark.parametrize(
    "empty", [paired_lines([]), distribution([], []), timeline([(S, "text", 0)], 1.0), gaps([])], ids=lambda c: c.title
)
def test_nothing_to_draw_is_said_in_words(empty: Chart) -> None:
    assert empty.svg == ""
    assert empty.words.endswith((".", "yet."))


@pytest.mark.parametrize(
    "make",
    [
        lambda: distribution([0.0], []),
        lambda: distribution([0.2, 0.2], [0.2]),
        lambda: distribution([], [900.0]),
        lambda: timeline([(0, "text", 1)], 0.0),
        lambda: timeline([(3 * S, "reasoning", 0)], 3.0),
        lambda: timeline([(5 * S, "text", 3)], 1.0),
        lambda: gaps([0.0, 0.0]),
        lambda: gaps([1e-6, 900.0]),
        lambda: paired_lines(pairs()[:1]),
        lambda: paired_lines([replace(pair, streamed=record(time_to_visible_s=0.0)) for pair in pairs()]),
    ],
)
def test_odd_data_is_drawn_without_a_warning(make: Callable[[], Chart]) -> None:
    assert make().svg.startswith("<svg")


def test_charts_may_be_drawn_in_several_threads() -> None:
    makes = list(CHARTS.values()) * 3
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda make: make(), makes)) == [make() for make in makes]


def test_an_answer_of_thousands_of_chunks_stays_small() -> None:
    assert len(timeline([(i * S // 50, "text", 4) for i in range(5000)], 100.0).svg) < 120_000
    assert len(gaps([0.02 + i / 1e7 for i in range(20_000)]).svg) < 60_000


def test_the_plotting_library_is_loaded_at_the_first_drawing() -> None:
    code = "import sys, metrics.charts; sys.exit('matplotlib' in sys.modules)"
    root = Path(__file__).parent.parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
