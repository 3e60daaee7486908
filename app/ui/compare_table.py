"""The HTML below the panes when all answers have ended: figures side by side, cautions, the vote. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.comparisons import Standing
from app.live import RunUpdate
from app.ui import present
from app.ui.compare_form import differences
from app.ui.compare_view import letter_of, model_of, name_of
from app.ui.escaping import escape
from app.ui.markup import Labels
from app.ui.present import Figure
from app.ui.words import ENDINGS
from metrics.record import RunRecord
from metrics.side_by_side import NOISE_S, best, flow_per_s, lengths_that_differ, longest_silence_s
from metrics.votes import Preference

SAMPLES = (
    "Explain in simple words how a rainbow forms.",
    "Give me five tips for a good night's sleep.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One figure: what it is called and means, how it is said, and what makes it good. Without `value` none is best.
    Values that are not further apart than `noise` are no difference."""

    title: str
    meaning: str
    words: Callable[[RunUpdate], str]
    value: Callable[[RunRecord], float | None] = lambda _: None
    most: bool = False
    noise: float = 0.0


def _said(name: str) -> Callable[[RunUpdate], str]:
    """A figure in the words of the line under an answer, without its own name."""

    def words(update: RunUpdate) -> str:
        if not update.run_id:
            return present.DASH
        figure = next((figure for figure in present.figures(update) if figure.name == name), Figure(present.DASH, ""))
        return figure.text.removeprefix("first text ").removeprefix("cost ").removesuffix(" total")

    return words


COLUMNS = (
    Column(
        title="First text",
        meaning="Until there was something to read, a wait in line left out; a complete answer is there all at once",
        words=_said("first"),
        value=lambda row: row.time_to_visible_s,
        noise=NOISE_S,
    ),
    Column(
        title="Rate",
        meaning="Tokens per second after the first chunk; of a complete answer over the whole time, which is no match",
        words=_said("rate"),
        value=flow_per_s,
        most=True,
    ),
    Column(title="Tokens", meaning="Output tokens", words=_said("tokens")),
    Column(
        title="Total",
        meaning="From the call, a wait in line left out, until the answer was complete",
        words=_said("total"),
        value=lambda row: row.duration_s,
        noise=NOISE_S,
    ),
    Column(
        title="Longest silence",
        meaning="The longest time between two chunks",
        words=lambda update: present.seconds(longest_silence_s(update.record) if update.record else None),
        value=longest_silence_s,
        noise=NOISE_S,
    ),
    Column(title="Cost", meaning="At list price", words=_said("cost"), value=lambda row: row.cost_usd),
)


def summary(standing: Standing, labels: Labels, tally: Preference | None = None) -> str:
    """All of it; while the race is blind only the question which answer is best."""
    if not standing.answers:
        return _welcome()
    if standing.open:
        return ""
    if standing.hidden:
        return _vote(standing)
    cautions = "".join(f'<p class="notice">{escape(words)}</p>' for words in cautions_of(standing))
    return f"{_verdict(standing, labels, tally)}{_table(standing, labels)}{cautions}{_tools(standing)}"


def _welcome() -> str:
    cards = "".join(
        f'<button type="button" class="sample" data-act="compare-sample"><span class="sample-prompt">{escape(prompt)}'
        "</span></button>"
        for prompt in SAMPLES
    )
    return (
        '<div class="compare-welcome"><p>One prompt goes to every pane at the same moment. Each answers on a thread of '
        f'its own, on one clock, and a table of the figures follows.</p><div class="samples">{cards}</div></div>'
    )


# --- the table --------------------------------------------------------------------------------------------------------


def _table(standing: Standing, labels: Labels) -> str:
    titles = [("Pane", ""), ("Ended", ""), *((column.title, column.meaning) for column in COLUMNS), ("Remarks", "")]
    heads = "".join(f'<th scope="col" title="{escape(meaning)}">{title}</th>' for title, meaning in titles)
    marked = [best_of(standing.answers, column) for column in COLUMNS]
    unlike = differences(standing.panes) if standing.panes else ()
    rows = "".join(
        _row(standing, pane, name_of(standing, pane, labels), unlike[pane] if pane < len(unlike) else (), marked)
        for pane in range(len(standing.answers))
    )
    return (
        '<div class="wide"><table class="compare-table"><caption class="sr-only">Figures of the answers</caption>'
        f"<thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(standing: Standing, pane: int, name: str, unlike: Sequence[str], marked: Sequence[int | None]) -> str:
    update = standing.answers[pane]
    if update is None:
        return ""
    differs = f' <span class="unlike">{escape(", ".join(unlike))}</span>' if unlike else ""
    cells = "".join(
        f'<td class="best">{escape(column.words(update))} <b>best</b></td>'
        if pane == best_pane
        else f"<td>{escape(column.words(update))}</td>"
        for column, best_pane in zip(COLUMNS, marked, strict=True)
    )
    ended = _ended(update)
    return (
        f'<tr data-state="{update.state}"><th scope="row">{pane + 1} {escape(name)}{differs}</th><td>{ended}</td>'
        f"{cells}<td>{escape(', '.join(_remarks(standing, pane, update)))}</td></tr>"
    )


def _ended(update: RunUpdate) -> str:
    if not update.run_id:
        return "not sent" if update.state == "failed" else "stopped before it was sent"
    return ENDINGS[update.record.status] if update.record else update.state


def _remarks(standing: Standing, pane: int, update: RunUpdate) -> list[str]:
    said = [word for word in present.badges(update) if word not in ENDINGS.values()]
    record = update.record
    if record is not None and not update.simulated:
        said.append("this machine" if record.backend == "local" else f"AWS {record.region or ''}".strip())
    if pane in standing.again:
        said.append("asked again, alone")
    if update.failure is not None:
        said.append(update.failure.type)
    return said


def best_of(answers: Sequence[RunUpdate | None], column: Column) -> int | None:
    """The pane with the best figure of a column, where one is better than what may be chance."""
    rows = [update.record if update is not None and update.state == "done" else None for update in answers]
    words = [column.words(update) if update else "" for update in answers]
    return best(rows, column.value, words, most=column.most, noise=column.noise)


# --- what to be careful about -----------------------------------------------------------------------------------------


def cautions_of(standing: Standing) -> list[str]:
    """Why the figures may not say what they seem to, and what to do about it."""
    ended = [update for update in standing.answers if update is not None and update.record is not None]
    here = [update for update in ended if update.record and update.record.backend == "local" and not update.simulated]
    said = []
    if len(here) > 1 and not standing.in_turn:
        said.append(
            "The panes shared this machine's one model, and waited for each other: run them one after another for fair "
            "figures."
        )
    if len({update.simulated for update in ended}) > 1:
        said.append(
            "Simulated models keep a stated timing: they say nothing of real ones, and are never the best beside one."
        )
    if lengths := lengths_that_differ(update.record for update in ended if update.record):
        said.append(
            f"The answers differ in length ({lengths[0]:,} to {lengths[1]:,} tokens): a longer answer takes longer. "
            "Compare first text and rate, or give all of them the same max tokens."
        )
    cold = [update.record is not None and "cold" in update.record.flags for update in ended]
    if any(cold) and not all(cold):
        said.append("Some were the first call to their model, which opens a connection: run again to compare.")
    return said


# --- vote and tools ---------------------------------------------------------------------------------------------------


def _vote(standing: Standing) -> str:
    buttons = "".join(
        f'<button type="button" class="vote" data-act="vote" data-choice="{pane}">{letter_of(standing, pane)}</button>'
        for pane, update in enumerate(standing.answers)
        if update is not None and update.text
    )
    return (
        '<div class="ballot" role="group" aria-label="Vote"><p>Which answer do you like best?</p>'
        f'<div class="votes">{buttons}<button type="button" class="vote" data-act="vote" data-choice="tie">Tie</button>'
        '<button type="button" class="vote plain" data-act="reveal">Show the names</button></div></div>'
    )


def _verdict(standing: Standing, labels: Labels, tally: Preference | None) -> str:
    if standing.choice is None:
        return ""
    if standing.choice == "tie":
        said = "You called it a tie."
    else:
        said = f"You preferred {letter_of(standing, standing.choice)}: {model_of(standing, standing.choice, labels)}."
    if tally is not None and tally.votes:
        ties = f" ({present.many(tally.ties, 'tie')} apart)" if tally.ties else ""
        said += f" The faster one was preferred {tally.faster} of {tally.votes}{ties}."
    return f'<p class="saving">{escape(said)}</p>'


def _tools(standing: Standing) -> str:
    if not any(update is not None and update.run_id for update in standing.answers):
        return ""
    return (
        '<div class="compare-tools"><button type="button" class="pane-button" data-act="compare-report">Save a report'
        '</button><button type="button" class="pane-button" data-act="compare-report" data-texts="false">Save one '
        "without texts</button></div>"
    )
