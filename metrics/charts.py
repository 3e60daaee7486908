"""The plots of an experiment and of a run, each with the same in words.

Every run is drawn as a dot of its own. What is streamed is solid and round, what is complete is dashed and square, so
that nothing rests on colour. `metrics.svg` says how a drawing gets into a page.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from metrics.pairs import Pair
from metrics.phrases import amounts
from metrics.record import RunRecord
from metrics.silences import Silence, long_ones, longest, silences, typed_chunks
from metrics.svg import COMPLETE, INK, INK_2, LINE, SILENCE, STREAMED, Chart, draw
from metrics.timing import NS_PER_S, Chunks, content

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Axis", "Chart", "distribution", "gaps", "paired_lines", "shared_axis", "timeline", "timeline_of"]

FLOOR_S = 1e-4
"""Shorter gaps are drawn here: chunks of one network read are apart by next to nothing."""


PLACES = 250
"""How many ticks a factor of e of the logarithmic scale has room for."""
AROUND = 2.0
"""The axis of gaps reaches this many times beyond them, so that next to equal ones do not look far apart."""


def paired_lines(pairs: Sequence[Pair]) -> Chart:
    """Time to first text, complete on the left and streamed on the right, a line for each pair. A pair that was slower
    streamed is dotted. Pairs without both times are left out."""
    title = "First text in each pair"
    found = [(pair.complete.time_to_visible_s, pair.streamed.time_to_visible_s) for pair in pairs]
    times = [(complete, streamed) for complete, streamed in found if complete is not None and streamed is not None]
    if not times:
        return Chart(title=title, svg="", words="No pair to draw yet.")
    middle = [statistics.median(side) for side in zip(*times, strict=True)]
    sooner = sum(streamed < complete for complete, streamed in times)
    words = (
        f"In {sooner} of {len(times)} pairs the first text came sooner with streaming. Median time to first text: "
        f"complete {_time(middle[0])}, streamed {_time(middle[1])}."
    )

    def paint(axes: Axes) -> None:
        for complete, streamed in times:
            late = streamed >= complete
            axes.plot(
                (0, 1),
                (complete, streamed),
                color=SILENCE if late else LINE,
                linestyle=":" if late else "-",
                linewidth=1,
            )
        for x, (marker, colour) in enumerate((("s", COMPLETE), ("o", STREAMED))):
            axes.plot([x] * len(times), [pair[x] for pair in times], marker, color=colour, markersize=4, alpha=0.8)
            outside = -0.06 if x == 0 else 0.06
            axes.hlines(middle[x], x - 0.05, x + 0.05, color=INK, linewidth=2)
            side = "right" if x == 0 else "left"
            axes.text(x + outside, middle[x], f"median {_time(middle[x])}", ha=side, va="center")
        axes.set_xlim(-0.55, 1.55)
        axes.set_xticks((0, 1), ("Complete", "Streamed"))
        axes.set_ylim(bottom=0)
        axes.set_ylabel("Seconds until the first text")
        axes.grid(axis="y")

    return draw(title, words, paint, height=280)


def distribution(complete: Sequence[float], streamed: Sequence[float]) -> Chart:
    """The share of runs whose first text was there by then, for both modes: a step and a tick for each run. Takes
    `bench.time_to_visible` of the runs, in seconds."""
    title = "First text within"
    if not complete and not streamed:
        return Chart(title=title, svg="", words="No run to draw yet.")
    told = []
    if streamed:
        told.append(f"Half of the {len(streamed)} streamed answers had begun within {_middle_and_range(streamed)}.")
    if complete:
        told.append(f"Half of the {len(complete)} complete answers were there within {_middle_and_range(complete)}.")

    def paint(axes: Axes) -> None:
        end_s = max([*complete, *streamed]) or 1.0
        for level, (name, values, colour, style, marker) in enumerate(
            (("Streamed", streamed, STREAMED, "-", "o"), ("Complete", complete, COMPLETE, "--", "s"))
        ):
            if values:
                ordered = sorted(values)
                shares = [100 * rank / len(ordered) for rank in range(1, len(ordered) + 1)]
                steps = [0.0, *ordered, end_s * 1.05], [0.0, *shares, 100.0]
                axes.step(*steps, where="post", color=colour, linestyle=style, linewidth=1.5)
                axes.plot(ordered, shares, marker, color=colour, markersize=4)
                axes.plot([], [], color=colour, linestyle=style, marker=marker, markersize=4, label=name)
                low = -7.0 - 6 * level
                _ticks(axes, ordered, low - 2, low + 2, colour)
        axes.set_ylim(-18, 103)
        axes.set_xlim(0, end_s * 1.05)
        axes.set_yticks((0, 25, 50, 75, 100))
        axes.set_xlabel("Seconds since the call")
        axes.set_ylabel("Share of runs (%)")
        axes.grid(axis="y")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)

    return draw(title, " ".join(told), paint, height=260)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """How far the axes of a timeline reach at least, so that several can be compared by eye."""

    end_s: float = 0.0
    chars: int = 1


def shared_axis(records: Sequence[RunRecord]) -> Axis:
    """The axes that hold the timelines of all these runs."""
    drawn = [(record, typed_chunks(record.chunks or ())) for record in records if record.mode == "stream"]
    return Axis(
        end_s=max([_end_s(chunks, record.duration_s or 0.0) for record, chunks in drawn], default=0.0),
        chars=max([_most_chars(chunks) for _, chunks in drawn], default=1),
    )


def timeline(chunks: Chunks, duration_s: float, *, ended_s: float | None = None, axis: Axis | None = None) -> Chart:
    """One streamed run: characters of visible text over time, a tick for each chunk, long gaps hatched, the longest one
    told. Chunks are (nanoseconds since the call, kind, characters). `ended_s`: the run was cut then, so that the
    silence at its end is shown, too. `axis`: how far it reaches at least."""
    title = "Text over time"
    pieces = content(chunks)
    if not pieces:
        return Chart(title=title, svg="", words="No chunk arrived.")
    found = silences(chunks, ended_s)
    texts = [piece for piece in pieces if piece[1] == "text"]
    thoughts = [piece for piece in pieces if piece[1] != "text"]

    def paint(axes: Axes) -> None:
        top = max(_most_chars(chunks), axis.chars if axis else 1)
        lines = (("Thinking", thoughts, COMPLETE, "--"), ("Text", texts, STREAMED, "-"))
        for name, some, colour, style in lines:
            if some:
                at_s = [0.0, *(at / NS_PER_S for at, _, _ in some)]
                total = [0, *accumulate(chars for _, _, chars in some)]
                axes.step(at_s, total, where="post", color=colour, linestyle=style, linewidth=1.5, label=name)
                places = {round(1000 * at / duration_s): at for at in at_s[1:]} if duration_s else {}
                _ticks(axes, list(places.values()), -0.1 * top, -0.03 * top, colour)
        _mark(axes, found, top)
        if thoughts:
            axes.legend(loc="upper left")
        axes.set_ylim(-0.14 * top, 1.12 * top)
        axes.set_xlim(0, max(_end_s(chunks, duration_s), axis.end_s if axis else 0.0) * 1.02 or 1.0)
        axes.set_xlabel("Seconds since the call")
        axes.set_ylabel("Characters")
        axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= top])
        axes.grid(axis="y")

    return draw(title, _words_of_timeline(texts, thoughts, found, duration_s), paint, height=230)


def timeline_of(record: RunRecord, axis: Axis | None = None) -> Chart:
    """The timeline of a logged run. A complete answer has none."""
    chunks = record.chunks or () if record.mode == "stream" else ()
    cut = record.status != "completed"
    ended_s = record.duration_s if cut else None
    return timeline(typed_chunks(chunks), record.duration_s or 0.0, ended_s=ended_s, axis=axis)


def _end_s(chunks: Chunks, duration_s: float) -> float:
    pieces = content(chunks)
    return max(duration_s, pieces[-1][0] / NS_PER_S if pieces else 0.0)


def _most_chars(chunks: Chunks) -> int:
    """Of text or of thinking, whichever is more; at least 1."""
    kinds = [[chars for _, kind, chars in content(chunks) if (kind == "text") is text] for text in (True, False)]
    return max(1, *map(sum, kinds))


def gaps(gaps_s: Sequence[float]) -> Chart:
    """Gaps between chunks as a box with a tick for each gap, on a logarithmic scale; gaps that would stand in one place
    share a tick. A gap is no time per token: a chunk may hold several."""
    title = "Gaps between chunks"
    if not gaps_s:
        return Chart(title=title, svg="", words="No gap to draw: fewer than two chunks arrived.")
    median, most = statistics.median(gaps_s), max(gaps_s)
    words = f"{_many(len(gaps_s), 'gap')} between chunks: median {_time(median)}, longest {_time(most)}."
    if len(gaps_s) >= 4:
        low, _, high = statistics.quantiles(gaps_s, n=4, method="inclusive")
        words += f" Half of them lie between {_time(low)} and {_time(high)}."

    def paint(axes: Axes) -> None:
        shown = [max(gap, FLOOR_S) for gap in gaps_s]
        axes.boxplot(
            shown,
            orientation="horizontal",
            whis=(0, 100),
            widths=0.5,
            boxprops={"color": STREAMED},
            medianprops={"color": INK, "linewidth": 2},
            whiskerprops={"color": STREAMED},
            capprops={"color": STREAMED},
        )
        places = {round(PLACES * math.log(gap)): gap for gap in shown}
        _ticks(axes, list(places.values()), 0.45, 0.65, INK_2)
        axes.set_xscale("log")
        axes.set_xlim(min(shown) / AROUND, max(shown) * AROUND)
        marks_s = _decades(min(shown) / AROUND, max(shown) * AROUND)
        axes.set_xticks(marks_s, [f"{mark:g} s" if mark >= 1 else f"{mark * 1000:g} ms" for mark in marks_s])
        axes.minorticks_off()
        axes.set_ylim(0.35, 1.45)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")

    return draw(title, words, paint, height=110)


def _decades(low: float, high: float) -> list[float]:
    """Where a logarithmic axis is labelled: at powers of ten; where fewer than two fit, at their doubles and fives too.
    So labels never stand on each other."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 2, 5)):
        marks = [float(f"{step}e{power}") for power in powers for step in steps]
        found = [mark for mark in marks if low <= mark <= high]
        if len(found) > 1:
            break
    return found


def _mark(axes: Axes, found: Sequence[Silence], top: float) -> None:
    """Hatches the long gaps, and tells the length of the longest."""
    for gap in long_ones(found):
        axes.axvspan(
            gap.began_s,
            gap.began_s + gap.length_s,
            facecolor="none",
            edgecolor=SILENCE,
            hatch="////",
            linewidth=0,
            alpha=0.55,
        )
    worst = longest(long_ones(found))
    if worst is not None:
        axes.text(
            worst.began_s + worst.length_s / 2,
            1.03 * top,
            _time(worst.length_s),
            ha="center",
            va="bottom",
            color=SILENCE,
        )


def _words_of_timeline(texts: Chunks, thoughts: Chunks, found: Sequence[Silence], duration_s: float) -> str:
    told = []
    if thoughts:
        told.append(f"Thinking began after {_time(thoughts[0][0] / NS_PER_S)}.")
    if texts:
        chars = sum(length for _, _, length in texts)
        told.append(
            f"First text after {_time(texts[0][0] / NS_PER_S)}; {_many(chars, 'character')} in "
            f"{_many(len(texts), 'chunk')} until {_time(texts[-1][0] / NS_PER_S)}, {_time(duration_s)} in all."
        )
    else:
        told.append("No visible text.")
    worst = longest(found)
    if worst is not None:
        told.append(f"Longest silence {_time(worst.length_s)}, {_time(worst.began_s)} after the call.")
    return " ".join(told)


def _ticks(axes: Axes, at: Sequence[float], low: float, high: float, colour: str) -> None:
    """A short upright line at each place, all of them one path: answers may have thousands."""
    gap = float("nan")
    axes.plot(
        [x for place in at for x in (place, place, gap)],
        [y for _ in at for y in (low, high, gap)],
        color=colour,
        linewidth=0.7,
        solid_capstyle="butt",
    )


def _middle_and_range(values: Sequence[float]) -> str:
    return f"{_time(statistics.median(values))} (from {_time(min(values))} to {_time(max(values))})"


def _time(value_s: float) -> str:
    return amounts([value_s], "s")[0]


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
