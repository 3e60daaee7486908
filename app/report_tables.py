"""Tables and sentences of a report. Pure; the records come cleaned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from app.ui import present
from app.ui.escaping import escape
from app.ui.markup import MODE_WORDS
from app.ui.words import ENDINGS, NO_COST, flag_words
from metrics.record import RunRecord
from metrics.side_by_side import NOISE_S, best, flow_per_s, lengths_that_differ, longest_silence_s

_TELLING: dict[str, Callable[[RunRecord], str]] = {
    "mode": lambda row: MODE_WORDS[row.mode].lower(),
    "region": lambda row: row.region or "no region",
    "temperature": lambda row: "its own temperature" if row.temperature is None else f"temperature {row.temperature:g}",
    "max tokens": lambda row: f"{row.max_tokens or present.DASH} tokens at most",
    "top-p": lambda row: "its own top-p" if row.top_p is None else f"top-p {row.top_p:g}",
}


def names_of(rows: Sequence[RunRecord]) -> list[str]:
    """A name for each run: its model, and where a model is there twice what differs, or else a number."""
    names = []
    for number, row in enumerate(rows, 1):
        same = [other for other in rows if other.request_model == row.request_model]
        unlike = [say(row) for say in _TELLING.values() if len({say(other) for other in same}) > 1]
        mark = ", ".join(unlike) or f"pane {number}"
        names.append(f"{row.request_model} ({mark})" if len(same) > 1 else row.request_model)
    doubles = {name for name, times in Counter(names).items() if times > 1}
    return [f"{name} (pane {number})" if name in doubles else name for number, name in enumerate(names, 1)]


def comparison_lead(rows: Sequence[RunRecord], names: Sequence[str]) -> str:
    """What can be said of one answer each: who was first, and what to be careful about."""
    whole = [row for row in rows if row.status == "completed"]
    mark = '<span class="badge">simulated</span>' if whole and all(row.simulated for row in whole) else ""
    said = _firsts(rows, names) or "No answer was clearly sooner than the others"
    if len(whole) < 2:
        said = "There are not two whole answers to compare" if rows else "Nothing was asked"
    cautions = "".join(f'<p class="notice">{escape(words)}</p>' for words in _cautions(whole))
    return (
        f'<p class="lead">{mark}{escape(said)}.</p>'
        f'<p class="note">One answer each: this is what happened, no forecast.</p>{cautions}'
    )


def comparison_table(rows: Sequence[RunRecord], names: Sequence[str]) -> str:
    """A row for each run; the best of a column among whole answers says so."""
    columns = [
        ("First text", *_column(rows, _visible_s, present.seconds, noise=NOISE_S)),
        ("Total", *_column(rows, _total_s, present.seconds, noise=NOISE_S)),
        ("Rate", *_column(rows, flow_per_s, present.rate, most=True)),
        ("Longest silence", *_column(rows, longest_silence_s, present.seconds, noise=NOISE_S)),
    ]
    costs = [NO_COST if row.backend == "local" else present.money(row.cost_usd) for row in rows]
    columns.append(("Cost", costs, best(rows, lambda row: row.cost_usd, costs)))
    body = []
    for at, (row, name) in enumerate(zip(rows, names, strict=True)):
        cells = [f"{said[at]}{' · best' if at == first else ''}" for _, said, first in columns]
        body.append([name, ENDINGS[row.status], *cells, _tokens(row), ", ".join(_remarks(row))])
    return table(("Answer", "Ended", *(title for title, *_ in columns), "Tokens", "Remarks"), body)


def _column(
    rows: Sequence[RunRecord],
    value_of: Callable[[RunRecord], float | None],
    say: Callable[[float | None], str],
    *,
    most: bool = False,
    noise: float = 0.0,
) -> tuple[list[str], int | None]:
    """A figure of each run in words, and which of them is the best."""
    said = [say(value_of(row)) for row in rows]
    return said, best(rows, value_of, said, most=most, noise=noise)


def comparison_facts(rows: Sequence[RunRecord]) -> str:
    """Where, when, with what."""
    begun = sorted(row.started_at for row in rows)
    together = all(row.order_in_pair is None for row in rows)
    versions = dict(item for row in rows for item in row.client.items())
    return facts(
        [
            ("When", f"{begun[0][:19].replace('T', ' ')} UTC" if begun else present.DASH),
            ("Order", "all at once" if together else "one after another"),
            ("Where", ", ".join(dict.fromkeys(present.place_of(row) for row in rows)) or present.DASH),
            ("Max tokens", _values(row.max_tokens for row in rows)),
            ("Temperature", _values("the model's own" if row.temperature is None else row.temperature for row in rows)),
            *_known("Service tier", (row.service_tier for row in rows)),
            *_known("Guardrail", (row.guardrail_id for row in rows)),
            ("Measured with", ", ".join(f"{name} {number}" for name, number in versions.items()) or present.DASH),
        ]
    )


def runs_table(rows: Sequence[RunRecord]) -> str:
    """Every run of an experiment, as it went, folded."""
    pairs = {
        pair_id: number for number, pair_id in enumerate(dict.fromkeys(row.pair_id for row in rows if row.pair_id), 1)
    }
    body = [
        [
            row.started_at[11:19],
            "warm-up" if row.phase == "warmup" else str(pairs.get(row.pair_id or "", present.DASH)),
            row.request_model,
            MODE_WORDS[row.mode],
            ENDINGS[row.status],
            present.seconds(row.time_to_visible_s),
            present.seconds(row.duration_s),
            _tokens(row),
            ", ".join(_remarks(row)),
        ]
        for row in rows
    ]
    heads = ("Began (UTC)", "Pair", "Model", "Asked", "Ended", "First text", "Total", "Tokens", "Remarks")
    return f"<details><summary>{present.many(len(rows), 'run')}</summary>{table(heads, body)}</details>"


def table(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table of texts."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    lines = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in body
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Table">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def facts(told: Sequence[tuple[str, str]]) -> str:
    """Names and values."""
    return f"<dl>{''.join(f'<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>' for name, value in told)}</dl>"


def _firsts(rows: Sequence[RunRecord], names: Sequence[str]) -> str:
    """Whose text began first, and who was done first."""
    said = []
    for what, value_of in (("first text soonest", _visible_s), ("done first", _total_s)):
        words, first = _column(rows, value_of, present.seconds, noise=NOISE_S)
        if first is not None:
            said.append((names[first], f"{what}, {words[first]}"))
    if len({who for who, _ in said}) == 1:
        return f"{said[0][0]}: {' and '.join(what for _, what in said)}"
    return "; ".join(f"{who}: {what}" for who, what in said)


def _cautions(whole: Sequence[RunRecord]) -> list[str]:
    said = []
    if 0 < sum(row.simulated for row in whole) < len(whole):
        said.append("Simulated answers stand beside real ones: their times are made up, and they are never the best.")
    if lengths := lengths_that_differ(whole):
        said.append(
            f"The answers differ in length ({lengths[0]:,} to {lengths[1]:,} tokens): a part of the difference in "
            "total time is length."
        )
    here = [row for row in whole if row.backend == "local" and not row.simulated and row.order_in_pair is None]
    if len(here) > 1:
        said.append("Several answers came from one machine at the same time: they took each other's processor.")
    return said


def _remarks(row: RunRecord) -> list[str]:
    simulated = ["simulated"] if row.simulated else []
    failed = [row.error_message] if row.error_message else []
    return [*simulated, *flag_words(row.flags), *failed]


def _tokens(row: RunRecord) -> str:
    if row.output_tokens is not None and row.tokens_source == "usage":
        return present.count(row.output_tokens)
    return present.count(row.tokens_estimated, estimated=True)


def _values(values: Iterable[Any]) -> str:
    """The values that are known, each once."""
    known = dict.fromkeys(
        f"{value:g}" if isinstance(value, float) else str(value) for value in values if value is not None
    )
    return ", ".join(known) or present.DASH


def _known(name: str, values: Iterable[Any]) -> list[tuple[str, str]]:
    """A fact that only some runs have."""
    words = _values(values)
    return [] if words == present.DASH else [(name, words)]


def _visible_s(row: RunRecord) -> float | None:
    return row.time_to_visible_s


def _total_s(row: RunRecord) -> float | None:
    return row.duration_s
