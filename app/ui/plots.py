"""A plot on the page or in a report: the drawing, its title, and the same in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from app.ui import present
from app.ui.escaping import escape
from metrics.stages import Stage
from metrics.svg import Chart

NS_PER_MS = 1e6
SHOWN_CHUNKS = 300


def drawing(chart: Chart, title: str = "") -> str:
    """The chart as a figure; under another title where one is given."""
    return (
        f'<figure class="drawing"><figcaption><h3>{escape(title or chart.title)}</h3></figcaption>{chart.svg}'
        f"<p>{escape(chart.words)}</p></figure>"
    )


def waterfall(stages: tuple[Stage, ...]) -> str:
    """The stages of a run, each a bar that begins where the one before it ends; empty without any."""
    total_s = sum(stage.length_s for stage in stages)
    if not total_s:
        return ""
    rows = "".join(
        f'<li title="{escape(stage.meaning)}"><span class="stage-name">{escape(stage.name)}</span>'
        f'<span class="stage-track" aria-hidden="true"><span class="stage-bar" style="margin-left:'
        f'{100 * stage.began_s / total_s:.2f}%;width:{100 * stage.length_s / total_s:.2f}%"></span></span>'
        f'<span class="stage-time">{present.seconds(stage.length_s)}</span></li>'
        for stage in stages
    )
    return (
        f'<section class="waterfall" aria-label="Where the time went"><h4>Where the time went</h4><ol>{rows}</ol>'
        f'<p><span>Total</span><span class="stage-time">{present.seconds(total_s)}</span></p>'
        f"<details><summary>What the stages are</summary><dl>{_meanings(stages)}</dl></details></section>"
    )


def _meanings(stages: tuple[Stage, ...]) -> str:
    return "".join(f"<div><dt>{escape(stage.name)}</dt><dd>{escape(stage.meaning)}</dd></div>" for stage in stages)


def raw_chunks(chunks: Sequence[tuple[int, str, int]]) -> str:
    """The chunks of a run as they were stamped, folded; empty without any. Of a long answer the first ones."""
    if not chunks:
        return ""
    rows, before_ns = [], 0
    for number, (at_ns, kind, chars) in enumerate(chunks[:SHOWN_CHUNKS], 1):
        at, gap = (f"{ns / NS_PER_MS:,.1f}" for ns in (at_ns, at_ns - before_ns))
        rows.append(f"<tr><td>{number}</td><td>{at}</td><td>{gap}</td><td>{escape(kind)}</td><td>{chars}</td></tr>")
        before_ns = at_ns
    rest = len(chunks) - SHOWN_CHUNKS
    more = f"<p>And {rest:,} more.</p>" if rest > 0 else ""
    heads = "".join(
        f'<th scope="col">{name}</th>' for name in ("Chunk", "Since the call (ms)", "Gap (ms)", "Kind", "Characters")
    )
    return (
        f'<details class="raw-chunks"><summary>{present.many(len(chunks), "chunk")}</summary>'
        f'<div class="raw" tabindex="0" role="group" aria-label="Chunks"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>{more}</div></details>"
    )
