"""A report of an experiment or a comparison: one HTML file with everything in it, verdict first, that opens anywhere
and asks nobody for anything.

It holds no account id, key, path or login (`app.redaction`); on request neither prompts nor answers: then the replay
shows blocks in their place. What was simulated says so. A policy in the file forbids the browser any request and any
script but the one that plays. Records with chunks (`bulky=True`) are wanted for the replay. Nothing is sent or written
here: a report is a string.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app import __version__
from app.redaction import cleaned, cleaned_settings, told
from app.report_tables import comparison_facts, comparison_lead, comparison_table, names_of, runs_table
from app.ui.escaping import escape
from app.ui.latency_result import Outcome, verdict_html
from app.ui.plots import drawing
from app.ui.replay import replay_html
from app.ui.words import NO_TEXT
from metrics.charts import distribution, gaps, paired_lines, shared_axis, timeline_of
from metrics.pairs import Pair, pairs_of
from metrics.record import RunRecord, clean_text
from metrics.silences import silences_of
from metrics.svg import Chart
from metrics.texts import texts_of

HERE = Path(__file__).parent
ASSETS = HERE / "ui/assets"
STYLES = (HERE / "report_assets/report.css", *(ASSETS / f"{name}.css" for name in ("markdown", "plots", "replay")))
SCRIPT = ASSETS / "replay.js"
PLOTTED_MODELS = 6
"""More models than this make a report of hundreds of kilobytes that nobody reads; their numbers are all there."""

Section = tuple[str, str]
"""A heading and HTML."""


def experiment_report(records: Sequence[RunRecord], settings: Mapping[str, Any], texts: bool = True) -> str:
    """The report of one experiment: its runs oldest first, warm-up included, and its settings as stored."""
    rows, settings = [cleaned(record) for record in records], cleaned_settings(settings)
    models = list(dict.fromkeys(row.request_model for row in rows if row.phase != "warmup"))
    verdict = verdict_html(Outcome(settings=settings, records=rows), lambda model_id: told(model_id))
    sections: list[Section] = [("Verdict", verdict)]
    if texts:
        sections.append(("What was asked", _asked(settings.get("prompts", ()), settings.get("system"), rows)))
    drawn, played = [], []
    for model_id in models[:PLOTTED_MODELS]:
        pairs = pairs_of(rows, model_id).counted
        drawn += _plots(pairs, model_id if len(models) > 1 else "")
        if pair := _middle(pairs):
            played.append(replay_html(pair.streamed, texts=texts, play=False))
    sections.append(("Plots", f'<div class="drawings">{"".join(drawn)}</div>' if drawn else _none("no pair counts")))
    sections.append(("Replay", _replays(played, rows)))
    sections.append(("Every run", runs_table(rows)))
    return report_html(f"Complete and streamed answers: {', '.join(models) or 'an experiment'}", *sections)


def comparison_report(records: Sequence[RunRecord], texts: bool = True) -> str:
    """The report of one comparison: the runs of its panes, in their order."""
    rows = [cleaned(record) for record in records]
    names = names_of(rows)
    axis = shared_axis(rows)
    charts = [timeline_of(row, axis) for row in rows]
    drawn = [drawing(chart, name) for chart, name in zip(charts, names, strict=True) if chart.svg]
    asked = list(dict.fromkeys(row.prompt for row in rows))
    systems = list(dict.fromkeys(row.system_prompt for row in rows if row.system_prompt))
    played = [replay_html(row, title=name, texts=texts, play=False) for row, name in zip(rows, names, strict=True)]
    sections: list[Section] = [
        ("Verdict", comparison_lead(rows, names)),
        ("Figures", comparison_table(rows, names)),
        ("What was measured", comparison_facts(rows)),
    ]
    if texts:
        sections.append(("What was asked", _asked(asked, "\n\n".join(systems), rows)))
    sections.append(
        ("Text over time", f'<div class="drawings">{"".join(drawn)}</div>' if drawn else _none("no chunk is known"))
    )
    sections.append(("Replay", _together(played) if len(played) > 1 else _replays(played, rows)))
    return report_html("Answers side by side", *sections)


def report_html(title: str, *sections: Section) -> str:
    """The file. What stands in `sections` is HTML already, `title` is text."""
    script = SCRIPT.read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    body = "".join(f"<section><h2>{escape(heading)}</h2>{content}</section>" for heading, content in sections)
    return clean_text(
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}</title><style>{''.join(path.read_text('utf-8') for path in STYLES)}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}"
        f"<footer>Made with Streaming playground {__version__}. Times are those of the machine that asked, from the "
        f"call on.</footer></main><script>{script}</script></body></html>\n"
    )


def _asked(prompts: Sequence[str], system: str | None, rows: Sequence[RunRecord]) -> str:
    missing = dict.fromkeys(NO_TEXT[texts_of(row)] for row in rows if texts_of(row) != "full")
    notes = "".join(f'<p class="note">{escape(sentence)}</p>' for sentence in missing)
    said = "".join(f'<div class="said" dir="auto">{escape(prompt)}</div>' for prompt in prompts if prompt)
    before = f'<h3>System prompt</h3><div class="said" dir="auto">{escape(system)}</div>' if system else ""
    return notes + said + before


def _plots(pairs: Sequence[Pair], name: str) -> list[str]:
    if not pairs:
        return []
    complete, streamed = (
        [row.time_to_visible_s for row in rows if row.time_to_visible_s is not None]
        for rows in ([pair.complete for pair in pairs], [pair.streamed for pair in pairs])
    )
    between = [gap.length_s for pair in pairs for gap in silences_of(pair.streamed)]
    charts = [paired_lines(pairs), distribution(complete, streamed), *([gaps(between)] if between else [])]
    return [drawing(chart, _titled(chart, name)) for chart in charts]


def _titled(chart: Chart, name: str) -> str:
    return f"{name}: {chart.title}" if name else chart.title


def _middle(pairs: Sequence[Pair]) -> Pair | None:
    """The pair whose streamed answer began at the median time, so that the replay is a usual one."""
    known = [pair for pair in pairs if pair.streamed.time_to_visible_s is not None and pair.streamed.chunks]
    ordered = sorted(known, key=lambda pair: pair.streamed.time_to_visible_s or 0.0)
    return ordered[(len(ordered) - 1) // 2] if ordered else None


def _replays(played: Sequence[str], rows: Sequence[RunRecord]) -> str:
    if not played:
        return _none("the times of the chunks were not read" if rows else "there is no run")
    return "".join(played)


def _together(played: Sequence[str]) -> str:
    """Side by side where there is room, with a button that starts them all at one moment."""
    button = '<p class="play-all"><button type="button" data-do="play-all">Play all</button></p>'
    return f'{button}<div class="replays">{"".join(played)}</div>'


def _none(why: str) -> str:
    return f'<p class="note">There is nothing here: {escape(why)}.</p>'
