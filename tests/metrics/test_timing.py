"""Synthetic streams whose truth is known by construction."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.timing import Chunks, ChunkTime, Kind, RunMetrics, TokenCounts, flags, measure

MS = 1_000_000
T0 = 5_000_000_000_000


def chunk(at_ms: float, kind: Kind = "text", chars: int = 4) -> ChunkTime:
    return ChunkTime(T0 + round(at_ms * MS), kind, chars)


def steady(count: int, *, start_ms: float, gap_ms: float, kind: Kind = "text") -> list[ChunkTime]:
    return [chunk(start_ms + i * gap_ms, kind) for i in range(count)]


def streamed(chunks: Chunks, *, end_ms: float, **given_: Any) -> RunMetrics:
    return measure(stream=True, sent_at_ns=T0, ended_at_ns=T0 + round(end_ms * MS), chunks=chunks, **given_)


# --- speed is per token, whatever the chunking ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "first_tokens"),
    [
        pytest.param(steady(400, start_ms=600, gap_ms=12.5), 1, id="one token a chunk"),
        pytest.param(steady(100, start_ms=650, gap_ms=50), 4, id="four tokens a chunk"),
        pytest.param([chunk(600), *steady(380, start_ms=612.5, gap_ms=12.5)], 20, id="first chunk of twenty"),
    ],
)
def test_decode_speed_does_not_depend_on_chunking(chunks: Chunks, first_tokens: int) -> None:
    metrics = streamed(chunks, end_ms=6000, tokens=TokenCounts(reported=400, first_chunk=first_tokens))
    assert metrics.tpot_s == pytest.approx(0.0125)
    assert metrics.tpot_visible_s == pytest.approx(0.0125)
    assert metrics.decode_tokens_per_s == pytest.approx(80)
    assert metrics.output_tokens_per_s == pytest.approx(400 / 6)


def test_first_chunk_counts_as_one_token_where_its_size_is_unknown() -> None:
    metrics = streamed(steady(11, start_ms=100, gap_ms=50), end_ms=700, tokens=TokenCounts(reported=11))
    assert metrics.tpot_s == pytest.approx(0.05)


def test_gaps_are_between_chunks() -> None:
    metrics = streamed([chunk(100), chunk(110), chunk(120), chunk(620)], end_ms=700)
    assert metrics.chunk_count == 4
    assert metrics.inter_chunk_p50_s == pytest.approx(0.010)
    assert metrics.inter_chunk_max_s == pytest.approx(0.5)
    assert metrics.inter_chunk_p95_s == pytest.approx(0.451)


# --- the two firsts ---------------------------------------------------------------------------------------------------


def test_reasoning_then_text() -> None:
    """One second of thought in 100 tokens, then 40 visible tokens in one second: 70 tokens/s, 40 of them visible."""
    thought = steady(100, start_ms=500, gap_ms=10, kind="reasoning")
    words = steady(40, start_ms=1500, gap_ms=25)
    metrics = streamed(
        [*thought, *words],
        end_ms=2600,
        tokens=TokenCounts(reported=140, visible=40, first_chunk=1, first_visible=1),
    )
    assert metrics.time_to_first_chunk_s == pytest.approx(0.5)
    assert metrics.time_to_first_visible_s == metrics.time_to_visible_s == pytest.approx(1.5)
    assert metrics.thinking_s == pytest.approx(1.0)
    assert metrics.decode_tokens_per_s == pytest.approx(139 / 1.975)
    assert metrics.tpot_visible_s == pytest.approx(0.025)


def test_cut_while_reasoning_has_no_first_visible() -> None:
    chunks = steady(50, start_ms=500, gap_ms=20, kind="reasoning")
    metrics = streamed(chunks, end_ms=1600, tokens=TokenCounts(reported=50))
    assert metrics.time_to_first_chunk_s == pytest.approx(0.5)
    assert metrics.time_to_first_visible_s is None
    assert metrics.time_to_visible_s is None
    assert metrics.thinking_s is None
    found = flags(stream=True, sent_at_ns=T0, chunks=chunks, stop_reason="max_tokens")
    assert found == ("truncated", "reasoning", "no_visible")


def test_redacted_reasoning_is_a_chunk_but_gives_no_speed() -> None:
    """Tokens that no chunk carried are in the count, so a speed over all of them would be invented."""
    chunks = [chunk(400, "reasoning", 0), *steady(50, start_ms=900, gap_ms=20)]
    metrics = streamed(chunks, end_ms=2000, tokens=TokenCounts(reported=900, visible=50, first_visible=1))
    assert metrics.time_to_first_chunk_s == pytest.approx(0.4)
    assert metrics.time_to_first_visible_s == pytest.approx(0.9)
    assert metrics.chunk_count == 51
    assert metrics.tpot_s is None
    assert metrics.decode_tokens_per_s is None
    assert metrics.tpot_visible_s == pytest.approx(0.020)


def test_signature_after_visible_reasoning_keeps_the_speed() -> None:
    chunks = [chunk(100, "reasoning"), chunk(150, "reasoning", 0), chunk(200), chunk(300)]
    assert streamed(chunks, end_ms=400, tokens=TokenCounts(reported=9)).tpot_s == pytest.approx(0.025)


def test_empty_first_delta_is_no_chunk() -> None:
    metrics = streamed([chunk(100, "text", 0), chunk(400), chunk(500)], end_ms=600)
    assert metrics.time_to_first_chunk_s == metrics.time_to_first_visible_s == pytest.approx(0.4)
    assert metrics.chunk_count == 2


# --- ends -------------------------------------------------------------------------------------------------------------


def test_duration_includes_late_usage() -> None:
    metrics = streamed(steady(11, start_ms=1000, gap_ms=100), end_ms=2200)
    assert metrics.time_to_last_chunk_s == pytest.approx(2.0)
    assert metrics.duration_s == pytest.approx(2.2)


def test_cut_stream_keeps_its_times_but_no_figure_per_token() -> None:
    chunks = steady(60, start_ms=300, gap_ms=20)
    metrics = streamed(chunks, end_ms=1600, tokens=TokenCounts(estimated=60), complete=False)
    assert metrics.duration_s == pytest.approx(1.6)
    assert metrics.time_to_first_visible_s == pytest.approx(0.3)
    assert (
        metrics.tpot_s is metrics.tpot_visible_s is metrics.decode_tokens_per_s is metrics.output_tokens_per_s is None
    )


def test_nothing_arrived() -> None:
    metrics = streamed([], end_ms=900, tokens=TokenCounts(estimated=0), complete=False)
    assert dataclasses.asdict(metrics) == {
        **dict.fromkeys((f.name for f in dataclasses.fields(RunMetrics)), None),
        "duration_s": pytest.approx(0.9),
        "chunk_count": 0,
    }
    assert flags(stream=True, sent_at_ns=T0, chunks=[]) == ()


def test_estimate_stands_in_for_missing_usage() -> None:
    metrics = streamed(steady(50, start_ms=100, gap_ms=20), end_ms=1200, tokens=TokenCounts(estimated=50))
    assert metrics.tpot_s == pytest.approx(0.020)
    assert metrics.output_tokens_per_s == pytest.approx(50 / 1.2)


@pytest.mark.parametrize(
    ("chunks", "tokens"),
    [
        pytest.param([chunk(100), chunk(200)], TokenCounts(reported=1), id="one token"),
        pytest.param([chunk(100)], TokenCounts(reported=50), id="one chunk"),
        pytest.param([chunk(100), chunk(200)], TokenCounts(reported=5, first_chunk=5), id="all in the first chunk"),
        pytest.param([chunk(100), chunk(200)], TokenCounts(), id="no count at all"),
    ],
)
def test_time_per_token_is_null_where_it_is_not_defined(chunks: Chunks, tokens: TokenCounts) -> None:
    metrics = streamed(chunks, end_ms=300, tokens=tokens)
    assert metrics.tpot_s is metrics.tpot_visible_s is None


@pytest.mark.parametrize(
    ("chunks", "reported"),
    [
        pytest.param(steady(39, start_ms=500, gap_ms=20), 39, id="under 40 tokens"),
        pytest.param(steady(60, start_ms=500, gap_ms=3), 60, id="under 200 ms"),
        pytest.param([chunk(8000 + i / 10) for i in range(3000)], 3000, id="buffered"),
    ],
)
def test_decode_speed_is_blank_where_it_would_be_noise(chunks: Chunks, reported: int) -> None:
    metrics = streamed(chunks, end_ms=9000, tokens=TokenCounts(reported=reported))
    assert metrics.tpot_s is not None
    assert metrics.decode_tokens_per_s is None


# --- a complete answer ------------------------------------------------------------------------------------------------


def test_complete_answer_has_no_firsts_but_becomes_visible_at_its_end() -> None:
    metrics = measure(
        stream=False,
        sent_at_ns=T0,
        headers_at_ns=T0 + 3000 * MS,
        ended_at_ns=T0 + 3000 * MS,
        chunks=[chunk(3000, "text", 800)],
        tokens=TokenCounts(reported=180),
        server_latency_s=2.75,
    )
    assert metrics == RunMetrics(
        duration_s=3.0,
        time_to_headers_s=3.0,
        time_to_visible_s=3.0,
        output_tokens_per_s=60.0,
        server_latency_s=2.75,
        overhead_s=0.25,
    )


def test_complete_answer_without_text_never_became_visible() -> None:
    metrics = measure(stream=False, sent_at_ns=T0, ended_at_ns=T0 + MS, chunks=[chunk(1, "reasoning")])
    assert metrics.time_to_visible_s is None


# --- flags ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([chunk(4900 + i / 7) for i in range(74)], True, id="74 chunks in 10 ms after 4.9 s"),
        pytest.param([chunk(900)] * 5, True, id="all at once"),
        pytest.param([chunk(900)] * 4, False, id="too few to tell"),
        pytest.param(steady(40, start_ms=900, gap_ms=25), False, id="steady"),
        pytest.param(steady(2000, start_ms=200, gap_ms=2), False, id="very fast all through"),
        pytest.param(steady(5, start_ms=4000, gap_ms=20), False, id="short answer after a slow start"),
        pytest.param(steady(200, start_ms=60_000, gap_ms=12), False, id="fast answer after silent thinking"),
    ],
)
def test_buffered_stream(chunks: Chunks, expected: bool) -> None:
    found = flags(stream=True, sent_at_ns=T0, chunks=chunks, stop_reason="end_turn")
    assert found == (("buffered_stream",) if expected else ())
    assert flags(stream=False, sent_at_ns=T0, chunks=chunks, stop_reason="end_turn") == ()


def test_each_mark_has_its_cause() -> None:
    def found(**given_: Any) -> tuple[str, ...]:
        return flags(stream=True, sent_at_ns=T0, chunks=[chunk(10)], **{"stop_reason": "end_turn", **given_})

    assert found() == ()
    assert found(stop_reason="max_tokens") == ("truncated",)
    assert found(stop_reason="model_context_window_exceeded") == ("truncated",)
    assert found(resends=1) == ("retried",)
    assert found(cache_read_tokens=0) == ()
    assert found(cache_read_tokens=512) == ("cache_hit",)
    assert found(cold=True) == ("cold",)


# --- properties -------------------------------------------------------------------------------------------------------

kinds: st.SearchStrategy[Kind] = st.sampled_from(["text", "reasoning"])
gap_lists = st.lists(st.tuples(st.integers(0, 10**10), kinds, st.integers(0, 50)), max_size=30)


def run(gaps: list[tuple[int, Kind, int]], tail_ns: int, t0_ns: int, tokens: TokenCounts) -> RunMetrics:
    at_ns, chunks = t0_ns, []
    for gap_ns, kind, chars in gaps:
        at_ns += gap_ns
        chunks.append((at_ns, kind, chars))
    return measure(stream=True, sent_at_ns=t0_ns, ended_at_ns=at_ns + tail_ns, chunks=chunks, tokens=tokens)


@given(gap_lists, st.integers(0, 10**9), st.integers(0, 500))
def test_order_of_times(gaps: list[tuple[int, Kind, int]], tail_ns: int, count: int) -> None:
    metrics = run(gaps, tail_ns, T0, TokenCounts(reported=count))
    ttfc, ttfv = metrics.time_to_first_chunk_s, metrics.time_to_first_visible_s
    ttlt = metrics.time_to_last_chunk_s
    assert (ttfc is None) == (ttlt is None) == (metrics.chunk_count == 0)
    if ttfc is not None and ttlt is not None:
        assert 0 <= ttfc <= ttlt <= metrics.duration_s
        assert ttfv is None or ttfc <= ttfv <= ttlt
    longest, p95 = metrics.inter_chunk_max_s, metrics.inter_chunk_p95_s
    if longest is not None and p95 is not None and metrics.inter_chunk_p50_s is not None:
        assert metrics.inter_chunk_p50_s <= p95 * (1 + 1e-9) <= longest * (1 + 2e-9)
    assert metrics.tpot_s is None or metrics.tpot_s >= 0


@given(gap_lists, st.integers(0, 10**9), st.integers(0, 500), st.integers(0, 2**62))
def test_figures_do_not_depend_on_the_clocks_origin(
    gaps: list[tuple[int, Kind, int]], tail_ns: int, count: int, t0_ns: int
) -> None:
    tokens = TokenCounts(reported=count, visible=count / 2)
    assert run(gaps, tail_ns, t0_ns, tokens) == run(gaps, tail_ns, 0, tokens)


@pytest.mark.parametrize(("chars", "lump"), [(199, False), (200, True), (4000, True)])
def test_a_long_answer_in_one_chunk_was_not_streamed(chars: int, lump: bool) -> None:
    found = flags(stream=True, sent_at_ns=0, chunks=[(2_000_000_000, "text", chars)], stop_reason="end_turn")
    assert ("buffered_stream" in found) == lump
