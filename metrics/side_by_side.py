"""Answers that stand side by side: which has the best of a figure, how long they were silent, whether their lengths
differ. Pure; the page and the report both ask here, and so say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from metrics.record import RunRecord
from metrics.silences import Silence, longest, silences_of

NOISE = 0.05
"""Figures within this share of the best one are no difference: one answer each says no more."""
NOISE_S = 0.01
"""Nor are times as close as this, however short they are."""
LENGTHS_DIFFER = 1.3
"""How many times the shortest answer the longest must have for the difference to be worth a word."""


def best(
    rows: Sequence[RunRecord | None],
    value_of: Callable[[RunRecord], float | None],
    words: Sequence[str],
    *,
    most: bool = False,
    noise: float = 0.0,
) -> int | None:
    """The place with the lowest value, or the one that is `most`; `words` are how each is told.

    Only whole answers count. Beside a real one no simulated one does: its times are made up. There is none where the
    next value lies within `NOISE` or `noise`, which is in the unit of the values, or reads the same.
    """
    whole = {at: row for at, row in enumerate(rows) if row is not None and row.status == "completed"}
    real = {at: row for at, row in whole.items() if not row.simulated}
    values = {at: value for at, row in (real or whole).items() if (value := value_of(row)) is not None}
    ranked = sorted(values, key=lambda at: values[at], reverse=most)
    if len(ranked) < 2:
        return None
    top, following = ranked[:2]
    apart = abs(values[top] - values[following])
    alike = apart <= max(noise, NOISE * abs(values[top])) or words[top] == words[following]
    return None if alike else top


def flow_per_s(row: RunRecord) -> float | None:
    """Tokens per second after the first chunk. A complete answer has none: its rate over the whole time is no match."""
    return row.decode_tokens_per_s if row.mode == "stream" else None


def gaps_of(row: RunRecord) -> tuple[Silence, ...]:
    """The silences of a streamed answer; none of one that was no stream, or came in one burst."""
    return () if "buffered_stream" in row.flags else silences_of(row)


def longest_silence_s(row: RunRecord) -> float | None:
    """The longest of them."""
    silence = longest(gaps_of(row))
    return silence.length_s if silence else None


def lengths_that_differ(rows: Iterable[RunRecord]) -> tuple[int, int] | None:
    """Tokens of the shortest and the longest whole answer, where the difference is worth a word. Reported ones, or
    else estimated; answers without either are left out."""
    counts = [
        tokens
        for row in rows
        if row.status == "completed"
        and (tokens := row.tokens_estimated if row.output_tokens is None else row.output_tokens)
    ]
    shortest, most = min(counts, default=0), max(counts, default=0)
    return (shortest, most) if most > shortest and most >= LENGTHS_DIFFER * shortest else None
