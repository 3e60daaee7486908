"""The HTML of an experiment's result: the verdict first, then what it rests on. Pure; everything is escaped here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.experiment_plan import BLOCK
from app.experiment_result import Line, lines, verdicts_in_order
from app.ui import present
from app.ui.escaping import escape
from app.ui.markup import Labels
from app.ui.words import NO_COST
from metrics.comparison import Verdict
from metrics.phrases import aside, headline, percent
from metrics.record import RunRecord
from metrics.stats import CARRIED_FROM, Percentiles

WITH = "with streaming"
PERCENTILES = {
    "time_to_visible.sync": "Complete, first text",
    "time_to_visible.stream": "Streamed, first text",
    "duration.sync": "Complete, total",
    "duration.stream": "Streamed, total",
}
STATES = {
    "stopped": "Stopped before its end; what was done is below.",
    "capped": "Stopped at the cost cap; what was done is below.",
    "running": "Its end is not in the log: the program was ended in between.",
    "failed": "Failed.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An experiment that has ended, as it is shown. `settings` as stored, `records` oldest first, `more` sentences
    that were asked for: a promise, a baseline, two models against each other."""

    settings: Mapping[str, Any]
    records: Sequence[RunRecord]
    more: Sequence[str] = ()
    pinned: bool = False


def verdict_html(outcome: Outcome, labels: Labels) -> str:
    """Everything but plots and pairs."""
    verdicts = verdicts_in_order(outcome.settings, outcome.records)
    several = len(verdicts) > 1
    said = "".join(_verdict(verdict, labels, named=several) for verdict in verdicts)
    if not verdicts:
        said = '<p class="lead">Nothing was measured.</p>'
    more = "".join(f'<p class="more">{escape(sentence)}</p>' for sentence in outcome.more)
    tables = "".join(_numbers(lines(outcome.records, verdict), verdict, labels, named=several) for verdict in verdicts)
    return (
        f'<section class="verdict" aria-label="Verdict">{_state(outcome)}{said}{more}{tables}'
        f"{_facts(outcome, verdicts, labels)}{_notices(outcome)}</section>"
    )


def _state(outcome: Outcome) -> str:
    words = STATES.get(str(outcome.settings.get("state")), "")
    pinned = '<span class="badge">baseline</span>' if outcome.pinned else ""
    return f'<p class="note">{pinned}{escape(words)}</p>' if words or pinned else ""


def _verdict(verdict: Verdict, labels: Labels, *, named: bool) -> str:
    first, total = verdict.effect("time_to_visible"), verdict.effect("duration")
    name = f"<h3>{escape(labels(verdict.model_id or ''))}</h3>" if named else ""
    badge = '<span class="badge">simulated</span>' if verdict.simulated else ""
    if first is None:
        return f'{name}<p class="lead">{badge}{escape(verdict.sentence)}</p>'
    second = f'<p class="second">{escape(_upper(aside(total, WITH)))}.</p>' if total is not None else ""
    void = f'<p class="void">{escape(verdict.left_out)}.</p>' if verdict.left_out else ""
    return f'{name}<p class="lead">{badge}{escape(_together(headline(first, WITH)))}.</p>{second}{void}'


def _together(words: str) -> str:
    """Numbers stay on the line of their units."""
    return re.sub(r"(?<=\d) (?=[a-z%])|(?<=n) (?==)|(?<==) ", "\u00a0", words)


def _upper(words: str) -> str:
    return words[:1].upper() + words[1:]


# --- the numbers ------------------------------------------------------------------------------------------------------


def _numbers(found: Sequence[Line], verdict: Verdict, labels: Labels, *, named: bool) -> str:
    """The tables of a model, folded where there are several."""
    tables = _table(found, verdict)
    return folded(f"Numbers of {labels(verdict.model_id or '')}", tables) if named and tables else tables


def folded(title: str, content: str) -> str:
    """HTML that is there when somebody wants it."""
    return f'<details class="folded"><summary>{escape(title)}</summary><div>{content}</div></details>'


def _table(found: Sequence[Line], verdict: Verdict) -> str:
    if not found:
        return ""
    heads = ("", "Complete", "Streamed", "Difference", f"{percent(verdict.level)} interval")
    rows = [[line.metric, line.complete, line.streamed, line.difference, line.interval] for line in found]
    note = (
        "Difference: complete minus streamed, so that more than 0 means that streaming takes less. The members of each "
        "pair are held against each other."
    )
    return _grid("Medians and differences", heads, rows, note) + _percentiles(verdict.percentiles)


def _percentiles(values: Mapping[str, Percentiles]) -> str:
    """Those that n carries, and from which n on there would be more."""
    shares = [
        share for share in CARRIED_FROM if any(getattr(each, f"p{share}") is not None for each in values.values())
    ]
    rows = [
        [words, *(present.seconds(getattr(values[name], f"p{share}")) for share in shares), f"{values[name].n}"]
        for name, words in PERCENTILES.items()
        if name in values
    ]
    if not rows:
        return ""
    missing: dict[int, list[str]] = {}
    for share, needed in CARRIED_FROM.items():
        if share not in shares:
            missing.setdefault(needed, []).append(f"p{share}")
    later = ", ".join(f"{' and '.join(names)} from {needed} pairs on" for needed, names in missing.items())
    note = f"Shown are the percentiles that so many pairs carry; {later}." if later else ""
    return _grid("Percentiles", ("", *(f"p{share}" for share in shares), "n"), rows, note)


def _grid(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f'<td class="number">{escape(cell)}</td>' for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    words = f'<p class="note">{escape(note)}</p>' if note else ""
    return (
        f'<div class="grid"><h3>{escape(title)}</h3><div class="scroll" tabindex="0" role="region"'
        f' aria-label="{escape(title)}"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        f"{words}</div>"
    )


# --- what was measured ------------------------------------------------------------------------------------------------


def _facts(outcome: Outcome, verdicts: Sequence[Verdict], labels: Labels) -> str:
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in facts_of(outcome, verdicts, labels)
        if value
    )
    return f'<div class="facts"><h3>What was measured</h3><dl>{facts}</dl></div>'


def facts_of(outcome: Outcome, verdicts: Sequence[Verdict], labels: Labels) -> list[tuple[str, str]]:
    """Name and value of everything that a reader needs to believe the verdict, or to repeat it."""
    told, records = outcome.settings, outcome.records
    first = records[0] if records else None
    counted = sum(verdict.n for verdict in verdicts)
    void = sum(sum(verdict.voided.values()) for verdict in verdicts)
    warm = sum(record.phase == "warmup" for record in records)
    temperatures = sorted({record.temperature for record in records if record.temperature is not None})
    client = told.get("client") or {}
    return [
        ("Model" if len(told.get("models", ())) == 1 else "Models", _models(told, labels)),
        ("Where", present.place_of(first)),
        ("When", _when(records)),
        ("Pairs", f"{counted} counted, {void} left out, {told.get('pairs', present.DASH)} asked for each model"),
        ("Ending", _ending(told)),
        ("Warm-up", f"{present.many(warm, 'call')}, not counted"),
        ("Prompts", _prompts(told)),
        (
            "Max tokens",
            f"{told.get('max_tokens', present.DASH)}" + (", length locked" if told.get("length_locked") else ""),
        ),
        ("Temperature", ", ".join(f"{value:g}" for value in temperatures) or "the model's own"),
        (
            "Order",
            f"balanced and random, seed {told.get('seed', present.DASH)}, {told.get('pause_s', 0):g} s between calls",
        ),
        ("Output tokens", _tokens(records)),
        ("Cost", _cost(told, records)),
        ("Conditions", str(told.get("conditions", ""))),
        ("Measured with", ", ".join(f"{name} {number}" for name, number in client.items())),
    ]


def _models(told: Mapping[str, Any], labels: Labels) -> str:
    named = [(labels(model_id), model_id) for model_id in told.get("models", ())]
    return "; ".join(label if label == model_id else f"{label} ({model_id})" for label, model_id in named)


def _ending(told: Mapping[str, Any]) -> str:
    narrow = told.get("narrower_than")
    if narrow is None:
        return ""
    return f"adaptive, when every interval is narrower than {narrow * 100:g} % of its ratio; a look every {BLOCK} pairs"


def _prompts(told: Mapping[str, Any]) -> str:
    named = f", set {told['prompt_set']}" if told.get("prompt_set") else ""
    return f"{len(told.get('prompts', ()))}{named}" + ("" if told.get("nonce") else ", sent as they are")


def _when(records: Sequence[RunRecord]) -> str:
    if not records:
        return present.DASH
    first, last = records[0].started_at, records[-1].started_at
    same = first[:10] == last[:10]
    return f"{first[:10]} {first[11:19]} to {last[11:19] if same else f'{last[:10]} {last[11:19]}'} UTC"


def _tokens(records: Sequence[RunRecord]) -> str:
    sources = {record.tokens_source for record in records if record.tokens_source}
    words = {"usage": "reported by the service", "estimate": "≈ estimated from the text", "tokenizer": "counted here"}
    return ", ".join(words[source] for source in sorted(sources)) or present.DASH


def _cost(told: Mapping[str, Any], records: Sequence[RunRecord]) -> str:
    if records and all(record.backend == "local" for record in records):
        return NO_COST
    spent, unsure = told.get("spent_usd"), told.get("possibly_billed_usd") or 0
    words = present.money(spent)
    return f"{words}, of which {present.money(unsure)} possibly billed" if unsure else words


def _notices(outcome: Outcome) -> str:
    return "".join(f'<p class="notice">{escape(notice)}</p>' for notice in outcome.settings.get("notices", ()))
