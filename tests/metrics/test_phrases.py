"""Amounts that can be read, and no claim that the interval does not carry."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.effect import METRICS, Effect, make_effect
from metrics.phrases import amounts, aside, headline, percent_span, spread
from metrics.stats import Interval


def effect(estimate: float, low: float | None, high: float | None, unit_of: str = "time_to_visible") -> Effect:
    metric = next(name for name in METRICS if name == unit_of)
    interval = Interval(estimate=estimate, low=low, high=high)
    return make_effect(metric, 20 if low is not None else 3, interval, None, interval)


@pytest.mark.parametrize(
    ("values", "unit", "shown"),
    [
        ((3.12, 2.71, 3.58), "s", ["3.1 s", "2.7 s", "3.6 s"]),
        ((3.12, 3.08, 3.16), "s", ["3.12 s", "3.08 s", "3.16 s"]),
        ((0.0123, 0.0081, 0.0165), "s", ["12 ms", "8 ms", "16 ms"]),
        ((0.75, 0.02, 1.5), "s", ["0.75 s", "0.02 s", "1.50 s"]),
        ((0.0, -0.31, 0.31), "s", ["0.0 s", "−0.3 s", "0.3 s"]),
        ((-0.001, -0.31, 0.31), "s", ["0.0 s", "−0.3 s", "0.3 s"]),
        ((0.0, 0.0, 0.0), "s", ["0 ms", "0 ms", "0 ms"]),
        ((1234.5, 1000.0, 1500.0), "s", ["1,234.5 s", "1,000.0 s", "1,500.0 s"]),
        ((-0.0021, -0.0042, 0.0), "USD", ["−$0.002", "−$0.004", "$0.000"]),
        ((0.000123,), "USD", ["$0.000123"]),
        ((0.23804, 0.23781, 0.23832), "s", ["0.2380 s", "0.2378 s", "0.2383 s"]),
        ((5.0, 5.0, 5.0), "s", ["5.0 s", "5.0 s", "5.0 s"]),
        ((0.2, 0.09, 0.36), "share", ["20 %", "9 %", "36 %"]),
        ((0.0012, 0.0008, 0.0016), "s/token", ["1.2 ms", "0.8 ms", "1.6 ms"]),
    ],
)
def test_amounts_are_as_coarse_as_their_spread(values: tuple[float, ...], unit: str, shown: list[str]) -> None:
    assert amounts(values, unit) == shown


def test_a_spread_has_its_unit_once() -> None:
    assert spread((3.12, 2.71, 3.58), "s") == "2.7 to 3.6 s"
    assert spread((0.0021, 0.0, 0.0042), "USD") == "$0.000 to $0.004"


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0.764, 0.991, "76 to 99 %"),
        (0.0, 0.161, "0 to 16 %"),
        (0.204, 1.0, "20 to 100 %"),
        (0.996, 1.0, "99.6 to 100.0 %"),
        (0.0, 0.0038, "0.0 to 0.4 %"),
        (0.0, 0.0000004, "0.00000 to 0.00004 %"),
        (0.0, 1e-12, "0.000000 to 0.000000 %"),
        (0.98, 0.9996, "98.00 to 99.96 %"),
        (0.0004, 0.02, "0.04 to 2.00 %"),
        (0.0, 1.0, "0 to 100 %"),
    ],
)
def test_shares_are_not_rounded_to_none_or_all(low: float, high: float, shown: str) -> None:
    assert percent_span(low, high) == shown


def test_what_an_interval_needs_is_named_by_what_is_counted() -> None:
    few = effect(3.0, None, None)
    assert headline(few, "with it").endswith("n = 3; an interval needs 8 pairs")
    assert headline(few, "with it", "runs").endswith("n = 3; an interval needs 8 runs")


def test_statements_in_the_direction_of_what_they_claim() -> None:
    sooner, later = effect(3.1, 2.7, 3.6), effect(-3.1, -3.6, -2.7)
    assert headline(sooner, "with it") == "First text 3.1 s sooner with it, 95 % interval 2.7 to 3.6 s, n = 20"
    assert headline(later, "with it") == "First text 3.1 s later with it, 95 % interval 2.7 to 3.6 s, n = 20"
    assert aside(effect(3.1, 2.7, 3.6, "cost")) == "cost $3.10 lower ($2.70 to $3.60)"
    assert aside(effect(-0.1, -0.4, 0.3, "duration")) == "total time: no clear difference (−0.4 to 0.3 s)"
    assert aside(effect(-2, None, None)) == "first text: not enough runs to tell (median 2.0 s later)"


@settings(deadline=None)
@given(st.floats(0.001, 100), st.floats(0.001, 100))
def test_a_claimed_difference_never_begins_at_nothing(one: float, other: float) -> None:
    low, high = sorted((one, other))
    for said in (headline(effect((low + high) / 2, low, high), ""), headline(effect(-high, -high, -low), "")):
        numbers = re.findall(r"([\d.,]+) (?:to|s|ms)\b", said)
        assert all(float(number.replace(",", "")) > 0 for number in numbers)
