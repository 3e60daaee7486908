"""One row of the run log, opened: what was asked, what came, the figures, and where the time went. Pure."""

from __future__ import annotations

from app.ui import present
from app.ui.escaping import escape
from app.ui.markdown import to_html
from app.ui.markup import MODE_WORDS
from app.ui.plots import drawing, raw_chunks, waterfall
from app.ui.replay import reader_line
from app.ui.words import NO_TEXT
from metrics.charts import timeline_of
from metrics.record import RunRecord
from metrics.stages import stages_of
from metrics.texts import texts_of


def details(record: RunRecord) -> str:
    """The run as a card."""
    marks = "".join(f'<span class="badge">{escape(mark)}</span>' for mark in _marks(record))
    figures = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in _figures(record))
    error = f'<p class="problem">{escape(record.error_message)}</p>' if record.error_message else ""
    return (
        '<section class="run" aria-label="Run"><h3 class="who">'
        f'<span class="way">{MODE_WORDS[record.mode]}</span><span class="model">{escape(record.request_model)}</span>'
        f"{marks}</h3><dl>{figures}</dl>"
        f"{_said(record, error)}{_over_time(record)}</section>"
    )


def _said(record: RunRecord, error: str) -> str:
    """What was asked and what came; of texts that were not kept, what is left of them."""
    kept = texts_of(record)
    if kept == "full":
        answer = f'<div class="md" dir="auto">{to_html(record.response)}</div>' if record.response else ""
        return f'<div class="bubble" dir="auto">{escape(record.prompt)}</div>{error}{answer}'
    named = {"Prompt": record.prompt, "Answer": record.response}
    prints = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in named.items() if value)
    listed = f'<dl class="fingerprints">{prints}</dl>' if prints else ""
    return f'<p class="note">{escape(NO_TEXT[kept])}</p>{listed}{error}'


def _over_time(record: RunRecord) -> str:
    """Stages and timeline; how a reader fared; the chunks as they were stamped."""
    reader = reader_line(record)
    told = f'<p class="note">{escape(reader)}</p>' if reader else ""
    chart = timeline_of(record)
    raw = raw_chunks(record.chunks or ()) if record.mode == "stream" else ""
    drawn = drawing(chart) if chart.svg else ""
    return f'<div class="over-time">{waterfall(stages_of(record))}{drawn}</div>{told}{raw}'


def _marks(record: RunRecord) -> list[str]:
    simulated = ["simulated"] if record.simulated else []
    return [record.status, *simulated, *(flag.replace("_", " ") for flag in record.flags)]


def _figures(record: RunRecord) -> list[tuple[str, str]]:
    estimated = record.tokens_source != "usage"
    tokens = record.tokens_estimated if record.output_tokens is None else record.output_tokens
    queued = [("In line", present.seconds(record.queued_s))] if (record.queued_s or 0.0) >= present.IN_LINE_S else []
    return [
        *queued,
        ("First text", present.seconds(record.time_to_first_visible_s)),
        ("Total", present.seconds(record.duration_s)),
        ("Flow", present.rate(record.decode_tokens_per_s, estimated=estimated)),
        ("Overall", present.rate(record.output_tokens_per_s, estimated=estimated)),
        ("Input tokens", present.count(record.input_tokens)),
        ("Output tokens", present.count(tokens, estimated=estimated)),
        ("Chunks", present.count(record.chunk_count)),
        ("Longest gap", present.seconds(record.inter_chunk_max_s)),
        ("Service's own time", present.seconds(record.server_latency_s)),
        ("Cost", present.money(record.cost_usd)),
    ]
