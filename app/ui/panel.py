"""The HTML of the strip above the prompt: status, rate, progress, figures; and of the line of a problem. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.conversations import Turn
from app.live import RunUpdate
from app.ui import present
from app.ui.escaping import escape
from app.ui.markup import figures_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why nothing was sent: a sentence, and the widget that it belongs to."""

    sentence: str
    field: str = "prompt"


class Strip:
    """Draws the four live elements for one turn; its bar never goes back within an answer."""

    def __init__(self) -> None:
        self._bars = Bars()

    def draw(self, turn: Turn | None) -> str:
        """For the turn that is being answered or was answered last."""
        update = turn.answers[-1] if turn and turn.answers else None
        if turn is None:
            return _strip(state="ready", busy=False, update=None, bar=READY, detail="", announcement="")
        state = present.MAIN_STATES[update.state] if update else ("waiting" if turn.open else "stopped")
        said = present.announcement(update) if update else "Waiting for the answer."
        bar = self._bars.bar(update, busy=turn.open)
        return _strip(state=state, busy=turn.open, update=update, bar=bar, detail=_detail(turn), announcement=said)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar that is sure up to `low` and may be at `high`, in percent, and its words."""

    kind: Literal["empty", "unknown", "range", "whole"]
    low: float
    high: float
    words: str
    left: str = ""


READY = Bar("empty", 0.0, 0.0, words="")


class Bars:
    """The bars of answers; none of them goes back within its answer."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, int], tuple[float, float]] = {}

    def bar(self, update: RunUpdate | None, *, busy: bool) -> Bar:
        """For an answer as it is now."""
        if update is not None and update.state == "done":
            return Bar("whole", 100.0, 100.0, words="100 %")
        if not busy or (update is not None and update.ended):
            return READY
        estimate = update.progress if update else None
        if update is None or estimate is None or estimate.low is None or estimate.high is None:
            return Bar("unknown", 0.0, 0.0, words="")
        key = (update.run_id, update.resets)
        low, high = self._shown.get(key, (0.0, 0.0))
        self._shown[key] = low, high = max(low, estimate.low), max(high, estimate.high)
        words, left = present.progress_range(estimate), present.time_left(estimate)
        return Bar("range", 100 * low, 100 * high, words=words, left=left)


def idle() -> str:
    """The strip before anything was asked."""
    return Strip().draw(None)


def _detail(turn: Turn) -> str:
    update = turn.answers[-1] if turn.answers else None
    if update is None:
        return ""
    detail = present.status_detail(update)
    if turn.mode != "both":
        return detail
    if not turn.open:
        return present.saving(turn.answer("sync"), turn.answer("stream"))
    way = "the complete answer" if update.mode == "sync" else "the streamed answer"
    return f"{len(turn.answers)} of 2, {way}" + (f": {detail}" if update.state in ("stalled", "retrying") else "")


def problem_line(problem: Problem | None) -> str:
    """The sentence at the prompt; `playground.js` also puts it at the widget that it belongs to."""
    if problem is None:
        return ""
    return f'<p class="problem" data-field="{escape(problem.field)}">{escape(problem.sentence)}</p>'


def _strip(*, state: str, busy: bool, update: RunUpdate | None, bar: Bar, detail: str, announcement: str) -> str:
    elapsed = present.clock(update.elapsed_s) if update else ("0.0 s" if busy else "")
    refill = ' data-refill="true"' if update and update.state == "failed" and not update.text else ""
    return (
        f'<div class="strip" data-state="{state}" data-busy="{str(busy).lower()}"{refill}>'
        f'<div id="chat-status" role="group" aria-label="Status"><span class="dot" aria-hidden="true"></span>'
        f'<span class="word">{state}</span><span class="elapsed" aria-hidden="true">{elapsed}</span>'
        f'<span class="detail">{escape(detail)}</span></div>'
        f'<div id="chat-rate" role="group" aria-label="Token rate">{rate_html(update)}</div>'
        f'<div id="chat-progress" role="group" aria-label="Progress">{progress_html(bar, busy=busy)}</div>'
        f'<div id="chat-stats" role="group" aria-label="Figures">{figures_line(update) if update else ""}</div>'
        f'<div class="sr-only" role="status">{escape(announcement)}</div></div>'
    )


def rate_html(update: RunUpdate | None) -> str:
    """The rate of now while text flows, the answer's own at the end."""
    if update is None:
        return ""
    if update.ended:
        return escape(next(figure.text for figure in present.figures(update) if figure.name == "rate"))
    pace = present.pace(update.rate) if update.state == "streaming" else ""  # a stall is said by its own word
    words = f' <span class="pace">{escape(pace)}</span>' if pace else ""
    return f'<span class="rate">{escape(present.live_rate(update.rate))}</span>{words}'


def progress_html(bar: Bar, *, busy: bool) -> str:
    """A bar with its words."""
    value = f' aria-valuenow="{bar.low:.0f}"' if bar.kind in ("range", "whole") else ""
    text = ", ".join(part for part in (bar.words, bar.left) if part) or ("estimating" if busy else "not running")
    return (
        f'<div class="bar" data-kind="{bar.kind}" role="progressbar" aria-label="Progress of the answer"'
        f' aria-valuemin="0" aria-valuemax="100"{value} aria-valuetext="{escape(text)}">'
        f'<span class="band" style="width:{bar.high:.1f}%"></span>'
        f'<span class="fill" style="width:{bar.low:.1f}%"></span></div>'
        f'<span class="range">{escape(bar.words)}</span><span class="left">{escape(bar.left)}</span>'
    )


def refused(problem: Problem) -> str:
    """The strip after a question that was not sent; its hidden status says why."""
    return _strip(state="ready", busy=False, update=None, bar=READY, detail="", announcement=problem.sentence)
