"""The widgets of tab Chat: the conversation above, and the dock with status, prompt and request below it."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from app.ui import markup, panel

KEYS = "Enter sends · Shift+Enter new line · Esc stops"
_PAINTED = "watch('value', () => window.playground.painted());"
_ACTIONS = "window.playground.actions(element, (data) => trigger('submit', data));"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatWidgets:
    """What events read and write. `key` is the conversation's; `history` also asks, when a button in it is pressed.
    `accepted` says that a question was taken: the page then empties the prompt. It would cost more to give the prompt
    itself with every update, because Gradio makes a widget anew that an update leaves as it is."""

    key: gr.Textbox
    history: gr.HTML
    live: gr.HTML
    strip: gr.HTML
    problem: gr.HTML
    accepted: gr.Textbox
    prompt: gr.Textbox
    send: gr.Button
    stop: gr.Button
    clear: gr.Button
    view_request: gr.Accordion
    request: gr.HTML


def place_chat() -> ChatWidgets:
    """Places them where it is called."""
    key = gr.Textbox(visible="hidden", elem_id="conversation-key", label="Conversation key")
    accepted = gr.Textbox(visible="hidden", elem_id="chat-accepted", label="Accepted question")
    with gr.Column(elem_id="chat-output", min_width=0):
        history = _drawn("chat-history", markup.empty_page(), _ACTIONS)
        # A list of pieces, so that only those travel that changed; `join` puts them in as they are, without a template.
        live = gr.HTML(
            [],
            html_template="${value.join('')}",
            elem_id="chat-live",
            apply_default_css=False,
            js_on_load=_PAINTED,
        )
    with gr.Column(elem_id="dock", min_width=0):
        strip = _drawn("chat-strip", panel.idle(), _PAINTED)
        problem = _drawn("chat-problem", "", _PAINTED)
        with gr.Row(elem_id="composer", equal_height=False):
            prompt = _prompt()
            send = gr.Button("Send", variant="primary", elem_id="chat-send", min_width=0, scale=0)
            stop = gr.Button("Stop", variant="stop", elem_id="chat-stop", min_width=0, scale=0)
        with gr.Row(elem_id="under-composer", equal_height=False):
            with gr.Accordion("View request", open=False, elem_id="view-request") as view_request:
                request = _drawn("request", "")
            gr.HTML(f'<p class="hint">{KEYS}</p>', apply_default_css=False)
            clear = gr.Button("Clear conversation", elem_id="chat-clear", min_width=0, scale=0, size="sm")
    return ChatWidgets(
        key=key,
        history=history,
        live=live,
        strip=strip,
        problem=problem,
        accepted=accepted,
        prompt=prompt,
        send=send,
        stop=stop,
        clear=clear,
        view_request=view_request,
        request=request,
    )


def _prompt() -> gr.Textbox:
    return gr.Textbox(
        placeholder="Ask something",
        label="Prompt",
        show_label=False,
        lines=1,
        max_lines=10,
        autofocus=True,
        container=False,
        scale=1,
        elem_id="chat-prompt",
        html_attributes=gr.InputHTMLAttributes(enterkeyhint="send"),
    )


def _drawn(elem_id: str, html: str, script: str | None = None) -> gr.HTML:
    return gr.HTML(html, elem_id=elem_id, apply_default_css=False, js_on_load=script)
