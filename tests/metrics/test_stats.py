"""Estimates and intervals against published values, brute force, and what must hold of any data."""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.stats import (
    Interval,
    bootstrap_median,
    hodges_lehmann,
    hodges_lehmann_shift,
    percentile,
    percentiles,
    wilson,
)

# Hamilton depression scale before and after a tranquillizer; Hollander and Wolfe (1973), table 3.1, as in the examples
# of R's wilcox.test.
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
# Permeability of human membranes at term and early; Hollander and Wolfe (1973), table 4.1, as in the same examples.
AT_TERM = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
EARLY = [1.15, 0.88, 0.90, 0.74, 1.21]

numbers = st.floats(-1e3, 1e3).map(lambda value: round(value, 6))
samples = st.lists(numbers, min_size=8, max_size=30)
estimators = pytest.mark.parametrize("estimate", [hodges_lehmann, bootstrap_median])
Estimator = Callable[[list[float]], Interval]
patient = settings(max_examples=50, deadline=None)  # a busy machine is no fault


def close(found: Interval, estimate: float, low: float | None, high: float | None) -> bool:
    return [found.estimate, found.low, found.high] == pytest.approx([estimate, low, high], abs=1e-6)


# --- published values -------------------------------------------------------------------------------------------------


def test_pseudo_median_and_interval_are_those_of_the_textbook() -> None:
    differences = [before - after for before, after in zip(BEFORE, AFTER, strict=True)]
    assert close(hodges_lehmann(differences), 0.46, 0.010, 0.786)  # Hollander and Wolfe, examples 3.2 and 3.3


@pytest.mark.parametrize(
    # The two-sided 5 % points of Wilcoxon's T; Wilcoxon and Wilcox, Some Rapid Approximate Statistical Procedures, 1964
    ("size", "critical"),
    [(8, 3), (9, 5), (10, 8), (11, 10), (12, 13), (15, 25), (18, 40), (20, 52), (25, 89)],
)
def test_interval_ends_right_after_the_critical_rank_of_the_tables(size: int, critical: int) -> None:
    values = [2.0**power for power in range(size)]  # all Walsh averages differ
    walsh = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2))
    found = hodges_lehmann(values)
    assert (found.low, found.high) == (walsh[critical], walsh[-critical - 1])


def test_shift_is_that_of_the_textbook() -> None:
    assert hodges_lehmann_shift(AT_TERM, EARLY).estimate == pytest.approx(0.305)  # example 4.2
    assert hodges_lehmann_shift(AT_TERM, EARLY).low is None  # five are too few


@pytest.mark.parametrize(
    # The two-sided 5 % points of Mann and Whitney's U; Milton, JASA 59 (1964), 925-934
    ("first", "second", "critical"),
    [(8, 8, 13), (8, 10, 17), (9, 9, 17), (10, 10, 23), (15, 15, 64), (20, 20, 127), (8, 20, 41)],
)
def test_shift_ends_right_after_the_critical_value_of_the_tables(first: int, second: int, critical: int) -> None:
    values, others = [100.0 * n for n in range(first)], [float(n) for n in range(second)]
    differences = sorted(a - b for a, b in itertools.product(values, others))
    found = hodges_lehmann_shift(values, others)
    assert (found.low, found.high) == (differences[critical], differences[-critical - 1])


@pytest.mark.parametrize(
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    ("met", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_is_the_published_one(met: int, of: int, low: float, high: float) -> None:
    assert wilson(met, of).low == pytest.approx(low, abs=5e-5)
    assert wilson(met, of).high == pytest.approx(high, abs=5e-5)
    assert wilson(of - met, of).low == pytest.approx(1 - high, abs=5e-5)


def test_wilson_interval_reaches_the_ends_exactly() -> None:
    assert wilson(20, 20).high == 1.0
    assert wilson(0, 20).low == 0.0
    for met, of in ((1, 0), (0, 0), (3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="is no share"):
            wilson(met, of)


# --- brute force ------------------------------------------------------------------------------------------------------


@patient
@given(samples)
def test_pseudo_median_is_the_median_of_all_means_of_two(values: list[float]) -> None:
    walsh = [(a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2)]
    assert hodges_lehmann(values).estimate == pytest.approx(statistics.median(walsh), abs=1e-9)


def test_exact_rank_counts_every_way_to_sign() -> None:
    sums = [sum(rank for rank, sign in enumerate(signs, 1) if sign) for signs in itertools.product((0, 1), repeat=10)]
    rank = next(r for r in range(56) if sum(total < r + 1 for total in sums) / 2**10 > 0.025)
    values = [2.0**power for power in range(10)]
    walsh = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2))
    assert hodges_lehmann(values).low == walsh[rank - 1]


def test_normal_approximation_goes_on_where_counting_ends() -> None:
    walsh_share = []
    for size in (50, 51):
        ends = hodges_lehmann([float(value**2) for value in range(size)])
        assert ends.low is not None
        walsh_share.append(ends.low / size**2)
    assert walsh_share[0] == pytest.approx(walsh_share[1], rel=0.02)


@pytest.mark.parametrize("size", [8, 9, 10, 20])
def test_bootstrap_is_that_of_plain_resampling(size: int) -> None:
    rng = np.random.default_rng(1)
    values = rng.lognormal(size=size)
    medians = np.median(values[rng.integers(0, size, (50_000, size))], axis=1)
    found = bootstrap_median(values.tolist())
    assert [found.low, found.high] == pytest.approx(np.quantile(medians, [0.025, 0.975]), rel=0.05)
    assert found == bootstrap_median(values.tolist())


@patient
@given(st.lists(numbers, min_size=1, max_size=40), st.sampled_from([50, 90, 95, 99]))
def test_percentile_is_that_of_numpy(values: list[float], share: int) -> None:
    assert percentile(values, share) == pytest.approx(float(np.percentile(values, share)), abs=1e-9)


# --- what holds of any data -------------------------------------------------------------------------------------------


@estimators
@patient
@given(values=samples, by=numbers, factor=st.floats(0.1, 10))
def test_shift_and_scale_move_estimate_and_interval_alike(
    estimate: Estimator, values: list[float], by: float, factor: float
) -> None:
    found, moved = estimate(values), estimate([value * factor + by for value in values])
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.estimate <= found.high
    assert close(moved, found.estimate * factor + by, found.low * factor + by, found.high * factor + by)


@patient
@given(samples)
def test_interval_is_mirrored_with_the_sign(values: list[float]) -> None:
    found, mirrored = hodges_lehmann(values), hodges_lehmann([-value for value in values])
    assert (mirrored.estimate, mirrored.low, mirrored.high) == pytest.approx(
        (-found.estimate, -(found.high or 0), -(found.low or 0)), abs=1e-9
    )


@patient
@given(samples, samples)
def test_shift_is_mirrored_when_the_sides_are_exchanged(values: list[float], others: list[float]) -> None:
    found, mirrored = hodges_lehmann_shift(values, others), hodges_lehmann_shift(others, values)
    assert (mirrored.estimate, mirrored.low, mirrored.high) == pytest.approx(
        (-found.estimate, -(found.high or 0), -(found.low or 0)), abs=1e-9
    )


def test_interval_holds_the_centre_of_symmetric_noise_as_often_as_it_says() -> None:
    rng = random.Random(4)
    found = [hodges_lehmann([rng.gauss(3, 1) for _ in range(12)]) for _ in range(500)]
    held = sum((interval.low or 9) <= 3 <= (interval.high or 0) for interval in found)
    assert 0.93 <= held / 500 <= 0.985


# --- too few ----------------------------------------------------------------------------------------------------------


@estimators
def test_seven_values_have_an_estimate_and_no_interval(estimate: Estimator) -> None:
    assert estimate([1, 2, 3, 4, 5, 6, 7]) == Interval(estimate=4, low=None, high=None)
    assert estimate([1, 2, 3, 4, 5, 6, 7, 8]).low is not None


def test_nothing_has_no_estimate() -> None:
    for estimate in (hodges_lehmann, bootstrap_median, lambda values: percentile(values, 50)):
        with pytest.raises(ValueError, match="at least one value"):
            estimate([])
    with pytest.raises(ValueError, match="on either side"):
        hodges_lehmann_shift([1.0], [])


@pytest.mark.parametrize(
    ("size", "shown"), [(0, []), (1, ["p50"]), (49, ["p50"]), (50, ["p50", "p90"]), (100, ["p50", "p90", "p95", "p99"])]
)
def test_only_percentiles_that_the_number_carries_are_told(size: int, shown: list[str]) -> None:
    found = percentiles([float(value) for value in range(size)])
    assert found.n == size
    assert [name for name in ("p50", "p90", "p95", "p99") if getattr(found, name) is not None] == shown
