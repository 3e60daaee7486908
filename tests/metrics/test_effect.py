"""What may be said of an effect."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.effect import Effect, Metric, Reading, effect_of, effects_of
from metrics.record import RunRecord
from tests.metrics.experiments import pair_of


def pairs(times: list[tuple[float, float]], **given: Any) -> list[tuple[RunRecord, RunRecord]]:
    """Complete and streamed runs that took so long altogether."""
    rows = [pair_of(number, first, second, second, **given) for number, (first, second) in enumerate(times)]
    return [(complete, streamed) for complete, streamed in rows]


def effect(metric: Metric, times: list[tuple[float, float]], **given: Any) -> Effect:
    found = effect_of(metric, pairs(times, **given))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("times", "reading"),
    [
        ([(4.0, 3.0)] * 8, "less"),
        ([(3.0, 4.0)] * 8, "more"),
        ([(4.0, 3.99)] * 8, "less"),  # sure, though a trifle
        ([(4.0, 4.016)] * 8, "more"),
        ([(4.0, 3.5), (4.0, 3.7)] * 8, "less"),
        ([(4.0, 4.2), (4.2, 4.0)] * 8, "no practical difference"),
        ([(4.0, 5.0), (5.0, 4.0)] * 8, "no clear difference"),
        ([(4.0, 1.0)] * 7, "too few"),
    ],
)
def test_the_interval_says_what_may_be_claimed(times: list[tuple[float, float]], reading: Reading) -> None:
    assert effect("duration", times).reading == reading


def test_a_change_within_ten_per_cent_is_a_trifle() -> None:
    assert effect("duration", [(4.0, 3.99)] * 8).is_trifle
    assert not effect("duration", [(4.0, 3.5)] * 8).is_trifle
    assert not effect("duration", [(4.0, 3.99)] * 7).is_trifle, "without an interval nothing is known"


def test_seconds_are_first_minus_second_and_the_ratio_second_by_first() -> None:
    found = effect("time_to_visible", [(4.0, 1.0)] * 9)
    assert (found.estimate, found.low, found.high, found.unit, found.n) == (3.0, 3.0, 3.0, "s", 9)
    assert (found.ratio, found.ratio_low, found.ratio_high) == pytest.approx((0.25, 0.25, 0.25))
    assert (found.median, found.median_low, found.median_high) == (3.0, 3.0, 3.0)


def test_time_per_token_takes_reported_tokens_only() -> None:
    assert effect("duration_per_token", [(4.0, 3.0)] * 9).estimate == pytest.approx(0.01)
    assert effect_of("duration_per_token", pairs([(4.0, 3.0)] * 9, output_tokens=None, tokens_estimated=100)) is None


def test_a_pair_counts_where_both_members_have_the_figure() -> None:
    members = pairs([(4.0, 3.0)] * 9)
    dear = [(complete, streamed) for complete, streamed in pairs([(4.0, 3.0)], cost_usd=None)]
    assert [found.n for found in effects_of([*members, *dear])] == [10, 10, 10, 9]


def test_a_value_of_nothing_has_a_difference_and_no_ratio() -> None:
    found = effect("cost", [(4.0, 3.0)] * 9, cost_usd=0.0)
    assert (found.estimate, found.ratio, found.reading) == (0.0, None, "no clear difference")


def test_json_has_the_reading() -> None:
    assert effect("duration", [(4.0, 3.0)] * 8).to_json()["reading"] == "less"
