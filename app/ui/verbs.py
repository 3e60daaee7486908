"""The public verbs of Gradio's own API and of its MCP server: generate, compare, experiment. Nothing else is offered.

They go through the same runner, comparison and experiment as the page. The descriptions are read by language models,
which is why they say what a person would look up. A caller that goes away ends what it started.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

import gradio as gr
from gradio.events import api

from app.experiment import Experiment
from app.experiment_plan import ExperimentSettings
from app.experiments import ExperimentBusy
from app.fan_in import MAX_LANES, Entry, FanIn
from app.live import RunUpdate
from app.records import RunLabels
from app.services import Services
from app.ui.asking import known_model
from metrics.comparison import verdict_of
from providers.errors import InvalidValueError, ProviderError
from providers.types import GenerationRequest, InferenceConfig, Message

Seen = TypeVar("Seen")

MAX_PAIRS = 50
"""Who waits for one answer waits no longer than this many pairs take."""


def add_verbs(services: Services) -> None:
    """Places the endpoints in the page that is being built."""
    verbs = _Verbs(services)
    for verb in (verbs.generate, verbs.compare, verbs.experiment):
        api(verb, api_name=verb.__name__, concurrency_limit=16)


class _Verbs:
    """What they do. Every refusal is a sentence for the caller."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def generate(self, prompt: str, model_id: str = "", system: str = "", max_tokens: int = 500) -> str:
        """Ask one model on Amazon Bedrock (or the small one of this machine) and measure the answer as it streams.

        Args:
            prompt: The question.
            model_id: Any Bedrock model id, inference profile or ARN; empty for the default model.
            system: How the model should behave; may be empty.
            max_tokens: Where the answer is cut.

        Returns:
            JSON: the text, how it ended, seconds to the first text and in all, tokens as reported, list price in USD.
        """
        try:
            request = self._request(prompt, model_id, system, max_tokens)
            run = await asyncio.to_thread(self._services.runner.start, request, RunLabels(mode="stream"))
        except (ProviderError, ValueError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        try:
            update = await _last(run.updates(per_s=4))
        finally:
            run.cancel()
        if update.failure is not None and not update.text:
            raise gr.Error(update.failure.sentence, print_exception=False)
        return _text(_told(update))

    async def compare(self, prompt: str, model_ids: list[str], system: str = "", max_tokens: int = 500) -> str:
        """Ask several models the same thing, one after another in shuffled order, and measure each answer.

        Args:
            prompt: The question.
            model_ids: One to six ids, inference profiles or ARNs.
            system: How the models should behave; may be empty.
            max_tokens: Where each answer is cut.

        Returns:
            JSON: for each model, in the order given, its text and figures, or the sentence that says what failed.
        """
        if not 1 <= len(model_ids) <= MAX_LANES:
            raise gr.Error(f"Name 1 to {MAX_LANES} models in model_ids.", print_exception=False)
        lanes = FanIn(
            self._services.runner,
            [self._entry(prompt, model_id, system, max_tokens) for model_id in model_ids],
            in_turn=True,
        )
        try:
            await asyncio.to_thread(lanes.start)
            seen = await _last(lanes.updates())
        finally:
            lanes.cancel()
        answers = [_told(update) for update in seen if update is not None]
        return _text({"comparison_id": lanes.id, "answers": answers})

    async def experiment(
        self, prompt: str, model_id: str = "", pairs: int = 10, max_tokens: int = 128, seed: int = 0
    ) -> str:
        """Measure what streaming changes for a model: pairs of one complete and one streamed answer, in balanced order.

        Args:
            prompt: The question that every call asks.
            model_id: Any Bedrock model id, inference profile or ARN; empty for the default model.
            pairs: How many pairs, 1 to 50; fewer than 8 give no interval. Every pair costs two calls.
            max_tokens: Where each answer is cut.
            seed: The order of the calls follows from it.

        Returns:
            JSON: the verdict in a sentence, the estimate with its 95 % interval in seconds, and how many pairs counted.
        """
        if not 1 <= pairs <= MAX_PAIRS:
            raise gr.Error(f"pairs must be from 1 to {MAX_PAIRS}.", print_exception=False)
        settings = ExperimentSettings(
            models=(model_id.strip() or self._services.backends.default_model(),),
            prompts=(prompt,),
            pairs=pairs,
            max_tokens=max_tokens,
            seed=seed,
        )
        try:
            experiment = await asyncio.to_thread(Experiment, self._services, settings)
            self._services.experiments.begin(experiment)
        except (ProviderError, ValueError, ExperimentBusy) as error:
            raise gr.Error(str(error), print_exception=False) from error
        try:
            update = await _last(experiment.updates())
        finally:
            experiment.cancel()
        if update.problem:
            raise gr.Error(update.problem, print_exception=False)
        verdict = verdict_of(update.records).to_json()
        told = {"experiment_id": update.id, "state": update.state, "notices": list(update.notices), "verdict": verdict}
        return _text(told)

    def _entry(self, prompt: str, model_id: str, system: str, max_tokens: int) -> Entry:
        try:
            return Entry(model_id=model_id, request=self._request(prompt, model_id, system, max_tokens))
        except (ProviderError, ValueError) as error:
            return Entry(model_id=model_id, refusal=error)

    def _request(self, prompt: str, model_id: str, system: str, max_tokens: int) -> GenerationRequest:
        if not prompt.strip():
            raise InvalidValueError("Prompt is required.", field="prompt")
        chosen = model_id.strip() or self._services.backends.default_model()
        _, asked_over = known_model(chosen)
        return GenerationRequest(
            model_id=chosen,
            messages=(Message(role="user", text=prompt),),
            system=system or None,
            inference=InferenceConfig(max_tokens=max_tokens),
            api=asked_over,
        )


async def _last(updates: AsyncGenerator[Seen]) -> Seen:
    """Watches to the end, and gives what was seen last."""
    async with aclosing(updates):
        async for update in updates:
            seen = update
    return seen


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
