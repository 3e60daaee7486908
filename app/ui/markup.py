"""The HTML of the conversation: its history and the live answer. Pure; all text is escaped here or drawn by
`app.ui.markdown`. The looks are in `assets/playground.css`, the behaviour in `assets/playground.js`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from app.conversations import Turn
from app.live import RunFailure, RunUpdate
from app.ui import present
from app.ui.escaping import escape
from app.ui.markdown import GrowingMarkdown, to_html
from app.ui.race import race

Labels = Callable[[str], str]
"""From a model's id to the name that is shown."""

SEPARATOR = "\u00a0· "  # the dot stays on the line of what it follows
MODE_WORDS = {"stream": "Streamed", "sync": "Complete"}

SAMPLES: tuple[tuple[str, str, str], ...] = (
    ("Give me five tips for a good night's sleep.", "Stream", "Watch the tokens arrive"),
    (
        "Tell a short story about a lighthouse keeper who collects sounds.",
        "Both",
        "Complete and streamed, side by side",
    ),
    ("Explain in simple words how a rainbow forms.", "Complete", "Wait for the whole answer"),
)
"""Prompt, mode, and what it shows; offered on the empty page."""

_ICONS = {
    "copy": '<rect x="8" y="8" width="12" height="12" rx="2"/><path d="M16 8V4H4v12h4"/>',
    "edit": '<path d="M4 20h4L19 9l-4-4L4 16z"/><path d="m13 7 4 4"/>',
    "again": '<path d="M20 11a8 8 0 1 0-2.3 6.3"/><path d="M20 5v6h-6"/>',
}


def icon(name: str) -> str:
    """A line drawing of 24 by 24, in the colour of the text."""
    return (
        '<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{_ICONS[name]}</svg>'
    )


def act(name: str, label: str, icon_name: str, *, words: str = "") -> str:
    """A small button that `playground.js` answers to; an icon, and words where it needs some."""
    look = "act worded" if words else "act"
    title = escape(label)
    return (
        f'<button type="button" class="{look}" data-act="{name}" title="{title}" aria-label="{title}">'
        f"{icon(icon_name)}{escape(words)}</button>"
    )


# --- history ----------------------------------------------------------------------------------------------------------


def history(turns: Sequence[Turn], labels: Labels) -> str:
    """All turns; the open one only with its question, because `live` draws its answers."""
    if not turns:
        return empty_page()
    last = turns[-1].id
    return "".join(_turn(turn, labels, is_last=turn.id == last) for turn in turns)


def empty_page() -> str:
    """What a page without a conversation offers."""
    cards = "".join(
        f'<button type="button" class="sample" data-act="sample" data-mode="{mode}">'
        f'<span class="sample-prompt">{escape(prompt)}</span><span class="sample-why">{escape(why)}</span></button>'
        for prompt, mode, why in SAMPLES
    )
    return (
        '<div class="welcome"><h2>How soon does an answer begin?</h2>'
        "<p>Ask something. Every answer is timed as it leaves the model, and every run becomes a row in the table.</p>"
        f'<div class="samples">{cards}</div></div>'
    )


def _turn(turn: Turn, labels: Labels, *, is_last: bool) -> str:
    return (
        f'<article class="turn" data-turn="{turn.id}" data-mode="{turn.mode}">{_question(turn)}{_notices(turn)}'
        f"{'' if turn.open else answers(turn, labels, is_last=is_last)}</article>"
    )


def _question(turn: Turn) -> str:
    buttons = act("copy", "Copy the question", "copy") + act("edit", "Edit and ask again", "edit")
    return (
        '<div class="question"><h3 class="sr-only">Question</h3>'
        f'<div class="bubble" dir="auto">{escape(turn.question)}</div><div class="acts">{buttons}</div></div>'
    )


def _notices(turn: Turn) -> str:
    said = list(dict.fromkeys([*turn.notices, *(notice for answer in turn.answers for notice in answer.notices)]))
    return "".join(f'<p class="notice">{escape(notice)}</p>' for notice in said)


def answers(turn: Turn, labels: Labels, *, is_last: bool) -> str:
    """The finished answers of a turn; those of mode Both beside each other, with their race above."""
    both = turn.mode == "both"
    again = act("again", "Ask the same question again", "again", words="Regenerate") if is_last else ""
    if any(answer.failure for answer in turn.answers):
        again = ""  # the failure has its own button
    if not turn.answers:
        return f'<p class="notice">Stopped before anything was sent.</p><div class="turn-tools">{again}</div>'
    if not both:
        return f'<div class="answers">{_finished(turn.answers[-1], labels, tools=again)}</div>'
    shown = [answer for answer in (turn.answer("sync"), turn.answer("stream")) if answer]
    drawn = "".join(_finished(answer, labels, both=True) for answer in shown)
    return f'{race(turn)}<div class="answers pair">{drawn}</div><div class="turn-tools">{again}</div>'


def _finished(update: RunUpdate, labels: Labels, *, both: bool = False, tools: str = "") -> str:
    body = f'<div class="md" dir="auto">{to_html(update.text)}</div>' if update.text else ""
    if not body and update.state != "failed":
        words = "Stopped before the first text." if update.state == "stopped" else "The answer is empty."
        body = f'<p class="nothing">{words}</p>'
    copy = act("copy", "Copy the answer", "copy") if update.text else ""
    return (
        f'<section class="answer" data-mode="{update.mode}" data-state="{update.state}"'
        f' data-run="{escape(update.run_id)}" data-raw="{escape(update.text)}">'
        f"{_answer_head(update, labels, both=both)}{thinking(update)}{body}"
        f"{failure_box(update.failure)}{not_saved(update)}"
        f'<div class="under">{figures_line(update)}<div class="acts">{copy}{tools}</div></div></section>'
    )


def _answer_head(update: RunUpdate, labels: Labels, *, both: bool) -> str:
    way = MODE_WORDS[update.mode] if both or update.mode == "sync" else ""
    marks = "".join(f'<span class="badge">{escape(badge)}</span>' for badge in present.badges(update))
    way = f'<span class="way">{way}</span>' if way else ""
    return f'<h3 class="who">{way}<span class="model">{escape(labels(update.model_id))}</span>{marks}</h3>'


def thinking(update: RunUpdate) -> str:
    """What the model thought, folded, once the answer has ended."""
    if not update.reasoning:
        return ""
    thought_s = update.record.thinking_s if update.record else None
    summary = f"Thought for {present.seconds(thought_s)}" if thought_s else "Thinking"
    return f'<details class="thinking"><summary>{summary}</summary><p>{escape(update.reasoning)}</p></details>'


def failure_box(failure: RunFailure | None, again: str = "again") -> str:
    """Why there is no answer, or no whole one, with a button to ask again and the details folded."""
    if failure is None:
        return ""
    request_id = f" · request id <code>{escape(failure.request_id)}</code>" if failure.request_id else ""
    return (
        f'<div class="failure"><p>{escape(failure.sentence)}</p>'
        f'<button type="button" class="retry" data-act="{again}">Retry</button>'
        f"<details><summary>Details</summary><p><code>{escape(failure.type)}</code>{request_id}</p></details></div>"
    )


def not_saved(update: RunUpdate) -> str:
    """That a run could not be written to the log, and why."""
    if not update.not_saved:
        return ""
    return f'<p class="notice">This run is not in the table yet. {escape(update.not_saved)}</p>'


def figures_line(update: RunUpdate, left_out: Collection[str] = ()) -> str:
    """One quiet line: first text, rate, tokens, total, cost; `left_out` names what must not be told."""
    shown = (figure for figure in present.figures(update) if figure.name not in left_out)
    return f'<p class="figures">{SEPARATOR.join(_figure(figure) for figure in shown)}</p>'


def _figure(figure: present.Figure) -> str:
    meaning = escape(figure.meaning)
    return f'<span class="figure" data-figure="{figure.name}" title="{meaning}">{escape(figure.text)}</span>'


# --- the live answer --------------------------------------------------------------------------------------------------


class LiveAnswer:
    """Draws the open turn as a list of pieces of HTML of which few change from one time to the next."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._texts: dict[str, GrowingMarkdown] = {}

    def draw(self, turn: Turn) -> list[str]:
        """The pieces, in order; put one behind the other they are one document."""
        if turn.mode != "both":
            current = turn.answers[-1] if turn.answers else None
            return ['<div class="answers">', *self._section(current, None), "</div>"]
        complete, streamed = turn.answer("sync"), turn.answer("stream")
        return [
            race(turn),
            '<div class="answers pair">',
            *self._section(complete, "sync"),
            *self._section(streamed, "stream"),
            "</div>",
        ]

    def _section(self, update: RunUpdate | None, mode: str | None) -> list[str]:
        way = f'<span class="way">{MODE_WORDS[mode]}</span>' if mode else ""
        if update is None:
            wait = '<p class="nothing">Its turn comes next.</p>' if mode else ""
            return [f'<section class="answer" data-mode="{mode or ""}"><h3 class="who">{way}</h3>{wait}</section>']
        name = escape(self._labels(update.model_id))
        marks = '<span class="badge">simulated</span>' if update.simulated else ""
        head = f'<h3 class="who">{way}<span class="model">{name}</span>{marks}</h3>'
        live = "" if update.ended else " live"
        return [
            f'<section class="answer{live}" data-mode="{update.mode}" data-state="{update.state}">{head}',
            live_thinking(update),
            '<div class="md" dir="auto">',
            *self._blocks(update),
            f"</div>{waiting_words(update)}</section>",
        ]

    def _blocks(self, update: RunUpdate) -> list[str]:
        return self._texts.setdefault(update.run_id, GrowingMarkdown()).blocks(update.text)


def live_thinking(update: RunUpdate) -> str:
    """The newest of what the model is thinking."""
    if not update.reasoning:
        return ""
    if update.text:
        return '<p class="thought">Thinking is done.</p>'
    return f'<p class="thought">{escape(update.reasoning[-600:])}</p>'


def waiting_words(update: RunUpdate) -> str:
    """What stands where the answer will."""
    if update.text or update.ended or update.reasoning:
        return ""
    if update.mode == "sync":
        words = "Nothing to read until the whole answer is there."
    else:
        words = "Waiting for the first text."
    return f'<p class="nothing">{words}</p>'
