"""Estimates with intervals, for few and noisy measurements. Pure numbers: no records, no clock, no words for people.

Nothing here assumes normal noise. Latency has a long right tail, and now and then an outlier; ranks bear both. numpy is
imported inside the functions, because it takes a tenth of a second.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

LEVEL = 0.95
MIN_FOR_INTERVAL = 8
"""Measurements below which no interval is given: at six the signed-rank interval is the whole range of the Walsh
averages, and at five there is none of 95 %."""
CARRIED_FROM = {50: 1, 90: 50, 95: 100, 99: 100}
"""Percentile -> the number of measurements from which it is shown. Under 50 the ninetieth percentile rests on fewer
than five measurements, under 100 the ninety-fifth; the ninety-ninth is rough at 100, too, and begins there because
below it is not more than the largest value."""
EXACT_UP_TO = 50
"""Sample sizes up to which rank distributions are counted, not approximated; the same border as in R's `wilcox.test`
(R 4, `stats` manual)."""
RESAMPLES = 10_000
SEED = 20_251_122


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate and what it is uncertain by, in the unit of the values. `low` and `high` are `None` where there were
    too few values for an interval of this level."""

    estimate: float
    low: float | None
    high: float | None
    level: float = LEVEL


# --- one sample: differences within pairs -----------------------------------------------------------------------------


def hodges_lehmann(values: Sequence[float], level: float = LEVEL) -> Interval:
    """The pseudo-median, with the interval of all centres that Wilcoxon's signed-rank test does not reject.

    The pseudo-median is the median of all Walsh averages (the means of two values, each with itself included). The
    interval holds the centre at least as often as `level` says where values lie evenly about it, as the differences of
    two exchangeable calls do (Hollander and Wolfe, Nonparametric Statistical Methods, 1973, section 3.3).
    Raises `ValueError` without values.
    """
    import numpy as np

    if not values:
        raise ValueError("An estimate needs at least one value.")
    sample = np.asarray(values, dtype=float)
    rows, columns = np.triu_indices(len(sample))
    walsh = np.sort((sample[rows] + sample[columns]) / 2)
    return _between_ranks(walsh.tolist(), _signed_rank(len(sample), level), level)


def bootstrap_median(values: Sequence[float], level: float = LEVEL, seed: int = SEED) -> Interval:
    """The median, with the percentile interval of the medians of 10 000 resamples (Efron, 1979).

    The median of a resample is drawn through its middle order statistics, which for a resample of n are Beta
    distributed ranks: the same distribution as resampling n values, at a cost that does not grow with n. The same
    values and seed give the same interval. Under 30 values it is too narrow; see docs/experiments.md.
    Raises `ValueError` without values.
    """
    import numpy as np

    if not values:
        raise ValueError("An estimate needs at least one value.")
    sample = np.sort(np.asarray(values, dtype=float))
    size = len(sample)
    rng = np.random.default_rng(seed)
    lower = (size + 1) // 2
    at_lower = rng.beta(lower, size + 1 - lower, RESAMPLES)
    at_upper = at_lower if size % 2 else at_lower + (1 - at_lower) * rng.beta(1, size - lower, RESAMPLES)
    last = size - 1
    medians = (
        sample[np.minimum((size * at_lower).astype(int), last)]
        + sample[np.minimum((size * at_upper).astype(int), last)]
    ) / 2
    low, high = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2])
    enough = size >= MIN_FOR_INTERVAL
    return Interval(
        estimate=statistics.median(values),
        low=float(low) if enough else None,
        high=float(high) if enough else None,
        level=level,
    )


# --- two samples that are not paired ----------------------------------------------------------------------------------


def hodges_lehmann_shift(values: Sequence[float], others: Sequence[float], level: float = LEVEL) -> Interval:
    """By how much `values` lie above `others`: the median of all differences between the two, with the interval of all
    shifts that the Mann-Whitney test does not reject (Hollander and Wolfe, 1973, section 4.3).

    Raises `ValueError` where one of them is empty.
    """
    import numpy as np

    if not values or not others:
        raise ValueError("A shift needs at least one value on either side.")
    differences = np.sort(np.subtract.outer(np.asarray(values, float), np.asarray(others, float)).ravel())
    return _between_ranks(differences.tolist(), _rank_sum(len(values), len(others), level), level)


def _between_ranks(ordered: list[float], rank: int, level: float) -> Interval:
    """The median of `ordered`, and its `rank`th values from both ends; rank 0: there is no such interval."""
    return Interval(
        estimate=statistics.median(ordered),
        low=ordered[rank - 1] if rank else None,
        high=ordered[-rank] if rank else None,
        level=level,
    )


@lru_cache(maxsize=256)
def _signed_rank(size: int, level: float) -> int:
    """The rank of the interval's ends among the Walsh averages: the largest r with P(W < r) at most half of what is
    left out. W is the sum of the ranks with a positive sign."""
    if size < MIN_FOR_INTERVAL:
        return 0
    if size > EXACT_UP_TO:
        mean = size * (size + 1) / 4
        return _approximate(mean, math.sqrt(mean * (2 * size + 1) / 6), level)
    counts = [1]
    for rank in range(1, size + 1):  # with a positive sign the rank is added to the sum, else not
        counts = [
            (counts[total] if total < len(counts) else 0) + (counts[total - rank] if total >= rank else 0)
            for total in range(len(counts) + rank)
        ]
    return _exact(counts, level)


@lru_cache(maxsize=256)
def _rank_sum(first: int, second: int, level: float) -> int:
    """The same among all differences between two samples: U counts the positive ones."""
    if min(first, second) < MIN_FOR_INTERVAL:
        return 0
    if max(first, second) > EXACT_UP_TO:
        mean = first * second / 2
        return _approximate(mean, math.sqrt(mean * (first + second + 1) / 6), level)
    # The counts are the coefficients of the Gaussian binomial: prod (1 - x^(second+i)) / (1 - x^i).
    counts = [1] + [0] * (first * second)
    for step in range(1, first + 1):
        for total in range(len(counts) - 1, second + step - 1, -1):
            counts[total] -= counts[total - second - step]
        for total in range(step, len(counts)):
            counts[total] += counts[total - step]
    return _exact(counts, level)


def _exact(counts: Sequence[int], level: float) -> int:
    allowed = sum(counts) * (1 - level) / 2
    rank = below = 0
    for count in counts:
        below += count
        if below > allowed:
            break
        rank += 1
    return rank


def _approximate(mean: float, deviation: float, level: float) -> int:
    """By the normal distribution, with the correction for continuity."""
    return math.floor(mean + 0.5 - NormalDist().inv_cdf((1 + level) / 2) * deviation)


# --- shares and percentiles -------------------------------------------------------------------------------------------


def wilson(met: int, of: int, level: float = LEVEL) -> Interval:
    """The share `met` of `of`, between 0 and 1, with Wilson's score interval (JASA 22, 1927), which keeps its level for
    few trials and for shares near 1. Raises `ValueError` where `met` is not within 0 and `of`, or `of` is 0."""
    if not 0 <= met <= of or of == 0:
        raise ValueError(f"{met} of {of} is no share.")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = met / of
    centre = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    # At the ends the formula gives 0 and 1 but for rounding.
    low = 0.0 if met == 0 else centre - half
    high = 1.0 if met == of else centre + half
    return Interval(estimate=share, low=low, high=high, level=level)


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Percentiles of `n` values, in their unit. `None`: `n` cannot carry it (`CARRIED_FROM`)."""

    n: int
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None


def percentiles(values: Sequence[float]) -> Percentiles:
    """Those that the number of values carries."""
    size = len(values)
    shown = {f"p{share}": percentile(values, share) for share, needed in CARRIED_FROM.items() if size >= needed}
    return Percentiles(n=size, **shown)


def percentile(values: Sequence[float], share: int) -> float:
    """The percentile by the inclusive method (Hyndman and Fan's type 7, the default of numpy and R): interpolated
    between values, never beyond the largest. `share` is 1 to 99. Raises `ValueError` without values."""
    if not values:
        raise ValueError("A percentile needs at least one value.")
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]
