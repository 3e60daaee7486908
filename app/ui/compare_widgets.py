"""The widgets of tab Compare: six panes that are placed at once, of which as many show as are asked for, and the dock.

A pane that is not shown is there all the same, hidden by the style sheet: showing it needs no new component.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.fan_in import MAX_LANES
from app.services import Services
from app.ui import compare_view
from app.ui.asking import capabilities_of
from app.ui.settings_panel import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_TEMPERATURE,
    choices,
    max_tokens_info,
    temperature_of,
)
from providers.connect import Backends
from providers.model_ids import parse_model_id
from providers.types import Capabilities

KEYS = "Ctrl+Enter runs all · Esc stops all"
TOGETHER = "All at once"
IN_TURN = "One after another"
WITHOUT_AWS = "No AWS account here: all panes run on this machine, so there is no region and no profile to choose."
_PAINTED = "watch('value', () => window.playground.compare.painted());"
_ACTIONS = "window.playground.compare.actions(element, trigger);"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneWidgets:
    """One pane from its head to its figures."""

    head: gr.HTML
    model: gr.Dropdown
    mode: gr.Radio
    temperature: gr.Number
    max_tokens: gr.Number
    system: gr.Textbox
    region: gr.Dropdown
    profile: gr.Dropdown
    output: gr.HTML
    stats: gr.HTML

    @property
    def inputs(self) -> list[Any]:
        """In the order of `compare_form.FIELDS`."""
        return [self.model, self.mode, self.temperature, self.max_tokens, self.system, self.region, self.profile]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareWidgets:
    """What events read and write. `acts` is where small buttons of the drawn parts become events."""

    key: gr.Textbox
    count: gr.Number
    acts: gr.HTML
    tabs: gr.HTML
    panes: tuple[PaneWidgets, ...]
    summary: gr.HTML
    state: gr.HTML
    problem: gr.HTML
    prompt: gr.Textbox
    run: gr.Button
    stop: gr.Button
    add: gr.Button
    order: gr.Radio
    same: gr.Checkbox
    blind: gr.Checkbox
    file: gr.DownloadButton

    @property
    def settings(self) -> list[Any]:
        """The inputs of all panes, pane by pane."""
        return [widget for pane in self.panes for widget in pane.inputs]


def first_models(backends: Backends) -> list[str]:
    """A model for each pane there may be, every one another: real ones of AWS where it answers, beginning with the
    default and with vendors that differ, else simulated ones, which share no processor."""
    offered = backends.models()
    kind = [info.id for info in offered if info.backend == "aws"] or [info.id for info in offered if info.simulated]
    default = backends.default_model()
    ranked = [default, *(other for other in kind if other != default)] if default in kind else kind
    vendors: dict[str, str] = {}
    for model_id in ranked:
        vendors.setdefault(parse_model_id(model_id).vendor or model_id, model_id)
    ahead = list(vendors.values())
    return [*ahead, *(model_id for model_id in ranked if model_id not in ahead)][:MAX_LANES]


def place_compare(services: Services) -> CompareWidgets:
    """Places them where it is called."""
    with gr.Column(elem_id="compare", min_width=0):
        key = gr.Textbox(visible="hidden", elem_id="compare-key", label="Comparison key")
        count = gr.Number(2, visible="hidden", elem_id="compare-count", label="Panes")
        acts = gr.HTML("", elem_id="compare-acts", apply_default_css=False, js_on_load=_ACTIONS)
        models = first_models(services.backends)
        with gr.Row(elem_id="compare-panes", equal_height=False):
            panes = tuple(_pane(services, at, models[at % len(models)]) for at in range(MAX_LANES))
            tabs = _drawn("compare-tabs", "")
        summary = _drawn("compare-summary", "")
        with gr.Column(elem_id="compare-dock", min_width=0):
            state = _drawn("compare-state", "")
            problem = _drawn("compare-problem", "")
            with gr.Row(elem_id="compare-composer", equal_height=False):
                prompt = _prompt()
                run = gr.Button("Run", variant="primary", elem_id="compare-run", min_width=0, scale=0)
                stop = gr.Button("Stop", variant="stop", elem_id="compare-stop", min_width=0, scale=0)
            with gr.Row(elem_id="compare-ways", equal_height=False):
                add = gr.Button("Add pane", elem_id="compare-add", min_width=0, scale=0, size="sm")
                order = gr.Radio(
                    [TOGETHER, IN_TURN],
                    value=TOGETHER,
                    label="Order",
                    show_label=False,
                    elem_id="compare-order",
                    elem_classes="segmented",
                )
                same = gr.Checkbox(True, label="Same settings", elem_id="compare-same")
                blind = gr.Checkbox(False, label="Blind", elem_id="compare-blind")
                gr.HTML(f'<p class="hint">{KEYS}</p>', apply_default_css=False)
        file = gr.DownloadButton("Report", visible="hidden", elem_id="compare-file")
    return CompareWidgets(
        key=key,
        count=count,
        acts=acts,
        tabs=tabs,
        panes=panes,
        summary=summary,
        state=state,
        problem=problem,
        prompt=prompt,
        run=run,
        stop=stop,
        add=add,
        order=order,
        same=same,
        blind=blind,
        file=file,
    )


def _pane(services: Services, at: int, model_id: str) -> PaneWidgets:
    name = f"pane-{at + 1}"
    with gr.Column(elem_id=name, elem_classes="pane", min_width=0):
        head = gr.HTML(compare_view.head(at), elem_classes="pane-head", apply_default_css=False, js_on_load=_PAINTED)
        model = gr.Dropdown(
            choices(services),
            value=model_id,
            label="Model",
            show_label=False,
            allow_custom_value=True,
            elem_id=f"{name}-model",
            elem_classes="pane-model",
        )
        with gr.Column(elem_id=f"{name}-settings", elem_classes="pane-settings", min_width=0):
            settings = _settings(services.backends, capabilities_of(model_id))
        output = gr.HTML(
            [],
            html_template="${value.join('')}",
            elem_id=f"{name}-output",
            elem_classes="pane-output",
            apply_default_css=False,
            js_on_load=_PAINTED,
        )
        stats = gr.HTML(
            "", elem_id=f"{name}-stats", elem_classes="pane-stats", apply_default_css=False, js_on_load=_PAINTED
        )
    return PaneWidgets(head=head, model=model, output=output, stats=stats, **settings)


def _settings(backends: Backends, known: Capabilities | None) -> dict[str, Any]:
    """All that may differ between panes but the model."""
    on_aws = backends.status.backend == "aws"
    made: dict[str, Any] = {
        "mode": gr.Radio(["Stream", "Complete"], value="Stream", label="Answer", elem_classes="segmented"),
        "temperature": gr.Number(
            DEFAULT_TEMPERATURE,
            step=0.1,
            label="Temperature",
            info=temperature_of(known)["info"],
            interactive=temperature_of(known).get("interactive", True),
        ),
        "max_tokens": gr.Number(DEFAULT_MAX_TOKENS, step=1, label="Max tokens", info=max_tokens_info(known)),
        "system": gr.Textbox(label="System prompt", placeholder="Optional", lines=2, max_lines=6),
        "region": _elsewhere("Region", backends.status.region, backends.regions(), visible=on_aws),
        "profile": _elsewhere("Profile", backends.status.profile, backends.profiles(), visible=on_aws),
    }
    if not on_aws:
        gr.HTML(f'<p class="note">{WITHOUT_AWS}</p>', apply_default_css=False)
    return made


def _elsewhere(label: str, own: str | None, offered: Any, *, visible: bool) -> gr.Dropdown:
    return gr.Dropdown(
        [(f"{own or 'default'} (of the page)", ""), *((name, name) for name in offered)],
        value="",
        label=label,
        allow_custom_value=True,
        visible=visible,
    )


def _prompt() -> gr.Textbox:
    return gr.Textbox(
        placeholder="One prompt for all panes",
        label="Prompt",
        show_label=False,
        lines=1,
        max_lines=8,
        container=False,
        scale=1,
        elem_id="compare-prompt",
        html_attributes=gr.InputHTMLAttributes(enterkeyhint="send"),
    )


def _drawn(elem_id: str, html: str) -> gr.HTML:
    return gr.HTML(html, elem_id=elem_id, apply_default_css=False, js_on_load=_PAINTED)
