"""The HTML of an experiment while it runs: its progress and a row for each pair. Pure; everything is escaped here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.experiment_update import ExperimentUpdate
from app.ui import present
from app.ui.escaping import escape
from app.ui.markup import Labels
from metrics.pairs import Pair, VoidedPair, pairs_of
from metrics.phrases import MINUS
from metrics.record import RunRecord
from metrics.texts import without_nonce

LIVE_ROWS = 12
"""So many pairs are shown while it runs; all of them when it has ended."""
STATE_WORDS = {
    "running": "running",
    "done": "done",
    "stopped": "stopped",
    "capped": "stopped at the cost cap",
    "failed": "failed",
}
CALL_WORDS = {"sync": "complete", "stream": "streamed"}


def idle() -> str:
    """The progress line before anything was run."""
    return _progress(0, 1, "Not running.", state="idle", said="")


def empty() -> str:
    """What stands in the place of the verdict before there is one."""
    return (
        '<section class="verdict none" aria-label="Verdict"><p class="lead">How much sooner does streaming show the '
        "first text?</p><p>Run an experiment: every prompt is asked in pairs, once complete and once streamed, in a "
        "balanced random order. Here will stand a sentence with its 95 % interval, what was measured, a plot with "
        "every pair, and a table.</p></section>"
    )


def running() -> str:
    """The same while an experiment runs: nobody should judge by half of it."""
    return (
        '<section class="verdict none" aria-label="Verdict"><p class="lead">Measuring.</p>'
        "<p>The verdict comes when all pairs are done. Stop keeps the pairs that are done until then.</p></section>"
    )


def no_plot(words: str = "The plots appear here when an experiment has ended.") -> str:
    """What stands in the place of the plots."""
    return f'<section class="plots none" role="group" aria-label="Plots"><p class="note">{escape(words)}</p></section>'


def problem(sentence: str, field: str = "") -> str:
    """Why nothing was started, or what is missing; `latency.js` also puts it at the widget it belongs to."""
    return f'<p class="problem" role="alert" data-field="{escape(field)}">{escape(sentence)}</p>' if sentence else ""


# --- progress ---------------------------------------------------------------------------------------------------------


def progress(update: ExperimentUpdate) -> str:
    """The bar, and in words how far it is and how long it will take."""
    parts = [f"{update.done} of {present.many(update.total, 'call')}"]
    if update.ended:
        parts = [f"{STATE_WORDS[update.state].capitalize()}: {parts[0]} in {present.clock(update.elapsed_s)}"]
    elif update.now is None:
        parts.append("starting")
    else:
        parts.append(_under_way(update))
        parts.append("estimating the time left" if update.left_s is None else f"about {_left(update.left_s)} left")
    if spent := _spent(update):
        parts.append(spent)
    said = "Experiment running." if not update.ended else f"Experiment {STATE_WORDS[update.state]}."
    return _progress(update.done, update.total, " · ".join(parts), state=update.state, said=said)


def shelved(settings: Mapping[str, Any]) -> str:
    """The same for an experiment out of the log."""
    made, total = int(settings.get("calls_made", 0)), int(settings.get("calls_planned", 1))
    state = str(settings.get("state", ""))
    words = f"{STATE_WORDS.get(state, 'ended').capitalize()}: {made} of {present.many(total, 'call')}"
    if state == "running":
        words = f"Cut short: {made} of {present.many(total, 'call')}"
    return _progress(made, total, words, state=state, said="")


def _under_way(update: ExperimentUpdate) -> str:
    assert update.now is not None
    pairs = len(update.settings.models) * update.settings.pairs
    what = f"pair {update.now.pair} of {pairs}" if update.now.pair else "warm-up"
    return f"{what}, {CALL_WORDS[update.now.mode]} call"


def _left(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"


def _spent(update: ExperimentUpdate) -> str:
    spend = update.spend
    if spend.usd is None:
        return f"cost {present.DASH}"
    if spend.usd == 0:
        return ""
    unsure = (
        f", of which {present.money(spend.possibly_billed_usd)} possibly billed" if spend.possibly_billed_usd else ""
    )
    return f"{present.money(spend.usd)} spent{unsure}"


def _progress(done: int, total: int, words: str, *, state: str, said: str) -> str:
    percent = 100 * done / max(1, total)
    return (
        f'<div class="experiment-progress" data-state="{state}" role="group" aria-label="Progress of the experiment">'
        f'<div class="bar" role="progressbar" aria-label="Calls done" aria-valuemin="0" aria-valuemax="{total}"'
        f' aria-valuenow="{done}" aria-valuetext="{escape(words)}">'
        f'<span class="fill" style="width:{percent:.1f}%"></span></div>'
        f'<p class="words">{escape(words)}</p><p class="sr-only" role="status">{escape(said)}</p></div>'
    )


# --- pairs ------------------------------------------------------------------------------------------------------------


def pair_rows(records: Sequence[RunRecord], labels: Labels, *, live: bool = False) -> str:
    """A row for each pair, in their order when all are there. While they come in the newest first, and no row for the
    one that is under way."""
    pairs = pairs_of(records)
    found: list[Pair | VoidedPair] = sorted((*pairs.counted, *pairs.voided), key=lambda pair: pair.pair_id)
    if live:
        found = [pair for pair in found if pair.complete is not None and pair.streamed is not None]
    if not found:
        return ""
    shown = found[::-1][:LIVE_ROWS] if live else found
    models = len({record.request_model for record in records}) > 1
    heads = ["Pair", *(["Model"] if models else []), "Prompt", "First asked", "Complete, total (s)"]
    heads += ["Streamed, first text (s)", "Streamed, total (s)", "First text sooner by (s)", "Note"]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    rows = "".join(_row(pair, labels, models=models) for pair in shown)
    title = f"The last {len(shown)} of {len(found)} pairs" if live and len(found) > len(shown) else "Pairs"
    return (
        f'<section class="pairs"><h3>{title}</h3><div class="scroll" tabindex="0" role="region" aria-label="Pairs">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _row(pair: Pair | VoidedPair, labels: Labels, *, models: bool) -> str:
    complete, streamed = pair.complete, pair.streamed
    one = complete or streamed
    if one is None:
        return ""
    whole_s = complete.duration_s if complete and complete.status == "completed" else None
    first_s = streamed.time_to_visible_s if streamed else None
    sooner_s = whole_s - first_s if whole_s is not None and first_s is not None else None
    reason = pair.reason if isinstance(pair, VoidedPair) else ""
    error = next((each.error_message for each in (complete, streamed) if each and each.error_message), "")
    first = min((each for each in (complete, streamed) if each), key=lambda each: each.order_in_pair or 0)
    cells = [pair.pair_id.rpartition("-")[2].lstrip("0"), *([labels(one.request_model)] if models else [])]
    numbers = (whole_s, first_s, streamed.duration_s if streamed else None, sooner_s)
    prompt = without_nonce(one.prompt) or present.DASH
    return (
        f'<tr data-void="{str(bool(reason)).lower()}">'
        + "".join(f'<td class="label" title="{escape(cell)}">{escape(cell)}</td>' for cell in cells)
        + f'<td class="prompt" title="{escape(prompt[:300])}">{escape(prompt[:80])}</td>'
        + f"<td>{CALL_WORDS[first.mode]}</td>"
        + "".join(f'<td class="number">{_seconds(value)}</td>' for value in numbers)
        + f'<td class="note" title="{escape(error)}">{escape(f"left out: {reason}" if reason else "")}</td></tr>'
    )


def _seconds(value: float | None) -> str:
    return present.DASH if value is None else f"{value:.3f}".replace("-", MINUS)
