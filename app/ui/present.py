"""How figures and states are said on the page: plain text, the same words everywhere. No gradio and no HTML here.

Missing is a dash, never 0. What is estimated carries ≈. Below one second times are milliseconds, above it seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from app.live import RunUpdate, State
from app.ui.words import ENDINGS, FLAGS, NO_COST
from metrics.progress import ProgressEstimate
from metrics.record import RunRecord
from metrics.token_rate import RateStatus
from providers.places import BackendStatus

DASH = "–"
ABOUT = "≈ "
IN_LINE_S = 0.01
"""From where on the wait for a free model is worth a word."""

_ADVICE = re.compile(r"(?<=\.) (Try again|Wait a moment)[^.]*\.$")
"""What an error says to do; while the run itself tries again there is nothing to do."""

MAIN_STATES: dict[State, str] = {
    "waiting": "waiting",
    "retrying": "waiting",
    "thinking": "waiting",
    "streaming": "streaming",
    "stalled": "stalled",
    "done": "done",
    "stopped": "stopped",
    "failed": "failed",
}
"""The six words of the status line."""


# --- single figures ---------------------------------------------------------------------------------------------------


def seconds(value: float | None) -> str:
    """A measured time: `412 ms`, `7.41 s`."""
    if value is None:
        return DASH
    if value >= 0.9995 or value <= -0.9995:
        return f"{value:.2f} s"
    return f"{value * 1000:.0f} ms"


def clock(value: float) -> str:
    """A time that is still running, with as many digits as can be read while it runs: `3.2 s`, `1:04`."""
    return f"{value:.1f} s" if value < 60 else f"{int(value) // 60}:{int(value) % 60:02d}"


def count(value: float | None, *, estimated: bool = False) -> str:
    """A number of things: `1,204`, `≈ 410`."""
    return DASH if value is None else f"{ABOUT if estimated else ''}{value:,.0f}"


def rate(value: float | None, *, estimated: bool = False) -> str:
    """Tokens per second: `62 tok/s`; one digit more below ten."""
    if value is None:
        return f"{DASH} tok/s"
    return f"{ABOUT if estimated else ''}{value:.{0 if value >= 9.95 else 1}f} tok/s"


def money(value: float | None) -> str:
    """US dollars: `$0.0031`, `$1.20`."""
    if value is None:
        return DASH
    if value == 0:
        return "$0"
    if value < 0.00005:
        return "< $0.0001"
    return f"${value:.4f}" if value < 0.1 else f"${value:.2f}"


def many(number: int, noun: str) -> str:
    """`1 token`, `12 tokens`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# --- the line of figures under an answer ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure in words, and what exactly it means."""

    text: str
    meaning: str
    name: Literal["queue", "first", "rate", "tokens", "total", "cost", "note"] = "note"


def figures(update: RunUpdate) -> tuple[Figure, ...]:
    """The wait in line if there was one, then first text, rate, tokens, total, cost of an answer that ended; while it
    flows those that are known by then."""
    record = update.record
    total_s = record.duration_s if record else None
    if not update.ended:
        return (*_queue(update), _first_text(update, total_s), _tokens(update))
    return (
        *_queue(update),
        _first_text(update, total_s),
        _rate(update),
        _tokens(update),
        Figure(
            f"{seconds(total_s)} total",
            f"{_since(update)} until the answer was complete, on the server's clock",
            "total",
        ),
        _cost(update),
    )


def _queue(update: RunUpdate) -> tuple[Figure, ...]:
    """Nothing where the model was free: that is no wait."""
    if update.queued_s is None or update.queued_s < IN_LINE_S:
        return ()
    meaning = "In line, while this machine's model worked on other answers; no other time has it in it"
    return (Figure(f"queued {seconds(update.queued_s)}", meaning, "queue"),)


def _since(update: RunUpdate) -> str:
    return "From the end of the wait in line" if _queue(update) else "From the call"


def _first_text(update: RunUpdate, total_s: float | None) -> Figure:
    if update.mode == "sync":
        meaning = "A complete answer is there all at once: its first text is its last"
        came = f"first text {seconds(total_s)}, all at once" if update.text else f"first text {DASH}"
        return Figure(came, meaning, "first")
    meaning = f"{_since(update)} until the first visible text arrived"
    return Figure(f"first text {seconds(update.first_text_s)}", meaning, "first")


def _rate(update: RunUpdate) -> Figure:
    record = update.record
    if record is None:
        return Figure(rate(None), "Known when the answer has ended", "rate")
    if update.mode == "sync":
        value, meaning = record.output_tokens_per_s, "Output tokens divided by the total time, the wait included"
        return Figure(f"{rate(value, estimated=not update.tokens_reported)} overall", meaning, "rate")
    value = record.decode_tokens_per_s
    meaning = "Tokens per second after the first chunk; not given under 40 tokens or 0.2 s of flow"
    return Figure(rate(value, estimated=not update.tokens_reported), meaning, "rate")


def _tokens(update: RunUpdate) -> Figure:
    source = "as the service reported" if update.tokens_reported else "estimated from the text"
    tokens = update.tokens
    word = "token" if tokens == 1 else "tokens"
    return Figure(f"{count(tokens, estimated=not update.tokens_reported)} {word}", f"Output tokens, {source}", "tokens")


def _cost(update: RunUpdate) -> Figure:
    record = update.record
    if record is not None and record.backend == "local":
        return Figure(NO_COST, "A model of this machine is not paid for", "cost")
    if record is None or record.cost_usd is None:
        return Figure(f"cost {DASH}", "No list price is known for this model", "cost")
    return Figure(money(record.cost_usd), f"Cost at list price ({record.price_source})", "cost")


def badges(update: RunUpdate) -> tuple[str, ...]:
    """What a reader must know before comparing this answer with others."""
    flags = update.record.flags if update.record else ()
    again, on = update.resets > 0, update.resumed
    found = {
        ENDINGS["cancelled"]: update.state == "stopped",
        ENDINGS["interrupted"]: update.state == "failed" and bool(update.text),
        "simulated": update.simulated,
        FLAGS["truncated"]: "truncated" in flags,
        FLAGS["buffered_stream"]: "buffered_stream" in flags,
        "broke off, begun again": again,
        "broke off, continued": on and not again,
        FLAGS["retried"]: "retried" in flags and not (again or on),
        FLAGS["cold"]: "cold" in flags,
    }
    return tuple(word for word, applies in found.items() if applies)


# --- while it runs ----------------------------------------------------------------------------------------------------


def status_detail(update: RunUpdate) -> str:
    """What stands beside the status word; empty where the word says it all."""
    match update.state:
        case "retrying" if update.retry is not None:
            reason = _ADVICE.sub("", update.retry.reason)
            return f"attempt {update.retry.attempt} of {update.retry.of}: {reason}"
        case "thinking":
            return "the model is thinking"
        case "stalled":
            return f"nothing came for {update.silence_s or 0:.0f} s"
        case "waiting" if update.ahead is not None:
            return f"queued, {update.ahead} ahead" if update.ahead else "queued, next in line"
        case "waiting" if update.mode == "sync":
            return "for the whole answer"
        case "waiting":
            return "for the first text"
        case _:
            return ""


def live_rate(status: RateStatus | None) -> str:
    """The speed of the last seconds and the average beside it; both are estimates while the answer flows."""
    if status is None:
        return ""
    if status.instantaneous_per_s is None:
        return f"{DASH} tok/s"
    now = rate(status.instantaneous_per_s, estimated=True)
    average = status.average_per_s
    return now if average is None else f"{now} · average {average:.{0 if average >= 9.95 else 1}f}"


def pace(status: RateStatus | None) -> str:
    """A sentence where the answer is slow, else nothing."""
    return status.message if status else ""


def progress_range(estimate: ProgressEstimate | None) -> str:
    """`about 40–70 %`; nothing before there is a basis."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    if estimate.phase == "longer than usual":
        return "longer than usual"
    low, high = _tens(estimate.low), _tens(estimate.high)
    return f"about {low} %" if low == high else f"about {low}–{high} %"


def _tens(fraction: float) -> int:
    """Whole fives: finer digits would claim what is not known."""
    return max(5, min(95, round(fraction * 20) * 5))


def time_left(estimate: ProgressEstimate | None) -> str:
    """`4–9 s left`; nothing where no speed is known."""
    if estimate is None or estimate.eta_low_s is None or estimate.eta_high_s is None:
        return ""
    low, high = round(estimate.eta_low_s), round(estimate.eta_high_s)
    if high < 1:
        return "about 1 s left"
    if high >= 120:
        return f"{max(1, low // 60)}–{-(-high // 60)} min left"
    if low == high:
        return f"about {high} s left"
    return f"{low}–{high} s left" if low else f"up to {high} s left"


def announcement(update: RunUpdate) -> str:
    """What a screen reader says, once at each step of an answer."""
    match update.state:
        case "done":
            tokens = f"{update.tokens} tokens, " if update.tokens else ""
            return f"Answer complete, {tokens}{update.elapsed_s:.1f} seconds."
        case "stopped":
            return "Answer stopped. The text so far is kept."
        case "failed":
            return f"Answer failed. {update.failure.sentence if update.failure else ''}".strip()
        case "streaming" | "stalled":
            return "The first text has arrived."
        case _:
            return "Waiting for the answer."


# --- both ways of asking ----------------------------------------------------------------------------------------------


def saving(complete: RunUpdate | None, streamed: RunUpdate | None) -> str:
    """One sentence about what streaming took away from the wait; empty until both are known."""
    if complete is None or streamed is None or complete.state != "done" or complete.record is None:
        return ""
    whole_s, first_s = complete.record.duration_s, streamed.first_text_s
    if whole_s is None or first_s is None:
        return ""
    sooner_s = whole_s - first_s
    if abs(sooner_s) < 0.05:
        return "First text at the same moment, streamed or not"
    if sooner_s > 0:
        return f"First text {seconds(sooner_s)} sooner with streaming"
    return f"First text {seconds(-sooner_s)} later with streaming, this time"


def lengths_differ(complete: RunUpdate | None, streamed: RunUpdate | None) -> str:
    """A warning where two answers differ so much in length that what was saved is not streaming's doing alone."""
    first, second = (update.tokens if update else None for update in (complete, streamed))
    if not first or not second or max(first, second) < 1.3 * min(first, second):
        return ""
    return (
        f"The answers differ in length ({first:,} and {second:,} tokens): a part of the difference is length, not "
        "streaming."
    )


# --- the surroundings -------------------------------------------------------------------------------------------------


def backend_line(status: BackendStatus, model_label: str) -> str:
    """Who answers, and why, in one line."""
    if status.backend == "local":
        return f"On this machine: {model_label}, {status.reason}"
    parts = [f"AWS {status.region}" if status.region else "AWS"]
    if status.profile:
        parts.append(f"profile {status.profile}")
    if status.endpoint_url:
        parts.append(f"endpoint {host_of(status.endpoint_url)}")
    elif status.reason and not status.profile:
        parts.append(status.reason)
    return " · ".join(parts)


def place_of(record: RunRecord | None) -> str:
    """Where a run was answered; a dash without a run."""
    if record is None:
        return DASH
    if record.backend == "local":
        return "this machine"
    place = f"AWS {record.region}" if record.region else "AWS"
    return f"{place}, endpoint {host_of(record.server_address)}" if record.server_address else place


def host_of(url: str) -> str:
    """Host and port of a URL; `unknown host` where it has none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "unknown host"
    except ValueError:
        return "unknown host"


def not_loaded(url: str) -> str:
    """The note that stands in the place of a picture."""
    return f"[image not loaded: {host_of(url)}]"
