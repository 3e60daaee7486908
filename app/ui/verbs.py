"""The public verbs of Gradio's own API and of its MCP server: generate, compare, experiment. Nothing else is offered.

They go through the same runner, comparison and experiment as the page. The descriptions are read by language models,
which is why they say what a person would look up.

A caller that goes away ends what it started. How that is noticed depends on the way in (Gradio 6.31, read in its source
on 2026-11-22). What was asked with `/gradio_api/call` waits in Gradio's queue, which looks after its caller only when a
generator yields, and never stops a coroutine: so the verbs yield an empty text now and then before the answer. What
comes over MCP would be asked again over HTTP by a client in this process that never hangs up, unless the verb is kept
out of the queue: then it is awaited inside the caller's own request, and only the first text that it yields is read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import gradio as gr
from gradio.events import api

from app.experiment import Experiment, most_usd
from app.experiment_plan import ExperimentSettings, checked
from app.experiment_update import ExperimentUpdate
from app.experiments import ExperimentBusy
from app.fan_in import MAX_LANES, Entry, FanIn
from app.live import RunUpdate
from app.records import RunLabels
from app.services import Services
from app.ui.asking import check_prompt, known_model
from metrics.comparison import verdict_of
from providers.errors import InvalidValueError, ProviderError
from providers.types import GenerationRequest, InferenceConfig, Message

Seen = TypeVar("Seen")

MAX_PAIRS = 50
"""Who waits for one answer waits no longer than this many pairs take."""
COST_CAP_USD = 1.0
"""What an experiment may cost where its caller names no cap."""
LOOKS_PER_S = 4
QUEUED_PATHS = ("/call/", "/queue/")
"""Of Gradio's routes those behind which an event waits in its queue."""
WAITING = ""
"""Yielded before the answer, so that Gradio looks whether somebody still waits for it."""


def add_verbs(services: Services) -> None:
    """Places the endpoints in the page that is being built."""
    verbs = _Verbs(services)
    for verb in (verbs.generate, verbs.compare, verbs.experiment):
        api(verb, api_name=verb.__name__, queue=False, concurrency_limit=16)


class _Verbs:
    """What they do. Every refusal is a sentence for the caller."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def generate(
        self, request: gr.Request, prompt: str, model_id: str = "", system: str = "", max_tokens: int = 500
    ) -> AsyncGenerator[str]:
        """Ask one model on Amazon Bedrock (or the small one of this machine) and measure the answer as it streams.

        Args:
            prompt: The question.
            model_id: Any Bedrock model id, inference profile or ARN; empty for the default model.
            system: How the model should behave; may be empty.
            max_tokens: Where the answer is cut.

        Returns:
            JSON: the text, how it ended, seconds to the first text and in all, tokens as reported, list price in USD.
        """
        runner = self._services.runner
        with _in_words():
            asked = self._request(prompt, model_id, system, max_tokens)
            run = await asyncio.to_thread(runner.prepare, asked, RunLabels(mode="stream"))

        def answered(update: RunUpdate) -> str:
            if update.failure is not None and not update.text:
                raise gr.Error(update.failure.sentence, print_exception=False)
            return _text(_told(update))

        updates = run.updates(per_s=LOOKS_PER_S)
        async with aclosing(_followed(request, lambda: runner.begin(run), updates, run.cancel, answered)) as texts:
            async for text in texts:
                yield text

    async def compare(
        self, request: gr.Request, prompt: str, model_ids: list[str], system: str = "", max_tokens: int = 500
    ) -> AsyncGenerator[str]:
        """Ask several models the same thing, one after another in shuffled order, and measure each answer.

        Args:
            prompt: The question.
            model_ids: One to six ids, inference profiles or ARNs.
            system: How the models should behave; may be empty.
            max_tokens: Where each answer is cut.

        Returns:
            JSON: for each model, in the order given, its text and figures, or the sentence that says what failed.
        """
        with _in_words():
            check_prompt(prompt)
            named = _models(model_ids)
            entries = [self._entry(prompt, model_id, system, max_tokens) for model_id in named]
            lanes = FanIn(self._services.runner, entries, in_turn=True)

        def answered(seen: tuple[RunUpdate | None, ...]) -> str:
            answers = [_told(update) for update in seen if update is not None]
            return _text({"comparison_id": lanes.id, "answers": answers})

        async with aclosing(_followed(request, lanes.start, lanes.updates(), lanes.cancel, answered)) as texts:
            async for text in texts:
                yield text

    async def experiment(
        self,
        request: gr.Request,
        prompt: str,
        model_id: str = "",
        pairs: int = 10,
        max_tokens: int = 128,
        seed: int = 0,
        cost_cap_usd: float | None = None,
    ) -> AsyncGenerator[str]:
        """Measure what streaming changes for a model: pairs of one complete and one streamed answer, in balanced order.

        Args:
            prompt: The question that every call asks.
            model_id: Any Bedrock model id, inference profile or ARN; empty for the default model.
            pairs: How many pairs, 1 to 50; fewer than 8 give no interval. Every pair costs two calls.
            max_tokens: Where each answer is cut.
            seed: The order of the calls follows from it.
            cost_cap_usd: It stops before it costs more, at list price. Left out: 1 USD where the price is known.

        Returns:
            JSON: the verdict in a sentence, the estimate with its 95 % interval in seconds, and how many pairs counted.
        """
        with _in_words():
            check_prompt(prompt)
            settings = ExperimentSettings(
                models=(self._model(model_id),),
                prompts=(prompt,),
                pairs=_pairs(pairs),
                max_tokens=max_tokens,
                seed=seed,
                cost_cap_usd=cost_cap_usd,
            )
            experiment = await asyncio.to_thread(self._planned, settings)

        def begin() -> None:
            self._services.experiments.begin(experiment)

        async with aclosing(_followed(request, begin, experiment.updates(), experiment.cancel, _judged)) as texts:
            async for text in texts:
                yield text

    def _planned(self, settings: ExperimentSettings) -> Experiment:
        """Under a cap wherever one can be kept."""
        settings = checked(settings)
        if settings.cost_cap_usd is None and most_usd(self._services, settings) is not None:
            settings = replace(settings, cost_cap_usd=COST_CAP_USD)
        return Experiment(self._services, settings)

    def _entry(self, prompt: str, model_id: str, system: str, max_tokens: int) -> Entry:
        try:
            return Entry(model_id=model_id, request=self._request(prompt, model_id, system, max_tokens))
        except (ProviderError, ValueError) as error:
            return Entry(model_id=model_id, refusal=error)

    def _request(self, prompt: str, model_id: str, system: str, max_tokens: int | None) -> GenerationRequest:
        check_prompt(prompt)
        if max_tokens is None:
            raise InvalidValueError("max_tokens must be a whole number, at least 1.", field="max_tokens")
        chosen = self._model(model_id)
        _, asked_over = known_model(chosen)
        return GenerationRequest(
            model_id=chosen,
            messages=(Message(role="user", text=prompt),),
            system=_words(system, "system") or None,
            inference=InferenceConfig(max_tokens=max_tokens),
            api=asked_over,
        )

    def _model(self, model_id: Any) -> str:
        return _words(model_id, "model_id").strip() or self._services.backends.default_model()


# --- what a client sent: trusted in nothing ---------------------------------------------------------------------------


@contextmanager
def _in_words() -> Iterator[None]:
    """A refusal reaches the caller as its sentence; any other error as none."""
    try:
        yield
    except (ProviderError, ValueError, ExperimentBusy) as error:
        raise gr.Error(str(error), print_exception=False) from error


def _words(value: Any, field: str) -> str:
    if value is not None and not isinstance(value, str):
        raise InvalidValueError(f"{field} must be text.", field=field)
    return value or ""


def _models(value: Any) -> list[Any]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_LANES:
        raise InvalidValueError(f"Name 1 to {MAX_LANES} models in model_ids, a list.", field="model_ids")
    if not all(isinstance(model_id, str) for model_id in value):
        raise InvalidValueError("Every one of model_ids must be text.", field="model_ids")
    return value


def _pairs(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_PAIRS:
        raise InvalidValueError(f"pairs must be from 1 to {MAX_PAIRS}, a whole number.", field="pairs")
    return value


# --- from the start to the answer -------------------------------------------------------------------------------------


async def _followed(
    request: gr.Request,
    start: Callable[[], None],
    updates: AsyncGenerator[Seen],
    cancel: Callable[[], None],
    answered: Callable[[Seen], str],
) -> AsyncGenerator[str]:
    """Starts it off the event loop, watches it to its end and yields the answer. However this is left, what was started
    is cancelled. `cancel` must hold, too, for what begins only after it."""
    queued = any(part in request.url.path for part in QUEUED_PATHS)
    try:
        with _in_words():
            await asyncio.to_thread(start)
        async with aclosing(updates):
            async for update in updates:
                seen = update
                if queued:
                    yield WAITING
                elif await request.is_disconnected():
                    return
    finally:
        cancel()
    yield answered(seen)


def _judged(update: ExperimentUpdate) -> str:
    if update.problem:
        raise gr.Error(update.problem, print_exception=False)
    verdict = verdict_of(update.records).to_json()
    return _text(
        {"experiment_id": update.id, "state": update.state, "notices": list(update.notices), "verdict": verdict}
    )


def _text(told: dict[str, Any]) -> str:
    """JSON as text: of a dictionary Gradio's MCP server would send what Python calls it."""
    return json.dumps(told, ensure_ascii=False)


def _told(update: RunUpdate) -> dict[str, Any]:
    """An answer and its figures; what was not measured or reported is null."""
    record = update.record
    return {
        "model_id": update.model_id,
        "state": update.state,
        "text": update.text,
        "error": update.failure.sentence if update.failure else None,
        "simulated": update.simulated,
        "run_id": record.run_id if record else None,
        "time_to_visible_s": record.time_to_visible_s if record else None,
        "duration_s": record.duration_s if record else None,
        "input_tokens": record.input_tokens if record else None,
        "output_tokens": record.output_tokens if record else None,
        "decode_tokens_per_s": record.decode_tokens_per_s if record else None,
        "cost_usd": record.cost_usd if record else None,
        "flags": list(record.flags) if record else [],
    }
