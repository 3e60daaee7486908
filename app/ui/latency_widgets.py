"""The widgets of tab Latency: the form above, progress and result below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.ui import latency_view

SAMPLES = (
    "Explain in a few sentences why the sky is blue.",
    "Tell a short story about a lighthouse keeper who collects sounds.",
)
EXPORTS = ("JSON", "CSV", "Report")
INFO = {
    "models": "From the list, or any model ids or ARNs",
    "prompts": "One on each line; the pairs are shared between them",
    "pairs": "Per model, each one complete and one streamed call. 20 is a good start; under 8 there is no interval",
    "cap": "USD. Stops before it could be passed. Empty: none",
    "seed": "Decides the order. Empty: drawn",
    "temperature": "Empty: 0 where the model takes it",
    "warm_up": "Calls of each kind that do not count",
    "narrower": "Ends early when the interval is narrower than this; a look every 10 pairs. Empty: all pairs",
    "nonce": "A few characters at the start of each call, against prompt caches",
    "length_locked": "Asks for more than max tokens lets through, so that both answers of a pair have the same length",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyWidgets:
    """What events read and write. `form` in the order of `latency_form.FIELDS`, `shown` is the id of the experiment
    whose result stands below."""

    form: tuple[Any, ...]
    starts: gr.Textbox
    done: gr.Textbox
    run: gr.Button
    stop: gr.Button
    spend: gr.HTML
    problem: gr.HTML
    progress: gr.HTML
    verdict: gr.HTML
    plot: gr.HTML
    table: gr.HTML
    shown: gr.Textbox
    earlier: gr.Dropdown
    pin: gr.Button
    kind: gr.Radio
    texts: gr.Checkbox
    export: gr.Button
    file: gr.DownloadButton


def place_latency(choices: list[tuple[str, str]], default: str, *, max_tokens: int) -> LatencyWidgets:
    """Places them where it is called. `default` is the model that is chosen at first."""
    shown = gr.Textbox(visible="hidden", elem_id="experiment-shown", label="Experiment shown")
    with gr.Column(elem_id="experiment-form", min_width=0):
        asked = _asked(choices, default, max_tokens)
        with gr.Accordion("More options", open=False, elem_id="experiment-more"):
            more = _more()
        with gr.Row(elem_id="experiment-start", equal_height=False):
            run = gr.Button("Run experiment", variant="primary", elem_id="experiment-run", min_width=0, scale=0)
            stop = gr.Button("Stop", variant="stop", elem_id="experiment-stop", min_width=0, scale=0, interactive=False)
            spend = _drawn("experiment-spend")
        problem = _drawn("experiment-problem")
    progress = _drawn("experiment-progress", latency_view.idle())
    verdict = _drawn("experiment-verdict", latency_view.empty())
    with gr.Row(elem_id="experiment-promise", equal_height=False):
        starts = _number("Promise: starts within (s)", "experiment-starts", "1")
        done = _number("and is done within (s)", "experiment-done", "6")
    plot = _drawn("experiment-plot", latency_view.no_plot())
    table = _drawn("experiment-pairs-table")
    with gr.Row(elem_id="experiment-keep", equal_height=False):
        kind = gr.Radio(
            list(EXPORTS), value="JSON", label="Export as", elem_id="experiment-kind", elem_classes="segmented"
        )
        texts = gr.Checkbox(True, label="With prompts and answers", elem_id="experiment-texts", min_width=140)
        export = gr.Button("Export", elem_id="experiment-export", min_width=0, scale=0)
        earlier = gr.Dropdown([], label="Earlier experiments", elem_id="experiment-earlier", min_width=200)
        pin = gr.Button("Pin as baseline", elem_id="experiment-pin", min_width=0, scale=0, interactive=False)
    return LatencyWidgets(
        form=(*asked, *more),
        starts=starts,
        done=done,
        run=run,
        stop=stop,
        spend=spend,
        problem=problem,
        progress=progress,
        verdict=verdict,
        plot=plot,
        table=table,
        shown=shown,
        earlier=earlier,
        pin=pin,
        kind=kind,
        texts=texts,
        export=export,
        file=gr.DownloadButton("Experiment", visible="hidden", elem_id="experiment-file"),
    )


def _asked(choices: list[tuple[str, str]], default: str, limit: int) -> tuple[Any, ...]:
    with gr.Row(elem_id="experiment-what", equal_height=False):
        models = gr.Dropdown(
            choices,
            value=[default],
            multiselect=True,
            allow_custom_value=True,
            label="Models",
            info=INFO["models"],
            elem_id="experiment-models",
            min_width=220,
        )
        prompts = gr.Textbox(
            "\n".join(SAMPLES),
            label="Prompts",
            info=INFO["prompts"],
            lines=3,
            max_lines=10,
            elem_id="experiment-prompts",
            min_width=260,
            scale=2,
        )
    with gr.Row(elem_id="experiment-size", equal_height=False):
        pairs = _count("Pairs", "experiment-pairs", 20, info=INFO["pairs"])
        max_tokens = _count("Max tokens", "experiment-max-tokens", limit, info="Where an answer is cut")
        cap = _number("Cost cap", "experiment-cap", "", info=INFO["cap"])
    return models, prompts, pairs, max_tokens, cap


def _more() -> tuple[Any, ...]:
    with gr.Row(equal_height=False):
        seed = _number("Seed", "experiment-seed", "", info=INFO["seed"])
        temperature = _number("Temperature", "experiment-temperature", "", info=INFO["temperature"])
        pause = _number("Pause (s)", "experiment-pause", "0.5", info="Between two calls")
        warm_up = _count("Warm-up", "experiment-warm-up", 1, info=INFO["warm_up"])
        narrower = _number("Until within (%)", "experiment-narrower", "", info=INFO["narrower"])
    system = gr.Textbox(label="System prompt", lines=1, max_lines=6, elem_id="experiment-system")
    with gr.Row(equal_height=False):
        nonce = gr.Checkbox(True, label="Begin each call differently", info=INFO["nonce"], elem_id="experiment-nonce")
        locked = gr.Checkbox(
            False, label="Lock the length", info=INFO["length_locked"], elem_id="experiment-length-locked"
        )
    return seed, temperature, system, pause, warm_up, narrower, nonce, locked


def _count(label: str, elem_id: str, value: int, *, info: str) -> gr.Number:
    return gr.Number(value, label=label, info=info, step=1, elem_id=elem_id, min_width=110)


def _number(label: str, elem_id: str, value: str, *, info: str | None = None) -> gr.Textbox:
    """A box for a number that may be empty, which a number box may not."""
    return gr.Textbox(
        value,
        label=label,
        info=info,
        max_lines=1,
        elem_id=elem_id,
        elem_classes="numeric",
        min_width=110,
    )


def _drawn(elem_id: str, html: str = "") -> gr.HTML:
    return gr.HTML(html, elem_id=elem_id, apply_default_css=False)
