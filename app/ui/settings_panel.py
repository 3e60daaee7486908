"""The settings beside the conversation: which model, and how it is asked. They follow what the chosen model takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.services import Services
from app.ui.asking import AUTOMATIC, MODES, SHAPES, capabilities_of, tells_its_model
from app.ui.escaping import escape
from providers.types import Capabilities, ModelInfo, Range

DEFAULT_TEMPERATURE = 0.7
DEFAULT_MAX_TOKENS = 512
UNIT = Range(low=0.0, high=1.0)
MODE_INFO = "Both asks once complete and once streamed, one after the other"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsPanel:
    """The widgets, for events to read; `note` tells what to know of the chosen model. `shape` is there only for an id
    that does not tell its model."""

    note: gr.HTML
    shape: gr.Dropdown
    model: gr.Dropdown
    temperature: gr.Slider
    max_tokens: gr.Number
    top_p: gr.Textbox
    system: gr.Textbox
    mode: gr.Radio

    @property
    def inputs(self) -> list[Any]:
        """In the order in which `asking.Form.read` takes them, after the prompt."""
        return [self.model, self.temperature, self.max_tokens, self.top_p, self.system, self.mode]


def build_settings(page: gr.Blocks, services: Services) -> SettingsPanel:
    """Places the widgets where it is called, and lets them follow the model."""
    panel = _place(services)
    event: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
    page.load(
        lambda chosen: gr.update(choices=choices(services), value=chosen),
        [panel.model],
        [panel.model],
        js="(model) => [window.playground.chosen(model)]",
        preprocess=False,
        **event,
    )
    panel.model.change(None, [panel.model], None, js="(model) => { window.playground.choose(model); }")
    _remember_numbers(page, panel)
    gr.on(
        [panel.model.change, panel.shape.input],
        _follow,
        [panel.model, panel.shape, panel.temperature],
        [panel.note, panel.shape, panel.temperature, panel.max_tokens, panel.top_p],
        preprocess=False,
        trigger_mode="always_last",
        **event,
    )
    return panel


def _remember_numbers(page: gr.Blocks, panel: SettingsPanel) -> None:
    """Mode and numbers are kept over a reload where the model's choice is: in the tab. Texts are not."""
    kept: list[Any] = [panel.mode, panel.temperature, panel.max_tokens, panel.top_p]
    page.load(None, kept, kept, js="(...shown) => window.playground.keptNumbers(...shown)")
    keep = "(...shown) => { window.playground.keepNumbers(...shown); }"
    gr.on([widget.change for widget in kept], None, kept, None, js=keep)


def _place(services: Services) -> SettingsPanel:
    default = services.backends.default_model()
    known = capabilities_of(default)
    with gr.Column(elem_id="settings", min_width=0):
        gr.HTML('<h2 class="panel-title">Settings</h2>', apply_default_css=False)
        return SettingsPanel(
            mode=gr.Radio(
                list(MODES), value="Stream", label="Answer", info=MODE_INFO, elem_id="mode", elem_classes="segmented"
            ),
            model=gr.Dropdown(
                choices(services),
                value=default,
                label="Model",
                info="From the list, or any model id or ARN",
                allow_custom_value=True,
                elem_id="model",
            ),
            shape=gr.Dropdown(
                [("Automatic", AUTOMATIC), *((f"As {shape}", shape) for shape in SHAPES[1:])],
                value=AUTOMATIC,
                label="Asked as",
                info="This id does not tell its model. Automatic: what the account says is behind it, else Converse",
                visible=False,
                elem_id="family",
            ),
            note=gr.HTML(model_note(default, known), elem_id="model-note", apply_default_css=False),
            temperature=gr.Slider(**temperature_of(known), step=0.05, label="Temperature", elem_id="temperature"),
            max_tokens=gr.Number(
                DEFAULT_MAX_TOKENS,
                minimum=1,
                step=1,
                label="Max tokens",
                info=max_tokens_info(known),
                elem_id="max-tokens",
            ),
            # A number box has no way to be empty at first, and empty is a value here.
            top_p=gr.Textbox(
                **top_p_of(known), label="Top-p", placeholder="model default", max_lines=1, elem_id="top-p"
            ),
            system=gr.Textbox(
                label="System prompt",
                placeholder="How the model should behave (optional)",
                lines=3,
                max_lines=12,
                elem_id="system-prompt",
            ),
        )


def _follow(model_id: Any, shape: Any, temperature_now: Any) -> tuple[Any, ...]:
    """Note, shape, temperature, max tokens and top-p for the model that was chosen."""
    chosen = model_id.strip() if isinstance(model_id, str) else ""
    asks_shape = bool(chosen) and not tells_its_model(chosen)
    asked_as = shape if asks_shape and shape in SHAPES else AUTOMATIC
    facts = capabilities_of(chosen, asked_as) if chosen else None
    temperature = temperature_of(facts, temperature_now)
    if temperature.get("value") == temperature_now:
        del temperature["value"]  # the box may have been typed in since this was sent
    return (
        model_note(chosen, facts),
        gr.update(visible=asks_shape, value=asked_as),
        gr.update(**temperature),
        gr.update(info=max_tokens_info(facts)),
        gr.update(**top_p_of(facts)),
    )


def choices(services: Services) -> list[tuple[str, str]]:
    """What can be chosen now. An account is asked in the background, so this may be more when a page is loaded than
    when it was built."""
    return [(choice_label(info), info.id) for info in services.backends.models()]


def choice_label(model: ModelInfo) -> str:
    """The name in the list; it says where a model runs."""
    return f"{model.label} · AWS" if model.backend == "aws" else model.label


def temperature_of(capabilities: Capabilities | None, now: Any = DEFAULT_TEMPERATURE) -> dict[str, Any]:
    """The slider's properties. Where the model takes none it is switched off and says why."""
    allowed = UNIT if capabilities is None else capabilities.temperature
    if allowed is None:
        return {"interactive": False, "info": "This model chooses by itself; temperature is not sent."}
    value = now if isinstance(now, int | float) else DEFAULT_TEMPERATURE
    return {
        "minimum": allowed.low,
        "maximum": allowed.high,
        "value": min(max(value, allowed.low), allowed.high),
        "interactive": True,
        "info": f"{allowed.low:g} to {allowed.high:g}: higher is freer",
    }


def top_p_of(capabilities: Capabilities | None) -> dict[str, Any]:
    """The box's properties; empty leaves it to the model."""
    allowed = UNIT if capabilities is None else capabilities.top_p
    if allowed is None:
        return {"interactive": False, "info": "This model chooses by itself; top-p is not sent."}
    both = "" if capabilities is None or capabilities.temperature_with_top_p else "; this model takes only one of both"
    return {"interactive": True, "info": f"Empty: the model's own. {allowed.low:g} to {allowed.high:g}{both}"}


def max_tokens_info(capabilities: Capabilities | None) -> str:
    """How long an answer may get."""
    most = capabilities.max_output_tokens if capabilities else None
    return f"At most {most:,} for this model" if most else "Where an answer is cut"


def model_note(model_id: str, capabilities: Capabilities | None) -> str:
    """What a person should know of the model before asking it."""
    if capabilities is None:
        words = "This is no model that is known here: type a full id or ARN, choose one, or say how to ask it."
        words = words if model_id else ""
        return f'<p class="note">{words}</p>' if words else ""
    said = []
    if capabilities.context_tokens:
        said.append(f"Reads up to {capabilities.context_tokens:,} tokens.")
    if not capabilities.streaming:
        said.append("Cannot stream: its answer comes as one piece.")
    if not capabilities.system_prompt:
        said.append("Takes no system prompt; yours stands before the first question.")
    warning = ""
    if capabilities.end_of_life:
        warning = f'<p class="note warning">End of life on Bedrock: {escape(capabilities.end_of_life)}.</p>'
    return f'<p class="note">{escape(" ".join(said))}</p>{warning}' if said or warning else ""
