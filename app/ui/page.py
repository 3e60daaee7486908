"""The page as a whole: header, settings, tabs; and what Gradio wants to know when it is mounted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from app.services import Services
from app.ui import present
from app.ui.chat import build_chat
from app.ui.compare import build_compare
from app.ui.escaping import escape
from app.ui.events import most_events
from app.ui.latency import build_latency
from app.ui.markup import Labels
from app.ui.runs import build_runs
from app.ui.settings_panel import build_settings
from app.ui.verbs import add_verbs

TITLE = "Streaming playground"
QUEUE_NEWS_EVERY_S = 1.0
"""Gradio's default tells everybody in its queue at every step of it: of a hundred questions at once the last began 2 s
later for it (measured with 6.31, `benchmarks.load --through page`)."""
ASSETS = Path(__file__).with_name("assets")
STYLES = ("playground.css", "markdown.css", "compare.css", "latency.css", "runs.css", "plots.css", "replay.css")
SCRIPTS = ("playground.js", "compare.js", "latency.js", "runs.js", "replay.js")
SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Liberation Mono", "monospace")


def build_page(services: Services) -> gr.Blocks:
    """The page over these services, ready to be mounted with `page_options()`."""
    labels = labels_of(services)
    page: gr.Blocks = gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600))
    with (
        page,
        gr.Column(elem_id="page", min_width=0),
    ):
        gr.HTML(header(services, labels), elem_id="page-header", apply_default_css=False)
        with gr.Row(elem_id="shell", equal_height=False):
            settings = build_settings(page, services)
            with gr.Column(elem_id="main", min_width=0), gr.Tabs(elem_id="tabs"):
                with gr.Tab("Chat", id="chat") as chat_tab:
                    asked = build_chat(page, services, settings, labels)
                with gr.Tab("Compare", id="compare") as compare_tab:
                    build_compare(services, compare_tab, labels)
                with gr.Tab("Latency", id="latency") as latency_tab:
                    build_latency(services, latency_tab, labels)
                with gr.Tab("Runs", id="runs") as runs_tab:
                    build_runs(services, runs_tab, asked)
        add_verbs(services)
        tabs = {"chat": chat_tab, "compare": compare_tab, "latency": latency_tab, "runs": runs_tab}
        for name, tab in tabs.items():
            tab.select(None, None, None, js=f"() => {{ window.playground.tab('{name}'); }}")
    page.max_threads = most_events(services.runner)
    page.queue(default_concurrency_limit=16, max_size=200, status_update_rate=QUEUE_NEWS_EVERY_S)
    return page


def page_options() -> dict[str, Any]:
    """Theme, style and script: in Gradio 6 these are arguments of `mount_gradio_app`."""
    scripts = "\n".join((ASSETS / name).read_text("utf-8") for name in SCRIPTS)
    return {
        "theme": theme(),
        "css": "\n".join((ASSETS / name).read_text("utf-8") for name in STYLES),
        "head": f"<script>\n{scripts}\n</script>",
    }


def theme() -> gr.themes.Base:
    """The stock base theme with the fonts of the system; the colours are in the style sheet, for light and dark."""
    return gr.themes.Base(font=list(SANS), font_mono=list(MONO))


def labels_of(services: Services) -> Labels:
    """Names of the models that can be chosen now: the account's answer may come after the page was built. Any other
    id is its own name."""
    return lambda model_id: next(
        (model.label for model in services.backends.models() if model.id == model_id), model_id
    )


def header(services: Services, labels: Labels) -> str:
    """Name, backend and the two switches of the page."""
    status = services.backends.status
    model = labels(services.backends.default_model()).removesuffix(" (on this machine)")
    line = escape(present.backend_line(status, model))
    return (
        '<header class="top">'
        '<button type="button" class="switch" data-act="settings" aria-controls="settings" aria-expanded="true"'
        f' aria-label="Settings" title="Settings">{_icon(_SLIDERS)}</button>'
        f"<h1>{TITLE}</h1>"
        f'<p id="backend-status" data-backend="{status.backend}" role="group" aria-label="Backend">'
        f'<span class="dot" aria-hidden="true"></span><span>{line}</span></p>'
        '<button type="button" class="switch" data-act="theme" aria-pressed="false" aria-label="Dark mode"'
        f' title="Dark mode">{_icon(_MOON)}</button></header>'
    )


_SLIDERS = '<path d="M4 7h10M18 7h2M4 17h2M10 17h10"/><circle cx="16" cy="7" r="2"/><circle cx="8" cy="17" r="2"/>'
_MOON = '<path d="M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z"/>'


def _icon(shape: str) -> str:
    return (
        '<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{shape}</svg>'
    )
