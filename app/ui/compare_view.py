"""The HTML of tab Compare while and after answers come: heads, answers, figures, the line of state. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.comparisons import LETTERS, Standing
from app.fan_in import MAX_LANES
from app.live import RunUpdate, State
from app.ui import present
from app.ui.compare_timeline import shared_axis_s, timeline
from app.ui.escaping import escape
from app.ui.markdown import GrowingMarkdown, to_html
from app.ui.markup import (
    Labels,
    act,
    failure_box,
    figures_line,
    live_thinking,
    not_saved,
    thinking,
    waiting_words,
)
from app.ui.panel import Bars, progress_html, rate_html

BUFFERED = (
    "This was not really streamed: the text was held back and came in one lump, by the model or by something between "
    "it and here (a proxy, a guardrail). Its rate is withheld."
)
TOLD_LATER = "This answer failed. Why is told with the names."
RETRY_TOLD_LATER = "the try before it failed"
NOT_SAVED_TOLD_LATER = "Why is told with the names."
_BUTTON = '<button type="button" class="pane-button" data-act="{act}" data-pane="{pane}"{more}>{words}</button>'


def letter_of(standing: Standing, pane: int) -> str:
    """What a pane was called while the race was blind; empty where it was not."""
    return standing.letters[pane] if pane < len(standing.letters) else ""


def name_of(standing: Standing, pane: int, labels: Labels) -> str:
    """What a pane is called: its letter as long as the race is blind, then its letter and its model."""
    letter = letter_of(standing, pane)
    if standing.hidden:
        return letter
    return " · ".join(part for part in (letter, model_of(standing, pane, labels)) if part)


def model_of(standing: Standing, pane: int, labels: Labels) -> str:
    """The name of the model that answered in a pane, or will."""
    answer = standing.answers[pane] if pane < len(standing.answers) else None
    model = answer.model_id if answer else standing.panes[pane].model if pane < len(standing.panes) else ""
    return labels(model).split(" (")[0] if isinstance(model, str) else ""


def head(pane: int, unlike: Sequence[str] = ()) -> str:
    """The top of a pane, counted from 0: its number, what differs from the first one, its buttons."""
    number = pane + 1
    marks = "".join(f'<span class="badge unlike">{escape(word)}</span>' for word in unlike)
    buttons = "".join(
        (
            _button("pane-stop", pane, "Stop", f"Stop pane {number}"),
            _button("pane-settings", pane, "Settings", f"Settings of pane {number}", ' aria-expanded="false"'),
            _button("pane-remove", pane, "Remove", f"Remove pane {number}"),
        )
    )
    return (
        f'<div class="pane-top"><h3><span class="number">{number}</span>'
        f'<span class="letter">{LETTERS[pane]}</span></h3>{marks}<div class="pane-buttons">{buttons}</div></div>'
    )


def _button(name: str, pane: int, words: str, label: str, more: str = "") -> str:
    return _BUTTON.format(act=name, pane=pane, words=words, more=f' aria-label="{label}" title="{label}"{more}')


def tabs(standing: Standing, count: int, labels: Labels) -> str:
    """On a phone: which pane is read. The figures of all of them stand above."""
    names = [name_of(standing, pane, labels) or str(pane + 1) for pane in range(count)]
    made = "".join(
        f'<button type="button" role="tab" data-act="pane-tab" data-pane="{pane}" aria-selected="false"'
        f' aria-controls="pane-{pane + 1}-output">{escape(name)}</button>'
        for pane, name in enumerate(names)
    )
    return f'<div class="pane-tabs" role="tablist" aria-label="Panes">{made}</div>'


class CompareView:
    """Draws the panes of one comparison; from one time to the next only little of it changes."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._bars = Bars()
        self._texts: dict[str, GrowingMarkdown] = {}

    def panes(self, standing: Standing) -> tuple[list[str], list[list[str]]]:
        """For all panes there may be: the figures, and the answer as pieces that follow one another."""
        standing = without_names(standing)
        axis_s = shared_axis_s(standing.answers, moving=standing.open)
        lanes = [*range(len(standing.answers)), *[None] * (MAX_LANES - len(standing.answers))]
        stats = ["" if pane is None else self._stats(standing, pane, axis_s) for pane in lanes]
        return stats, [[] if pane is None else self._output(standing, pane) for pane in lanes]

    def _stats(self, standing: Standing, pane: int, axis_s: float) -> str:
        update = standing.answers[pane]
        if update is None:
            state, detail = ("waiting", "its turn comes") if standing.open else ("ready", "")
            return _stats(state, name_of(standing, pane, self._labels), detail=detail) if standing.open else ""
        live = not update.ended
        drawn = progress_html(self._bars.bar(update, busy=live), busy=live) if live else ""
        left_out = frozenset({"cost"}) if standing.hidden else frozenset[str]()
        return _stats(
            present.MAIN_STATES[update.state],
            name_of(standing, pane, self._labels),
            detail=_detail(update),
            live=live,
            elapsed=present.clock(update.elapsed_s) if update.run_id else "",
            rate=rate_html(update) if live and update.mode == "stream" else "",
            progress=drawn,
            figures=figures_line(update, left_out=left_out) if update.run_id else "",
            line=timeline(update, axis_s),
        )

    def _output(self, standing: Standing, pane: int) -> list[str]:
        update = standing.answers[pane]
        if update is None:
            return ['<p class="nothing">Its turn comes.</p>'] if standing.open else []
        marks = _badges(update, hidden=standing.hidden)
        if update.ended:
            return [_ended(update, marks)]
        text = self._texts.setdefault(update.run_id, GrowingMarkdown())
        return [
            f'<section class="answer live" data-mode="{update.mode}" data-state="{update.state}">{marks}',
            live_thinking(update),
            '<div class="md" dir="auto">',
            *text.blocks(update.text),
            f"</div>{waiting_words(update)}</section>",
        ]


def _stats(state: str, name: str, *, detail: str = "", live: bool = False, **parts: str) -> str:
    return (
        f'<div class="pane-strip" data-state="{state}" data-live="{str(live).lower()}">'
        f'<div class="pane-status"><span class="dot" aria-hidden="true"></span><b class="pane-name">{escape(name)}</b>'
        f'<span class="word">{state}</span><span class="elapsed" aria-hidden="true">{parts.get("elapsed", "")}</span>'
        f'<span class="detail">{escape(detail)}</span><span class="now">{parts.get("rate", "")}</span></div>'
        f'<div class="pane-progress">{parts.get("progress", "")}</div>{parts.get("figures", "")}{parts.get("line", "")}'
        "</div>"
    )


def _detail(update: RunUpdate) -> str:
    if update.state == "stopped" and not update.run_id:
        return "before it was sent"
    if update.state == "failed" and not update.run_id:
        return "not sent"
    return present.status_detail(update)


def _badges(update: RunUpdate, *, hidden: bool) -> str:
    words = [word for word in present.badges(update) if not (hidden and word == "simulated")]
    made = "".join(f'<span class="badge">{escape(word)}</span>' for word in words)
    return f'<p class="who">{made}</p>' if made else ""


def _ended(update: RunUpdate, marks: str) -> str:
    body = f'<div class="md" dir="auto">{to_html(update.text)}</div>' if update.text else ""
    if not body and update.state != "failed":
        words = "Stopped before the first text." if update.state == "stopped" else "The answer is empty."
        body = f'<p class="nothing">{words}</p>'
    notices = "".join(f'<p class="notice">{escape(notice)}</p>' for notice in _notices(update))
    copy = act("copy", "Copy the answer", "copy", words="Copy") if update.text else ""
    return (
        f'<section class="answer" data-mode="{update.mode}" data-state="{update.state}"'
        f' data-run="{escape(update.run_id)}" data-raw="{escape(update.text)}">{marks}{notices}{thinking(update)}{body}'
        f'{failure_box(update.failure, again="pane-again")}{not_saved(update)}<div class="acts">{copy}</div></section>'
    )


def without_names(standing: Standing) -> Standing:
    """As far as it may be told: in a blind race no sentence of a model, a service or the log, for those name models,
    regions and endpoints. Where the names are told it stays as it is."""
    if not standing.hidden:
        return standing
    answers = tuple(answer and _without_names(answer) for answer in standing.answers)
    return replace(standing, answers=answers)


def _without_names(update: RunUpdate) -> RunUpdate:
    return replace(
        update,
        notices=(),
        retry=update.retry and replace(update.retry, reason=RETRY_TOLD_LATER),
        failure=update.failure and replace(update.failure, sentence=TOLD_LATER, request_id=None),
        not_saved=update.not_saved and NOT_SAVED_TOLD_LATER,
    )


def _notices(update: RunUpdate) -> Sequence[str]:
    buffered = update.record is not None and "buffered_stream" in update.record.flags
    return [*update.notices, *([BUFFERED] if buffered else [])]


# --- the line of state ------------------------------------------------------------------------------------------------


def state_line(standing: Standing, count: int, labels: Labels) -> str:
    """How the whole stands, in words and for the script: `data-busy`, `data-panes`, `data-blind`."""
    going = [answer for answer in standing.answers if answer is None or not answer.ended]
    ended = len(standing.answers) - len(going)
    word, detail = "ready", ""
    if standing.open:
        word, detail = "answering", f"{ended} of {len(standing.answers)} ended"
    elif standing.answers:
        word, detail = _outcome(standing)
    return (
        f'<div class="compare-state" data-id="{standing.id or ""}" data-state="{word}"'
        f' data-busy="{str(standing.open).lower()}" data-panes="{count}"'
        f' data-blind="{str(standing.hidden).lower()}" data-letters="{"".join(standing.letters)}"'
        f' data-asked="{str(bool(standing.answers)).lower()}">'
        f'<span class="dot" aria-hidden="true"></span><span class="word">{word}</span>'
        f'<span class="detail">{escape(detail)}</span>'
        f'<div class="sr-only" role="status">{escape(_announcement(standing, labels))}</div></div>'
    )


def _outcome(standing: Standing) -> tuple[str, str]:
    """The worst of the endings, and how many ended so; then how fair the start was."""
    states = [answer.state for answer in standing.answers if answer is not None]
    found: Sequence[State] = ("failed", "stopped")
    counts = [f"{states.count(state)} of {len(states)} {state}" for state in found if state in states]
    word = next((state for state in found if state in states), "done")
    return word, " · ".join((*counts, *filter(None, [sent_words(standing)])))


def sent_words(standing: Standing) -> str:
    """How fair the start was."""
    if standing.in_turn and any(standing.order):
        by_order = sorted((order, pane) for pane, order in enumerate(standing.order) if order)
        places = ", ".join(letter_of(standing, pane) if standing.hidden else str(pane + 1) for _, pane in by_order)
        return f"one after another, in shuffled order: {places}"
    if standing.skew_s is None:
        return ""
    milliseconds = max(0.1, standing.skew_s * 1000)
    return f"all sent within {milliseconds:.{0 if milliseconds >= 10 else 1}f} ms of each other"


def _announcement(standing: Standing, labels: Labels) -> str:
    """What a screen reader says: the steps of each answer, not its words."""
    return " ".join(
        f"{name_of(standing, pane, labels)}: {present.announcement(answer)}"
        for pane, answer in enumerate(without_names(standing).answers)
        if answer is not None
    )
