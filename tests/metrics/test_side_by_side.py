"""What is said of answers that stand side by side, on the page and in the report alike."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.record import RunRecord
from metrics.side_by_side import NOISE_S, best, flow_per_s, gaps_of, lengths_that_differ, longest_silence_s
from tests.metrics.records import record

NS_PER_S = 1_000_000_000


def marked(*rows: RunRecord | None, most: bool = False, noise: float = 0.0) -> int | None:
    words = ["–" if row is None or row.duration_s is None else f"{row.duration_s:.2f} s" for row in rows]
    return best(rows, lambda row: row.duration_s, words, most=most, noise=noise)


def row(duration_s: float | None, **values: Any) -> RunRecord:
    return record(duration_s=duration_s, **values)


def test_the_lowest_is_best_or_the_highest() -> None:
    assert marked(row(2), row(1), row(3)) == 1
    assert marked(row(2), row(1), row(3), most=True) == 2


@pytest.mark.parametrize(
    ("first", "following", "most", "noise", "told"),
    [
        (1.0, 1.04, False, 0.0, None),
        (1.0, 1.06, False, 0.0, 0),
        (100.0, 96.0, True, 0.0, None),
        (100.0, 94.0, True, 0.0, 0),
        (0.1, 0.109, False, NOISE_S, None),
        (0.1, 0.109, False, 0.0, 0),
        (0.01, 0.014, False, 0.0, None),  # both read 0.01 s
        (0.2, 0.26, False, NOISE_S, 0),
        (0.0, 0.2, False, 0.0, 0),
    ],
)
def test_nothing_is_said_where_the_best_and_the_next_are_close(
    first: float, following: float, most: bool, noise: float, told: int | None
) -> None:
    last = row(1.0 if most else 500.0)
    assert marked(row(first), row(following), last, most=most, noise=noise) == told
    other = None if told is None else 2
    assert marked(last, row(following), row(first), most=most, noise=noise) == other


def test_one_alone_is_not_the_best_of_anything() -> None:
    assert marked(row(1)) is None
    assert marked() is None


@pytest.mark.parametrize("status", ["interrupted", "cancelled", "failed"])
def test_only_whole_answers_with_a_value_count(status: str) -> None:
    assert marked(row(0.1, status=status), row(1), None, row(2), row(None)) == 1


def test_a_simulated_answer_is_never_the_best_beside_a_real_one() -> None:
    made_up = {"simulated": True, "backend": "local"}
    assert marked(row(0.1, **made_up), row(0.2, **made_up), row(1), row(2)) == 2
    assert marked(row(0.1, **made_up), row(0.2, **made_up), row(1)) is None
    assert marked(row(0.1, **made_up), row(0.2, **made_up), row(1, status="failed")) == 0


def test_the_rate_of_a_complete_answer_is_no_match() -> None:
    assert flow_per_s(row(1, decode_tokens_per_s=60.0)) == 60.0
    assert flow_per_s(row(1, mode="sync", decode_tokens_per_s=60.0)) is None


def test_a_burst_has_no_silence() -> None:
    chunks = tuple((at_s * NS_PER_S, "text", 5) for at_s in (1, 2, 5))
    assert longest_silence_s(row(6, chunks=chunks)) == 3.0
    assert longest_silence_s(row(6, chunks=chunks, flags=("buffered_stream",))) is None
    assert gaps_of(row(6, chunks=chunks, mode="sync")) == ()


@pytest.mark.parametrize(
    ("tokens", "told"),
    [((100, 130), (100, 130)), ((100, 129), None), ((100, 0, 200), (100, 200)), ((100,), None), ((), None)],
)
def test_lengths_differ_from_the_same_share_on(tokens: tuple[int, ...], told: tuple[int, int] | None) -> None:
    assert lengths_that_differ([row(1, output_tokens=count) for count in tokens]) == told


def test_lengths_are_those_of_whole_answers_estimated_where_none_was_reported() -> None:
    estimated = row(1, output_tokens=None, tokens_estimated=200, tokens_source="estimate")
    assert lengths_that_differ([row(1, output_tokens=100), estimated]) == (100, 200)
    assert lengths_that_differ([row(1, output_tokens=100), row(1, output_tokens=900, status="failed")]) is None
