"""BedrockClient and its helpers: thin shells that drain the provider's generators for people who call from Python.

Everything that matters happens below: ids in `registry.py`, checks in `validation.py`, the wire in `bedrock.py`,
trying again in `retry.py`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any

from providers import arguments, errors
from providers.arguments import TextMessage
from providers.bedrock import BedrockProvider
from providers.clients import DEFAULT_REGION
from providers.connect import Backends
from providers.model_ids import parse_model_id
from providers.registry import resolve
from providers.retry import RetryingProvider, RetryPolicy
from providers.types import (
    Api,
    GenerationRequest,
    InferenceConfig,
    MessageStart,
    StreamEvent,
    TextDelta,
    Usage,
    accumulate,
)

TextCallback = Callable[[str, bool], object]


class _Default(float):
    """A default that can be told from the same number given by the caller."""


DEFAULT_TEMPERATURE = _Default(0.7)


class BedrockClient:
    """Text from any model on Bedrock, complete or streamed, in one call.

    `max_retries` counts the requests after the first one (0 = exactly one) and serves transient errors before the
    first piece. With `endpoint_url` every model is asked there; without it the models of this machine (`local.…`,
    `simulated.…`) run on the local endpoint and all others on AWS. Nothing is opened before the first call.
    """

    def __init__(
        self,
        region_name: str = DEFAULT_REGION,
        profile_name: str | None = None,
        max_retries: int = 3,
        *,
        endpoint_url: str | None = None,
    ) -> None:
        self.region_name = region_name
        self.profile_name = profile_name
        self.max_retries = arguments.whole_number(max_retries, "max_retries", least=0)
        self.endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._backends: dict[str, Backends] = {}

    def generate_text(
        self,
        model_id: str,
        prompt: str,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = 500,
        stream: bool = False,
        callback: TextCallback | None = None,
        *,
        system: str | None = None,
        messages: Sequence[Mapping[str, Any] | TextMessage] | None = None,
        top_p: float | None = None,
        stop_sequences: Iterable[str] | None = None,
        api: Api = "auto",
        family: str | None = None,
    ) -> dict[str, Any] | Generator[str, None, str] | str:
        """Asks `model_id` for text.

        `messages` are earlier turns; `prompt` is the next one (empty where the last of `messages` is it already).
        Not streamed: a dict with `text`, `model_id`, `latency` (seconds), `usage` (tokens, `None` where unknown),
        `stop_reason` and `raw_response`. Streamed: a generator of pieces that returns the whole text; with `callback`
        the whole text, after `callback(piece, False)` for each piece and `callback("", True)` once, or
        `callback("Error: …", True)` before the error is raised.

        Raises `ValueError` before any call for an unknown model or a value out of its range, `ProviderError` from the
        call, `StreamInterruptedError` with the partial text once a piece is out.
        """

        def planned() -> GenerationRequest:
            return self.request(
                model_id, prompt, temperature, max_tokens, system, messages, top_p, stop_sequences, api, family
            )

        def pieces() -> Generator[str, None, str]:
            return pieces_of(self.events(planned(), stream=True))

        if not stream:
            return self._complete(planned())
        return pieces() if callback is None else drain(reporting(pieces, callback), callback)

    def request(
        self,
        model_id: str,
        prompt: str,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = 500,
        system: str | None = None,
        messages: Sequence[Mapping[str, Any] | TextMessage] | None = None,
        top_p: float | None = None,
        stop_sequences: Iterable[str] | None = None,
        api: Api = "auto",
        family: str | None = None,
    ) -> GenerationRequest:
        """The request that `generate_text` would send, checked against the model. Raises `ValueError`."""
        turns, told_system = arguments.turns(messages, prompt)
        request = GenerationRequest(
            model_id=model_id,
            messages=turns,
            system=system or told_system,
            inference=InferenceConfig(
                max_tokens=max_tokens,
                temperature=temperature,
                top_p=top_p,
                stop_sequences=arguments.stop_sequences(stop_sequences),
            ),
            api=api,
            family=family,
        )
        return _without_default_temperature(request) if isinstance(temperature, _Default) else request

    def events(
        self, request: GenerationRequest, *, stream: bool, policy: RetryPolicy | None = None
    ) -> Generator[StreamEvent]:
        """The events of one answer, with retries. Raises `ValueError` at once, `ProviderError` while iterating."""
        provider = self._provider(request.model_id)
        for notice in provider.prepare(request, stream=stream).notices:
            warnings.warn(notice, stacklevel=4)
        retrying = RetryingProvider(provider, policy or RetryPolicy(attempts=self.max_retries + 1))
        return retrying.stream(request) if stream else retrying.invoke(request)

    def _complete(self, request: GenerationRequest) -> dict[str, Any]:
        started = time.perf_counter()
        events = list(self.events(request, stream=False))
        latency_s = time.perf_counter() - started
        completion = accumulate(events)
        body = next((event.body for event in reversed(events) if isinstance(event, MessageStart)), {})
        return {
            "text": completion.text,
            "model_id": request.model_id,
            "latency": latency_s,
            "raw_response": dict(body),
            "usage": usage_dict(completion.usage),
            "stop_reason": completion.stop_reason.value if completion.stop_reason else None,
        }

    def _provider(self, model_id: str) -> BedrockProvider:
        """Connections are made on first use: a client object costs nothing and asks nobody."""
        here = self.endpoint_url is None and parse_model_id(model_id).is_own
        with self._lock:
            choice = "local" if here else "aws"
            if choice not in self._backends:
                self._backends[choice] = Backends(
                    "local" if here else "aws",
                    region=self.region_name,
                    profile=self.profile_name,
                    endpoint_url=self.endpoint_url,
                    list_models=False,
                )
            backends = self._backends[choice]
        return backends.local() if here else backends.aws()


def usage_dict(usage: Usage | None) -> dict[str, int | None]:
    """Token counts for people who index dicts; `None` is unknown, never 0."""
    told = usage or Usage()
    known = told.input_tokens is not None and told.output_tokens is not None
    return {
        "input_tokens": told.input_tokens,
        "output_tokens": told.output_tokens,
        "total_tokens": (told.input_tokens or 0) + (told.output_tokens or 0) if known else None,
    }


def pieces_of(events: Generator[StreamEvent]) -> Generator[str, None, str]:
    """The pieces of text among `events`; returns the whole text. Closing it closes the stream."""
    parts: list[str] = []
    with contextlib.closing(events):
        for event in events:
            if type(event) is TextDelta:
                parts.append(event.text)
                yield event.text
    return "".join(parts)


def drain(
    pieces: Generator[str | None, None, str],
    callback: TextCallback,
    on_reset: Callable[[], object] = lambda: None,
) -> str:
    """Runs `pieces` to the end, tells each to `callback` and the end once; returns the whole text.

    `None` among them says that the text so far is void: `on_reset` is called.
    """
    with contextlib.closing(pieces):
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                text: str = end.value
                break
            if piece is None:
                on_reset()
            else:
                callback(piece, False)
    callback("", True)
    return text


def reporting(
    begin: Callable[[], Generator[str | None, None, str]], callback: TextCallback
) -> Generator[str | None, None, str]:
    """What `begin()` gives. Tells `callback` of its failure, once, before it is raised; what goes wrong where the
    pieces are heard is no matter of this."""
    try:
        return (yield from begin())
    except (errors.ProviderError, ValueError) as error:
        callback(f"Error: {error}", True)
        raise


def _without_default_temperature(request: GenerationRequest) -> GenerationRequest:
    """Our default is no wish of the caller's: it gives way to a model that refuses it, or to the caller's top_p."""
    capabilities = resolve(request.model_id, family=request.family, api=request.api).capabilities
    yields = capabilities.temperature is None or (
        request.inference.top_p is not None and not capabilities.temperature_with_top_p
    )
    value = None if yields else float(DEFAULT_TEMPERATURE)
    return dataclasses.replace(request, inference=dataclasses.replace(request.inference, temperature=value))
