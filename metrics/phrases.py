"""Effects and their intervals in words. What is claimed follows from the interval, never from the estimate alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from metrics.effect import Effect, Metric
from metrics.stats import MIN_FOR_INTERVAL

MILLISECONDS_BELOW_S = 0.1
MOST_DECIMALS = 6
MINUS = "−"
"""The sign of a number that people read, in a sentence or a table."""
TRIFLE = ", no practical difference"

# metric -> its name, and the words for less and for more of it
_WORDS: dict[Metric, tuple[str, str, str]] = {
    "time_to_visible": ("first text", "sooner", "later"),
    "duration": ("total time", "shorter", "longer"),
    "duration_per_token": ("time per output token", "shorter", "longer"),
    "cost": ("cost", "lower", "higher"),
}
NAMES: dict[Metric, str] = {metric: words[0] for metric, words in _WORDS.items()}
"""What a metric is called."""
# unit -> factor, sign before, unit after, decimals at least and at most
_SCALES: dict[str, tuple[float, str, str, int, int]] = {
    "s": (1.0, "", " s", 1, 3),
    "ms": (1000.0, "", " ms", 0, 2),
    "s/token": (1000.0, "", " ms", 1, 3),
    "USD": (1.0, "$", "", 2, 7),
    "share": (100.0, "", " %", 0, 1),
}


def headline(effect: Effect, whose: str, counted: str = "pairs") -> str:
    """The main statement: `First text 3.1 s sooner with streaming, 95 % interval 2.7 to 3.6 s, n = 20`.

    `whose` says which of the two it is about: "with streaming", "from model X"; `counted` what an interval needs.
    """
    said = claim(effect, whose)
    said = said[0].upper() + said[1:]
    if effect.reading == "too few":
        return f"{said}, n = {effect.n}; an interval needs {MIN_FOR_INTERVAL} {counted}"
    return f"{said}, {percent(effect.level)} interval {interval(effect)}, n = {effect.n}"


def aside(effect: Effect, whose: str = "") -> str:
    """A statement beside the main one: `total time: no clear difference (−0.4 to 0.3 s)`."""
    said = claim(effect, whose)
    return said if effect.reading == "too few" else f"{said} ({interval(effect)})"


def labelled(label: str, said: str) -> str:
    """A statement after a label that must be read first: `Simulated: first text 3.1 s sooner`; no label, no change."""
    return f"{label}: {said[0].lower()}{said[1:]}" if label else said


def claim(effect: Effect, whose: str) -> str:
    """What may be said, without the interval. Of a small change that is sure both is said."""
    name, less, more = _WORDS[effect.metric]
    amount = amounts([abs(value) for value in _shown(effect)], effect.unit)[0]
    match effect.reading:
        case "less":
            return f"{name} {amount} {less} {whose}".rstrip() + (TRIFLE if effect.is_trifle else "")
        case "more":
            return f"{name} {amount} {more} {whose}".rstrip() + (TRIFLE if effect.is_trifle else "")
        case "too few":
            direction = less if effect.estimate >= 0 else more
            return f"{name}: not enough runs to tell (median {f'{amount} {direction} {whose}'.rstrip()})"
        case _:
            return f"{name}: {effect.reading}"


def interval(effect: Effect) -> str:
    """`2.7 to 3.6 s`, in the direction of the claim; where none is made, first minus second member."""
    values = _shown(effect)
    if effect.reading == "more":
        values = [-values[0], -values[2], -values[1]]
    return spread(values, effect.unit)


def spread(values: Sequence[float], unit: str) -> str:
    """`2.7 to 3.6 s`: the second and third of estimate, low and high, rounded together."""
    _, low, high = amounts(values, unit)
    return f"{low.removesuffix(_scale(values, unit)[2])} to {high}"


def amounts(values: Sequence[float], unit: str) -> list[str]:
    """Values that are shown together, rounded alike and as coarsely as their spread allows, with their unit. Values on
    one side of 0 are not shown as 0, and the ends of an interval get a digit more where they would read the same."""
    factor, before, after, least, most = _scale(values, unit)
    scaled = [value * factor for value in values]
    largest = max(map(abs, scaled))
    half = (max(scaled) - min(scaled)) / 2
    spreads = half > 1e-9 * largest  # else it is of rounding alone
    if not spreads:
        half = largest / 20
    wanted = math.ceil(-math.log10(half)) if half > 0 else least
    decimals = min(max(least, wanted), most)
    one_sided = min(scaled) > 0 or max(scaled) < 0
    while one_sided and decimals < most and not all(round(value, decimals) for value in scaled):
        decimals += 1
    if spreads and len({round(value, decimals) for value in scaled[-2:]}) == 1:
        decimals += 1
    rounded = [round(value, decimals) for value in scaled]
    return [f"{MINUS if value < 0 else ''}{before}{abs(value):,.{decimals}f}{after}" for value in rounded]


def percent(share: float) -> str:
    """`95 %`."""
    return f"{share * 100:.0f} %"


def percent_span(low: float, high: float) -> str:
    """`76 to 99 %`. What lies between is not rounded to 0 or 100 %: `99.6 to 100.0 %`."""
    between = [share * 100 for share in (low, high) if 0 < share < 1]
    told = (places for places in range(MOST_DECIMALS) if not {round(end, places) for end in between} & {0, 100})
    decimals = next(told, MOST_DECIMALS)
    return f"{low * 100:.{decimals}f} to {high * 100:.{decimals}f} %"


def _shown(effect: Effect) -> list[float]:
    return [value for value in (effect.estimate, effect.low, effect.high) if value is not None]


def _scale(values: Sequence[float], unit: str) -> tuple[float, str, str, int, int]:
    small = unit == "s" and max(map(abs, values)) < MILLISECONDS_BELOW_S
    return _SCALES["ms" if small else unit]
