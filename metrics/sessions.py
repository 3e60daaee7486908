"""One session against an earlier one: has it become slower?

What differs besides the time is named as a caveat, since no interval covers it; nor does any cover that another day has
another network and another load. Two sessions are two days, however many runs they have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from metrics.effect import METRICS, PRACTICAL, Metric, exp
from metrics.pairs import APART, asked, counted_runs, mixed
from metrics.phrases import NAMES, TRIFLE, amounts, labelled, percent, spread
from metrics.record import Mode, RunRecord
from metrics.stats import LEVEL, MIN_FOR_INTERVAL, Interval, hodges_lehmann_shift

_SETTINGS: Mapping[str, Callable[[RunRecord], Hashable]] = {
    "models": lambda run: run.request_model,
    "prompts": asked,
    "token limits": lambda run: run.max_tokens,
    "temperatures": lambda run: run.temperature,
    "regions": lambda run: run.region,
    "endpoints": lambda run: (run.backend, run.server_address),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How much one figure has moved from a baseline of `n_baseline` runs to `n` later ones.

    `ratio` is later divided by earlier, with its interval: 1.22 is 22 % slower. `caveats` names what differs between
    the two besides the time, as in "the prompts differ".
    """

    sentence: str
    metric: Metric
    mode: Mode
    n_baseline: int
    n: int
    caveats: tuple[str, ...]
    simulated: bool
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    level: float = LEVEL

    def to_json(self) -> dict[str, Any]:
        """As it stands in exports."""
        return asdict(self)


def against(
    baseline_records: Iterable[RunRecord],
    records: Iterable[RunRecord],
    *,
    model_id: str | None = None,
    metric: Metric = "time_to_visible",
    mode: Mode = "stream",
) -> Shift:
    """A session against an earlier one, over the runs of one mode, which are no pairs here.

    The estimate is the Hodges-Lehmann shift of the logarithms, with the interval of the Mann-Whitney test. "22 %
    slower" says that the time is 22 % longer, "18 % faster" that it is 18 % shorter.
    """
    before, after = counted_runs(baseline_records, mode, model_id), counted_runs(records, mode, model_id)
    earlier, later = _logarithms(before, metric), _logarithms(after, metric)
    apart = mixed(before, after)
    moved = hodges_lehmann_shift(later, earlier) if earlier and later and not apart else None
    caveats = tuple(_caveats(before, after)) if moved else ()
    simulated = moved is not None and all(run.simulated for run in (*before, *after))
    if moved is not None:
        said = _words(metric, moved, _day(before, after), f"n = {len(earlier)} against {len(later)}")
        noted = f" ({', '.join(caveats)})" if caveats else ""
        sentence = labelled("Simulated" if simulated else "", f"{said}{noted}.")
    elif apart:
        sentence = APART
    else:
        sentence = f"{NAMES[metric].capitalize()}: nothing to compare, {len(earlier)} runs against {len(later)}."
    return Shift(
        sentence=sentence,
        metric=metric,
        mode=mode,
        n_baseline=len(earlier),
        n=len(later),
        caveats=caveats,
        simulated=simulated,
        ratio=exp(moved.estimate if moved else None),
        low=exp(moved.low if moved else None),
        high=exp(moved.high if moved else None),
    )


def _logarithms(runs: Iterable[RunRecord], metric: Metric) -> list[float]:
    values = map(METRICS[metric][1], runs)
    return [math.log(value) for value in values if value is not None and value > 0]


def _words(metric: Metric, moved: Interval, day: str, counts: str) -> str:
    """`First text 22 % slower than on 12 Nov (95 % interval 9 to 36 %), n = 20 against 20`."""
    name = NAMES[metric].capitalize()
    less, more = ("lower", "higher") if metric == "cost" else ("faster", "slower")
    change = math.expm1(moved.estimate)
    if moved.low is None or moved.high is None:
        amount = amounts([abs(change)], "share")[0]
        middle = f"{amount} {less if change < 0 else more} than {day}, {counts}"
        return f"{name}: not enough runs to tell ({middle}; an interval needs {MIN_FOR_INTERVAL} on either side)"
    low, high = math.expm1(moved.low), math.expm1(moved.high)
    practical = low >= -PRACTICAL and high <= PRACTICAL
    if low > 0 or high < 0:
        shown = [change, low, high] if low > 0 else [-change, -high, -low]
        word = more if low > 0 else less
        said = f"{name} {amounts(shown, 'share')[0]} {word} than {day}{TRIFLE if practical else ''}"
    else:
        shown = [change, low, high]
        said = f"{name}: no {'practical' if practical else 'clear'} difference from {day.removeprefix('on ')}"
    return f"{said} ({percent(moved.level)} interval {spread(shown, 'share')}), {counts}"


def _day(before: Sequence[RunRecord], after: Sequence[RunRecord]) -> str:
    """When the baseline began, as precisely as is needed to tell it from the later session."""
    then, now = (datetime.fromisoformat(runs[0].started_at) for runs in (before, after))
    day = f"on {then.day} {then:%b}" + (f" {then.year}" if then.year != now.year else "")
    return f"{day} at {then:%H:%M} UTC" if then.date() == now.date() else day


def _caveats(before: Sequence[RunRecord], after: Sequence[RunRecord]) -> Iterator[str]:
    for words, of in _SETTINGS.items():
        if set(map(of, before)) != set(map(of, after)):
            yield f"the {words} differ"
