"""A plot on the page or in a report: the drawing, its title, and the same in words. Pure."""

from __future__ import annotations

from app.ui import present
from app.ui.escaping import escape
from metrics.stages import Stage
from metrics.svg import Chart


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
        f'<p><span>Total</span><span class="stage-time">{present.seconds(total_s)}</span></p></section>'
    )
