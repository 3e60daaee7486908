"""When an answer came, as a strip: a tick for each chunk, silences coloured. All panes share one axis. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from app.live import NS_PER_S, STALLED_AFTER_S, RunUpdate
from app.ui import present
from app.ui.escaping import escape
from app.ui.race import AXIS_S, lane_times
from metrics import side_by_side
from metrics.silences import Silence, long_ones, longest

WIDTH = 1000
"""Units of the axis, and by that the most ticks that are drawn: chunks that fall on one unit share a tick."""

SEEN = 5
"""Units that are a pixel in the narrowest pane: no silence is narrower, however long the axis is."""


def gaps_of(update: RunUpdate) -> tuple[Silence, ...]:
    """The silences of a streamed answer that has ended; none of one that was no stream."""
    return side_by_side.gaps_of(update.record) if update.record else ()


def shared_axis_s(answers: Sequence[RunUpdate | None], *, moving: bool) -> float:
    """How long the axis of all timelines is. While answers come it grows in steps, so that it does not move all the
    time."""
    longest_s = max([lane_times(answer)[1] for answer in answers] + [0.1])
    return next((mark for mark in AXIS_S if mark >= longest_s), longest_s) if moving else longest_s


def timeline(update: RunUpdate, axis_s: float) -> str:
    """The strip of one answer with its words below; empty for what was not sent."""
    first_s, end_s = lane_times(update)
    if not end_s:
        return ""
    record = update.record
    times_s = [at_ns / NS_PER_S for at_ns, _, _ in record.chunks or ()] if record and update.mode == "stream" else []
    gaps = gaps_of(update)
    words = _words(update, gaps, len(times_s))
    drawn = _bar("wait", 0, first_s, axis_s) + _bar("flow", first_s, end_s, axis_s)
    drawn += "".join(
        _bar(
            "silence long" if gap.length_s >= STALLED_AFTER_S else "silence",
            gap.began_s,
            gap.began_s + gap.length_s,
            axis_s,
            least=SEEN,
        )
        for gap in long_ones(gaps)
    )
    drawn += _ticks(times_s if update.mode == "stream" else [end_s] * bool(update.text and update.ended), axis_s)
    caption = f'<p class="silences">{escape(words)}</p>' if words and update.ended else ""
    return (
        f'<div class="timeline"><svg viewBox="0 0 {WIDTH} 20" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(_description(update, times_s, first_s, end_s))}">{drawn}</svg>{caption}</div>'
    )


def _bar(kind: str, from_s: float, to_s: float, axis_s: float, *, least: float = 0.0) -> str:
    left, right = (WIDTH * min(at_s, axis_s) / axis_s for at_s in (from_s, to_s))
    return f'<rect class="{kind}" x="{left:.0f}" y="0" width="{max(least, right - left):.0f}" height="20"/>'


def _ticks(times_s: Sequence[float], axis_s: float) -> str:
    places = sorted({round(WIDTH * min(at_s, axis_s) / axis_s) for at_s in times_s})
    return f'<path class="ticks" d="{"".join(f"M{place} 3v14" for place in places)}"/>' if places else ""


def _words(update: RunUpdate, gaps: Sequence[Silence], chunks: int) -> str:
    if update.mode == "sync":
        return "all at once" if update.text else ""
    silence = longest(gaps)
    if silence is None:
        return "came in one lump" if chunks else ""
    return f"longest silence {present.seconds(silence.length_s)} at {present.seconds(silence.began_s)}"


def _description(update: RunUpdate, times_s: Sequence[float], first_s: float, end_s: float) -> str:
    if update.mode == "sync":
        return f"Timeline: nothing until {present.seconds(end_s)}"
    chunks = f", {present.many(len(times_s), 'chunk')}" if times_s else ""
    return f"Timeline: first text at {present.seconds(first_s)}{chunks} until {present.seconds(end_s)}"
