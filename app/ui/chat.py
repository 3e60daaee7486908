"""Tab Chat: one event asks, one stops, and everything that moves is drawn by the server.

The streaming event yields the same few strings 15 times a second and nothing else; finished turns are in a component
that does not change meanwhile. The conversation itself never travels: the page holds its key.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import gradio as gr
from starlette.concurrency import run_in_threadpool

from app.conversations import Conversation, ConversationBusy, Turn
from app.services import Services
from app.ui import markup, panel
from app.ui.answering import answer
from app.ui.asking import MODES, Form, make_request
from app.ui.chat_widgets import place_chat
from app.ui.escaping import escape
from app.ui.events import data_of, most_events, whole_number
from app.ui.markup import Labels
from app.ui.panel import Problem, Strip
from app.ui.request_view import request_html
from app.ui.settings_panel import SettingsPanel
from metrics.run_log import RunLogError
from providers.errors import ConfigurationError, InvalidValueError, ProviderError, UnknownModelError

log = logging.getLogger(__name__)

KEEP = gr.skip()
PRIVATE: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "preprocess": False,
    "postprocess": False,
}
"""For every event: no endpoint of its own, no overlay, values as they come and go. Gradio would hand each value of each
update to a thread to prepare it, though a text needs no preparing."""
RESTORED_KEY = "async () => { await window.playground.alone; return [window.playground.key()]; }"
"""The key that the page kept, unless another page that is open holds it: restoring stops what is being written."""

WITH_CONVERSATION = "async (key, ...form) => [key || (await window.playground.keyed), ...form]"
"""Who asks before the page has its conversation waits for it: without the key the answer would be in another one, where
Stop and a reload do not find it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the streaming event shows. `None` leaves a widget as it is."""

    history: str | None = None
    live: list[str] | None = None
    strip: str | None = None
    problem: str | None = None
    accepted: str | None = None

    def outputs(self) -> tuple[Any, ...]:
        """In the order of the event's outputs."""
        values = (self.history, self.live, self.strip, self.problem, self.accepted)
        return tuple(KEEP if value is None else value for value in values)


def build_chat(page: gr.Blocks, services: Services, settings: SettingsPanel, labels: Labels) -> Any:
    """Places the tab where it is called, and wires it. Gives the event that asks, for others to follow it."""
    widgets, asking = place_chat(), _Asking(services, labels)
    form = [widgets.key, settings.shape, widgets.prompt, *settings.inputs]
    keep: dict[str, Any] = {"fn": None, "inputs": [widgets.key], "js": "(key) => { window.playground.keep(key); }"}
    shown = [widgets.history, widgets.live, widgets.strip, widgets.problem, widgets.accepted]
    asked = gr.on(
        [widgets.send.click, widgets.prompt.submit, widgets.history.submit],
        asking.ask,
        form,
        shown,
        js=WITH_CONVERSATION,
        trigger_mode="once",
        concurrency_id="turn",
        concurrency_limit=most_events(services.runner),
        **PRIVATE,
    )
    typed = [widgets.prompt, settings.mode]
    widgets.accepted.change(
        None, [widgets.accepted, *typed], typed, js="(...told) => window.playground.accepted(...told)"
    )
    widgets.stop.click(asking.stop, [widgets.key], None, queue=False, **PRIVATE)
    widgets.clear.click(asking.clear, [widgets.key], [widgets.key, *shown], queue=False, **PRIVATE).then(**keep)
    gr.on(
        [
            widgets.view_request.expand,
            widgets.prompt.blur,
            *(widget.change for widget in (settings.shape, *settings.inputs)),
        ],
        asking.view,
        form,
        [widgets.request],
        trigger_mode="always_last",
        queue=False,
        **PRIVATE,
    )
    restored = [widgets.key, *shown[:3]]
    page.load(asking.restore, [widgets.key], restored, js=RESTORED_KEY, **PRIVATE).then(**keep)
    return asked


class _Asking:
    """The handlers. Every value that reaches them comes from a browser."""

    def __init__(self, services: Services, labels: Labels) -> None:
        self._services = services
        self._labels = labels

    async def ask(self, event: gr.EventData, key: Any, *values: Any) -> AsyncGenerator[tuple[Any, ...]]:
        """One question from its check to the end of its last answer."""
        conversation = await run_in_threadpool(self._opened, key)
        async with aclosing(self._views(conversation, data_of(event), values)) as views:
            async for view in views:
                yield view.outputs()

    def _opened(self, key: Any) -> Conversation:
        """The conversation of this key, read back from the log where this process does not know it. Waits for that."""
        conversation = self._services.conversations.open(key)
        try:
            conversation.recall()
        except RunLogError as error:  # the page goes on without it
            log.warning("A conversation could not be read back: %s", error)
        return conversation

    async def _views(
        self, conversation: Conversation, data: Mapping[str, Any], values: tuple[Any, ...]
    ) -> AsyncGenerator[View]:
        try:
            async with aclosing(self._answered(conversation, data, values)) as views:
                async for view in views:
                    yield view
        except ConversationBusy as error:
            yield View(problem=panel.problem_line(Problem(sentence=str(error))))
        except (ProviderError, ValueError) as error:
            yield self._refused(conversation, problem_of(error))
        except Exception:  # the page's edge: nobody may be left in front of a page that waits
            log.exception("The page failed on a question")
            sentence = "The playground itself failed. The log of the server says more."
            yield self._refused(conversation, Problem(sentence=sentence))

    async def _answered(
        self, conversation: Conversation, data: Mapping[str, Any], values: tuple[Any, ...]
    ) -> AsyncGenerator[View]:
        replacing = whole_number(data.get("turn"))
        form = _form(conversation, data, values, replacing)
        request, notices = make_request(form, conversation, self._services.runner.estimator, replacing=replacing)
        turn = conversation.begin(form.prompt, form.mode, replacing=replacing, notices=notices)
        typed = "prompt" not in data and replacing is None
        accepted = json.dumps({"id": uuid.uuid4().hex, "clear": typed, "mode": data.get("mode")})
        answers, strip = markup.LiveAnswer(self._labels), Strip()
        history: str | None = None
        async with aclosing(answer(self._services.runner, conversation, turn, request)) as turns:
            async for seen in turns:
                if not seen.open:
                    break
                history = history or markup.history(conversation.turns(), self._labels)
                live, drawn = answers.draw(seen), strip.draw(seen)
                yield View(history=history, live=live, strip=drawn, problem="", accepted=accepted)
        yield self._whole(conversation, strip)

    def _whole(self, conversation: Conversation, strip: Strip | None = None) -> View:
        turns = conversation.turns()
        last = turns[-1] if turns else None
        return View(
            history=markup.history(turns, self._labels),
            live=[],
            strip=(strip or Strip()).draw(last),
            problem="",
        )

    def _refused(self, conversation: Conversation, problem: Problem) -> View:
        whole = self._whole(conversation)
        return View(history=whole.history, live=[], strip=panel.refused(problem), problem=panel.problem_line(problem))

    def stop(self, key: Any) -> None:
        """Stops what is under way; the event that asked shows the end by itself."""
        self._services.conversations.open(key).stop()

    def clear(self, key: Any) -> tuple[Any, ...]:
        """Forgets the conversation. The page goes on with another key: the log still has what was said under this."""
        self._services.conversations.open(key).clear()
        empty = View(history=markup.history((), self._labels), live=[], strip=panel.idle(), problem="")
        return (self._services.conversations.open(None).key, *empty.outputs())

    async def restore(self, key: Any) -> tuple[Any, ...]:
        """The conversation of a page that was opened again. An answer that its former self was reading is stopped,
        and shown as far as it came."""
        conversation = await run_in_threadpool(self._opened, key)
        conversation.stop()
        for _ in range(20):
            if not conversation.busy:
                break
            await asyncio.sleep(0.05)
        view = self._whole(conversation)
        return (conversation.key, *view.outputs()[:3])

    def view(self, key: Any, *values: Any) -> str:
        """The call that Send would make now."""
        backends = self._services.backends
        try:
            shape, *widgets = values
            form = Form.read(widgets, shape=shape)
            asked = form if form.prompt.strip() else Form.read(widgets, prompt="(your prompt)", shape=shape)
            request, _ = make_request(asked, self._opened(key), self._services.runner.estimator)
            call = backends.provider_for(form.model_id).prepare(request, stream=form.mode != "sync")
            return request_html(call, backends.status_of(form.model_id), also_complete=form.mode == "both")
        except (ProviderError, ValueError) as error:
            return f'<p class="note">Not a request that can be sent: {escape(str(error))}</p>'


def problem_of(error: Exception) -> Problem:
    """What the person reads, and at which widget."""
    match error:
        case InvalidValueError(field=field):
            return Problem(sentence=str(error), field=_WIDGETS.get(field, "prompt"))
        case UnknownModelError() | ConfigurationError():
            return Problem(sentence=str(error), field="model")
        case ProviderError() | ValueError():
            return Problem(sentence=str(error))
        case _:
            raise error


_WIDGETS = {
    "temperature": "temperature",
    "max_tokens": "max-tokens",
    "top_p": "top-p",
    "system": "system-prompt",
    "model": "model",
    "mode": "mode",
}


def _form(conversation: Conversation, data: Mapping[str, Any], values: tuple[Any, ...], replacing: int | None) -> Form:
    """The widgets' values, with the prompt and mode of a sample, an edited question, or the one that is asked again."""
    shape, *widgets = values
    if data.get("mode") in MODES:
        widgets[-1] = data["mode"]
    prompt = data.get("prompt")
    if prompt is None and replacing is not None:
        turn: Turn | None = conversation.turn(replacing)
        if turn is None:
            raise InvalidValueError("That question is no longer in this conversation.", field="prompt")
        prompt = turn.question
    return Form.read(widgets, prompt=prompt if isinstance(prompt, str) else None, shape=shape)
