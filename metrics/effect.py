"""What one thing does to one figure, over pairs: an estimate with its interval, and what may be said of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from metrics.record import RunRecord
from metrics.stats import LEVEL, MIN_FOR_INTERVAL, Interval, bootstrap_median, hodges_lehmann

Metric = Literal["time_to_visible", "duration", "duration_per_token", "cost"]
Reading = Literal["too few", "less", "more", "no practical difference", "no clear difference"]

PRACTICAL = 0.10
"""Changes within this share of the value make no practical difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The change of one metric from `first` to `second` members of `n` pairs (complete to streamed in an experiment).

    estimate, low, high     first minus second, in `unit`: positive where the second one takes less. The pseudo-median
                            with its signed-rank interval; under eight pairs the median and no interval.
    ratio, ratio_low, ratio_high    second divided by first, from the logarithms: 0.2 is a fifth. `None` where a value
                            is 0, and the interval under eight pairs.
    median, median_low, median_high     first minus second once more, as the plain median with its bootstrap interval:
                            for the eye, since half of the points lie on either side. No claim rests on it.
    """

    metric: Metric
    unit: str
    n: int
    estimate: float
    low: float | None
    high: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    median: float
    median_low: float | None
    median_high: float | None
    level: float = LEVEL

    @property
    def reading(self) -> Reading:
        """What the interval allows to be said; the estimate alone allows nothing."""
        if self.low is None or self.high is None:
            return "too few"
        if self.low > 0:
            return "less"
        if self.high < 0:
            return "more"
        return "no practical difference" if self.is_trifle else "no clear difference"

    @property
    def is_trifle(self) -> bool:
        """Whether all of the interval lies within `PRACTICAL` of no change: sure or not, it makes no difference to
        anybody."""
        ratios = (self.ratio_low, self.ratio_high)
        return all(ratio is not None and 1 - PRACTICAL <= ratio <= 1 + PRACTICAL for ratio in ratios)

    def to_json(self) -> dict[str, Any]:
        """As it stands in exports."""
        return asdict(self) | {"reading": self.reading, "is_trifle": self.is_trifle}


def _duration_per_token(record: RunRecord) -> float | None:
    """Reported tokens only: an estimate from the text would move with the text."""
    if record.duration_s is None or not record.output_tokens:
        return None
    return record.duration_s / record.output_tokens


METRICS: dict[Metric, tuple[str, Callable[[RunRecord], float | None]]] = {
    "time_to_visible": ("s", lambda record: record.time_to_visible_s),
    "duration": ("s", lambda record: record.duration_s),
    "duration_per_token": ("s/token", _duration_per_token),
    "cost": ("USD", lambda record: record.cost_usd),
}
"""Metric -> unit, and its value of a run."""


def effect_of(metric: Metric, pairs: Iterable[tuple[RunRecord, RunRecord]]) -> Effect | None:
    """The effect over the pairs where both members have the figure; `None` where no pair has."""
    value_of = METRICS[metric][1]
    values = [(value_of(first), value_of(second)) for first, second in pairs]
    known = [(first, second) for first, second in values if first is not None and second is not None]
    if not known:
        return None
    differences = [first - second for first, second in known]
    ratio = None
    if all(first > 0 and second > 0 for first, second in known):
        ratio = _centre([math.log(second / first) for first, second in known])
    return make_effect(metric, len(known), _centre(differences), ratio, bootstrap_median(differences))


def make_effect(metric: Metric, n: int, change: Interval, ratio: Interval | None, median: Interval) -> Effect:
    """An effect from its estimates; `ratio` comes in logarithms."""
    return Effect(
        metric=metric,
        unit=METRICS[metric][0],
        n=n,
        estimate=change.estimate,
        low=change.low,
        high=change.high,
        ratio=exp(ratio.estimate if ratio else None),
        ratio_low=exp(ratio.low if ratio else None),
        ratio_high=exp(ratio.high if ratio else None),
        median=median.estimate,
        median_low=median.low,
        median_high=median.high,
    )


def effects_of(pairs: Iterable[tuple[RunRecord, RunRecord]]) -> tuple[Effect, ...]:
    """The effects on all metrics that the runs have."""
    members = list(pairs)
    found = (effect_of(metric, members) for metric in METRICS)
    return tuple(effect for effect in found if effect is not None)


def exp(logarithm: float | None) -> float | None:
    """Back from the logarithm, where there is one."""
    return None if logarithm is None else math.exp(logarithm)


def _centre(values: list[float]) -> Interval:
    if len(values) >= MIN_FOR_INTERVAL:
        return hodges_lehmann(values)
    return Interval(estimate=statistics.median(values), low=None, high=None)
