"""Single figures of an experiment by name, and promises kept: what a build can be made to fail on.

A figure's name is `metric.mode.statistic`, as in `time_to_visible.stream.p50`. Seconds throughout, tokens per second
for speeds, USD for cost. Only measured runs count that nothing happened to (`metrics.pairs`); for a promise, runs that
failed count as not met.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

from metrics.effect import METRICS
from metrics.pairs import counted_runs, has_real, measured
from metrics.phrases import labelled, percent, percent_span
from metrics.record import Mode, RunRecord
from metrics.stats import CARRIED_FROM, LEVEL, Interval, percentile, wilson

Statistic = Literal["p50", "p90", "p95", "p99", "mean", "min", "max", "n"]

FIGURES: Mapping[str, Callable[[RunRecord], float | None]] = {
    "time_to_visible": lambda run: run.time_to_visible_s,
    "time_to_first_visible": lambda run: run.time_to_first_visible_s,
    "time_to_first_chunk": lambda run: run.time_to_first_chunk_s,
    "time_to_last_chunk": lambda run: run.time_to_last_chunk_s,
    "time_to_headers": lambda run: run.time_to_headers_s,
    "duration": lambda run: run.duration_s,
    "duration_per_token": METRICS["duration_per_token"][1],
    "thinking_time": lambda run: run.thinking_s,
    "tpot": lambda run: run.tpot_s,
    "tpot_visible": lambda run: run.tpot_visible_s,
    "output_tokens_per_second": lambda run: run.output_tokens_per_s,
    "decode_tokens_per_second": lambda run: run.decode_tokens_per_s,
    "inter_chunk_p50": lambda run: run.inter_chunk_p50_s,
    "inter_chunk_p95": lambda run: run.inter_chunk_p95_s,
    "inter_chunk_max": lambda run: run.inter_chunk_max_s,
    "server_latency": lambda run: run.server_latency_s,
    "overhead": lambda run: run.overhead_s,
    "output_tokens": lambda run: run.output_tokens,
    "cost": lambda run: run.cost_usd,
}
"""Name -> the figure of one run; `None` where the run does not have it."""
MODES: tuple[Mode, ...] = get_args(Mode)
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)
_PLAIN: Mapping[str, Callable[[list[float]], float]] = {"mean": statistics.fmean, "min": min, "max": max}


class TooFewRunsError(ValueError):
    """There are not enough runs for a percentile. It is no mistake in the name: more pairs would do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureName:
    """The name of a figure, taken apart."""

    metric: str
    mode: Mode
    statistic: Statistic

    @property
    def needs(self) -> int:
        """How many runs it needs."""
        return CARRIED_FROM[int(self.statistic[1:])] if self.statistic.startswith("p") else 1


def parse_figure(name: str) -> FigureName:
    """Takes a name apart. Raises `ValueError` with a sentence that lists what there is."""
    parts = name.strip().split(".")
    if len(parts) != 3:
        raise ValueError(f"'{name}' is no figure: write metric.mode.statistic, as in time_to_visible.stream.p50.")
    for part, word, known in zip(parts, ("metric", "mode", "statistic"), (FIGURES, MODES, STATISTICS), strict=True):
        if part not in known:
            raise ValueError(f"'{part}' in '{name}' is no {word}. There are: {', '.join(known)}.")
    metric, mode, statistic = parts
    return FigureName(metric=metric, mode=cast(Mode, mode), statistic=cast(Statistic, statistic))


def figure(records: Iterable[RunRecord], name: str, model_id: str | None = None) -> float | None:
    """The value of a figure over these runs, of one model where it is given; `None` where no run has it.

    Raises `ValueError` where there is no such figure, and `TooFewRunsError` where there are runs, but not enough for
    this percentile: a p99 of 20 runs is only their slowest one by another name.
    """
    wanted = parse_figure(name)
    value_of = FIGURES[wanted.metric]
    found = (value_of(run) for run in counted_runs(records, wanted.mode, model_id))
    values = [value for value in found if value is not None]
    if wanted.statistic == "n":
        return float(len(values))
    if not values:
        return None
    if len(values) < wanted.needs:
        raise TooFewRunsError(
            f"{wanted.statistic} needs at least {wanted.needs} measured runs; '{name}' has {len(values)}. "
            "Ask for more pairs, or for a lower percentile."
        )
    if wanted.statistic in _PLAIN:
        return float(_PLAIN[wanted.statistic](values))
    return percentile(values, int(wanted.statistic[1:]))


# --- promises ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """How often runs kept a promise: `met` of `of`, as a share with its interval, 0 to 1; `None` without runs."""

    sentence: str
    first_s: float | None
    total_s: float | None
    met: int
    of: int
    share: float | None
    low: float | None
    high: float | None
    simulated: bool
    level: float = LEVEL

    def to_json(self) -> dict[str, Any]:
        """As it stands in exports."""
        return asdict(self)


def promise(
    records: Iterable[RunRecord],
    first_s: float | None,
    total_s: float | None = None,
    *,
    mode: Mode = "stream",
    model_id: str | None = None,
) -> Promise:
    """In how many runs of a mode the first text came within `first_s` and the answer ended within `total_s`.

    A run that failed, broke off or showed no text has not met it, and one that was tried again counts with the time
    that it took. Left out are warm-ups, runs that were stopped, cold runs, runs with a prompt cache, and simulated ones
    among real ones. Raises `ValueError` without a limit, or with one that is not positive.
    """
    limits = [limit for limit in (first_s, total_s) if limit is not None]
    if not limits or min(limits) <= 0:
        raise ValueError("A promise needs a time above 0 for the first text, for the end, or for both.")
    rows = measured(records, model_id)
    real = has_real(rows)
    runs = [row for row in rows if row.mode == mode and _judged(row, real)]
    met = sum(_kept(run, first_s, total_s) for run in runs)
    share, simulated = wilson(met, len(runs)) if runs else None, bool(runs) and not real
    return Promise(
        sentence=labelled("Simulated" if simulated else "", _told(first_s, total_s, met, len(runs), share)),
        first_s=first_s,
        total_s=total_s,
        met=met,
        of=len(runs),
        share=share.estimate if share else None,
        low=share.low if share else None,
        high=share.high if share else None,
        simulated=simulated,
    )


def _told(first_s: float | None, total_s: float | None, met: int, of: int, share: Interval | None) -> str:
    """`Starts within 1 s, done within 6 s: met in 19 of 20 runs (95 % interval 76 to 99 %).`"""
    said = [f"starts within {first_s:g} s"] if first_s is not None else []
    said += [f"done within {total_s:g} s"] if total_s is not None else []
    words = ", ".join(said).capitalize()
    if share is None or share.low is None or share.high is None:
        return f"{words}: no run to judge by."
    ends = percent_span(share.low, share.high)
    return f"{words}: met in {met} of {of} run{'' if of == 1 else 's'} ({percent(LEVEL)} interval {ends})."


def _judged(run: RunRecord, real: bool) -> bool:
    unusual = run.status == "cancelled" or {"cold", "cache_hit"} & set(run.flags)
    return not unusual and not (real and run.simulated)


def _kept(run: RunRecord, first_s: float | None, total_s: float | None) -> bool:
    if run.status != "completed" or run.time_to_visible_s is None or run.duration_s is None:
        return False
    return (first_s is None or run.time_to_visible_s <= first_s) and (total_s is None or run.duration_s <= total_s)
