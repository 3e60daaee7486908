"""Every latency figure of one run, derived once from raw time stamps. No clock and no I/O here.

Times come in as `perf_counter_ns` readings, figures go out in seconds. The words follow the OpenTelemetry GenAI
conventions (semantic-conventions-genai, `gen-ai-metrics.md`, read 2026-11): a *chunk* is a piece of generated content,
reasoning or visible text, never a service notification. A chunk is not a token, so nothing is divided by chunk counts.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, NamedTuple

Kind = Literal["text", "reasoning"]
Flag = Literal["buffered_stream", "truncated", "reasoning", "no_visible", "retried", "cache_hit", "cold"]

NS_PER_S = 1e9
TRUNCATED_REASONS = frozenset({"max_tokens", "model_context_window_exceeded"})
MIN_DECODE_TOKENS = 40
MIN_DECODE_S = 0.2
BUFFERED_MIN_CHUNKS = 5
BUFFERED_SHARE = 0.05
LUMP_CHARS = 200
"""A single chunk of this length is an answer that was held back; some 50 tokens, while services send up to 10."""
BUFFERED_GAP_S = 0.010
"""A stream that pours out faster than this per chunk was held back somewhere. Chunks that already wait in memory come
some 0.02 to 1 ms apart, up to 5 ms where threads compete for the interpreter; real models stay above 10 ms. Without
this floor a short answer of five steady chunks after a slow start would be called buffered."""


class ChunkTime(NamedTuple):
    """One content chunk: when it arrived, what it was, and its length in characters.

    A plain tuple of the same three does as well, and costs less in the stream's path. A redacted or signature-only
    piece of reasoning has no characters, but it counts as a chunk; text without characters does not.
    """

    at_ns: int
    kind: Kind
    chars: int


Chunks = Sequence[tuple[int, Kind, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCounts:
    """Output tokens of one run. Only `reported` is the service's own figure; all others are estimates from text.

    `visible` counts the visible text alone, `first_chunk` and `first_visible` the first chunk of any kind and the
    first one of text.
    """

    reported: int | None = None
    estimated: float | None = None
    visible: float | None = None
    first_chunk: float | None = None
    first_visible: float | None = None

    @property
    def total(self) -> float | None:
        """The reported count, or the estimate where none was reported."""
        return self.estimated if self.reported is None else self.reported


NO_TOKENS = TokenCounts()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMetrics:
    """What one run took. `None` means not defined for this run, never zero.

    duration_s             until the iterator was exhausted (stream) or the call returned (complete answer)
    time_to_headers_s      until the call returned; for a stream that is when it was opened
    time_to_first_chunk_s  streams only: first content of any kind (TTFT)
    time_to_first_visible_s  streams only: first visible text
    time_to_visible_s      first visible text of a stream, the duration of a complete answer
    time_to_last_chunk_s   streams only
    thinking_s             from the first reasoning to the first visible text; 0 where there was no reasoning
    tpot_s                 seconds per output token after the first chunk, of any kind
    tpot_visible_s         the same over visible text alone
    decode_tokens_per_s    1 / tpot_s; blank under 40 tokens, under 200 ms, and for a buffered stream
    output_tokens_per_s    output tokens / duration: the one speed that both modes have
    inter_chunk_*_s        gaps between chunks (not tokens): median, 95th percentile, longest stall
    server_latency_s       the service's own figure; overhead_s is the rest of the duration: network and client
    """

    duration_s: float
    time_to_headers_s: float | None = None
    time_to_first_chunk_s: float | None = None
    time_to_first_visible_s: float | None = None
    time_to_visible_s: float | None = None
    time_to_last_chunk_s: float | None = None
    thinking_s: float | None = None
    tpot_s: float | None = None
    tpot_visible_s: float | None = None
    decode_tokens_per_s: float | None = None
    output_tokens_per_s: float | None = None
    chunk_count: int | None = None
    inter_chunk_p50_s: float | None = None
    inter_chunk_p95_s: float | None = None
    inter_chunk_max_s: float | None = None
    server_latency_s: float | None = None
    overhead_s: float | None = None


def measure(
    *,
    stream: bool,
    sent_at_ns: int,
    ended_at_ns: int,
    chunks: Chunks,
    headers_at_ns: int | None = None,
    tokens: TokenCounts = NO_TOKENS,
    server_latency_s: float | None = None,
    complete: bool = True,
) -> RunMetrics:
    """All figures of one run, from stamps of one clock.

    `sent_at_ns` is taken right before the call, `ended_at_ns` when it had returned (complete answer) or when the
    iterator was exhausted (stream; the trailing usage is inside, so that both modes end at the same point). `chunks`
    are in order of arrival. `complete` is false for a run that was cut, stopped or resumed: its token count and its
    times do not belong together, so every figure per token stays `None`, and so does the overhead.
    """
    pieces = content(chunks)
    duration_s = (ended_at_ns - sent_at_ns) / NS_PER_S
    total = tokens.total if complete else None
    shared = RunMetrics(
        duration_s=duration_s,
        time_to_headers_s=_seconds(sent_at_ns, headers_at_ns),
        time_to_visible_s=duration_s if _first(pieces, "text") is not None else None,
        output_tokens_per_s=total / duration_s if total and duration_s > 0 else None,
        server_latency_s=server_latency_s,
        overhead_s=None if server_latency_s is None or not complete else duration_s - server_latency_s,
    )
    return _of_stream(shared, sent_at_ns, pieces, tokens, complete) if stream else shared


def is_buffered(sent_at_ns: int, chunks: Chunks) -> bool:
    """Whether a stream was none: at least five chunks that all came in the last 5 % of the time, in one burst; or a
    long answer in a single chunk."""
    pieces = content(chunks)
    if len(pieces) < BUFFERED_MIN_CHUNKS:
        return len(pieces) == 1 and pieces[0][2] >= LUMP_CHARS
    span_ns = pieces[-1][0] - pieces[0][0]
    burst = span_ns / NS_PER_S < BUFFERED_GAP_S * (len(pieces) - 1)
    return burst and span_ns < BUFFERED_SHARE * (pieces[-1][0] - sent_at_ns)


def flags(
    *,
    stream: bool,
    sent_at_ns: int,
    chunks: Chunks,
    stop_reason: str | None = None,
    resends: int = 0,
    cache_read_tokens: int | None = None,
    cold: bool = False,
) -> tuple[Flag, ...]:
    """What keeps a run out of plain averages, in a fixed order.

    `stop_reason` is Converse's word, `None` where the answer was cut. `resends` counts requests after the first one,
    `cold` marks the first call of a fresh client.
    """
    kinds = {kind for _, kind, _ in content(chunks)}
    found: dict[Flag, bool] = {
        "buffered_stream": stream and is_buffered(sent_at_ns, chunks),
        "truncated": stop_reason in TRUNCATED_REASONS,
        "reasoning": "reasoning" in kinds,
        "no_visible": stop_reason is not None and "text" not in kinds,
        "retried": resends > 0,
        "cache_hit": bool(cache_read_tokens),
        "cold": cold,
    }
    return tuple(flag for flag, applies in found.items() if applies)


def content(chunks: Chunks) -> Chunks:
    """The chunks that carry content: all but empty text."""
    return [chunk for chunk in chunks if chunk[2] > 0 or chunk[1] == "reasoning"]


def _of_stream(shared: RunMetrics, sent_at_ns: int, pieces: Chunks, tokens: TokenCounts, complete: bool) -> RunMetrics:
    times = [at for at, _, _ in pieces]
    first_text_ns = _first(pieces, "text")
    first_visible_s = _seconds(sent_at_ns, first_text_ns)
    gaps_s = [(later - earlier) / NS_PER_S for earlier, later in pairwise(times)]
    tpot_s = _tpot(pieces, tokens) if complete else None
    tpot_visible_s = _tpot_visible(pieces, tokens) if complete else None
    return replace(
        shared,
        time_to_first_chunk_s=_seconds(sent_at_ns, times[0]) if times else None,
        time_to_first_visible_s=first_visible_s,
        time_to_visible_s=first_visible_s,
        time_to_last_chunk_s=_seconds(sent_at_ns, times[-1]) if times else None,
        thinking_s=_thinking(pieces, first_text_ns),
        tpot_s=tpot_s,
        tpot_visible_s=tpot_visible_s,
        decode_tokens_per_s=_decode_rate(tpot_s, sent_at_ns, pieces, tokens),
        chunk_count=len(pieces),
        inter_chunk_p50_s=statistics.median(gaps_s) if gaps_s else None,
        inter_chunk_p95_s=_p95(gaps_s),
        inter_chunk_max_s=max(gaps_s, default=None),
    )


def _seconds(start_ns: int, end_ns: int | None) -> float | None:
    return None if end_ns is None else (end_ns - start_ns) / NS_PER_S


def _first(pieces: Chunks, kind: Kind) -> int | None:
    return next((at for at, k, _ in pieces if k == kind), None)


def _thinking(pieces: Chunks, first_text_ns: int | None) -> float | None:
    if first_text_ns is None:
        return None
    thought_ns = _first(pieces, "reasoning")
    return 0.0 if thought_ns is None or thought_ns > first_text_ns else (first_text_ns - thought_ns) / NS_PER_S


def _tpot(pieces: Chunks, tokens: TokenCounts) -> float | None:
    """Seconds per token over all content. `None` where reasoning was billed but none of it was shown: then the count
    holds tokens that no chunk carried."""
    reasoning = [chars for _, kind, chars in pieces if kind == "reasoning"]
    if reasoning and not any(reasoning):
        return None
    return _per_token(pieces, tokens.total, tokens.first_chunk)


def _tpot_visible(pieces: Chunks, tokens: TokenCounts) -> float | None:
    texts = [piece for piece in pieces if piece[1] == "text"]
    if len(texts) == len(pieces):
        return _per_token(pieces, tokens.total, tokens.first_chunk)
    return _per_token(texts, tokens.visible, tokens.first_visible)


def _per_token(pieces: Chunks, count: float | None, first: float | None) -> float | None:
    """(last - first) / (N - tokens of the first chunk): numerator and count cover the same tokens."""
    if count is None or count < 2 or len(pieces) < 2:
        return None
    rest = count - (1.0 if first is None else max(1.0, first))
    return (pieces[-1][0] - pieces[0][0]) / NS_PER_S / rest if rest > 0 else None


def _decode_rate(tpot_s: float | None, sent_at_ns: int, pieces: Chunks, tokens: TokenCounts) -> float | None:
    if not tpot_s or (tokens.total or 0) < MIN_DECODE_TOKENS or is_buffered(sent_at_ns, pieces):
        return None
    return 1 / tpot_s if (pieces[-1][0] - pieces[0][0]) / NS_PER_S >= MIN_DECODE_S else None


def _p95(gaps_s: list[float]) -> float | None:
    """The 95th percentile, interpolated between observed gaps, so that it never lies beyond the longest."""
    if len(gaps_s) < 2:
        return gaps_s[0] if gaps_s else None
    return statistics.quantiles(gaps_s, n=20, method="inclusive")[-1]
