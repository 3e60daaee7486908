"""Two answers to one question on one time axis: grey until the first text, coloured while text flows. Pure HTML."""

from __future__ import annotations

from app.conversations import Turn
from app.live import RunUpdate
from app.ui import present
from app.ui.escaping import escape

AXIS_S = (1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200)
"""Where the axis may end while it is not known how long it gets, so that it does not move all the time."""


def race(turn: Turn) -> str:
    """Two bars on one time axis: grey until the first text, coloured while text flows; and what streaming saved."""
    complete, streamed = turn.answer("sync"), turn.answer("stream")
    spans = [lane_times(update) for update in (complete, streamed)]
    longest_s = max([end for _, end in spans] + [0.1])
    axis_s = longest_s if not turn.open else next((mark for mark in AXIS_S if mark >= longest_s), longest_s)
    sentence = present.saving(complete, streamed)
    lanes = "".join(
        _lane(name, update, first_s, end_s, axis_s, more_comes=turn.open)
        for name, update, (first_s, end_s) in zip(("Complete", "Streamed"), (complete, streamed), spans, strict=True)
    )
    words = f'<p class="saving">{escape(sentence)}</p>' if sentence else ""
    warning = "" if turn.open else present.lengths_differ(complete, streamed)
    caution = f'<p class="notice">{escape(warning)}</p>' if warning else ""
    scale = f'<div class="axis" aria-hidden="true"><span>0 s</span><span>{present.clock(axis_s)}</span></div>'
    return f'<div class="race" role="group" aria-label="Wait until the first text">{words}{lanes}{scale}{caution}</div>'


def lane_times(update: RunUpdate | None) -> tuple[float, float]:
    """Until when a lane was silent and until when it ran, in seconds since its call, the time in line left out."""
    if update is None or update.ahead is not None:
        return 0.0, 0.0
    running_s = update.elapsed_s - (update.queued_s or 0.0)
    end_s = update.record.duration_s if update.record and update.record.duration_s is not None else running_s
    if update.mode == "sync" or update.first_text_s is None:
        return end_s, end_s
    return min(update.first_text_s, end_s), end_s


def _lane(name: str, update: RunUpdate | None, first_s: float, end_s: float, axis_s: float, *, more_comes: bool) -> str:
    state = update.state if update else "next"
    if update is None:
        note = "comes next" if more_comes else "not asked"
    elif update.ahead is not None:
        note = present.status_detail(update)
    elif not update.ended:
        note = present.clock(end_s)
    elif update.state != "done":
        note = update.state
    else:
        note = f"first text {present.seconds(first_s)}"
    wait, flow = (100 * value / axis_s for value in (first_s, end_s - first_s))
    arrived = " arrived" if update is not None and update.state == "done" else ""
    return (
        f'<div class="lane{arrived}" data-mode="{"sync" if name == "Complete" else "stream"}" data-state="{state}">'
        f'<span class="lane-name">{name}</span>'
        f'<span class="track"><span class="wait" style="width:{wait:.2f}%"></span>'
        f'<span class="flow" style="width:{flow:.2f}%"></span></span>'
        f'<span class="lane-note">{escape(note)}</span></div>'
    )
