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
from typing import Any, Protocol

from providers import errors
from providers.bedrock import BedrockProvider
from providers.connect import DEFAULT_REGION, LOCAL_VENDORS, Backends
from providers.model_ids import parse_model_id
from providers.registry import resolve
from providers.retry import RetryingProvider, RetryPolicy
from providers.types import (
    Api,
    Completion,
    GenerationRequest,
    InferenceConfig,
    Message,
    MessageStart,
    Resumed,
    StreamEvent,
    TextDelta,
    Usage,
    accumulate,
)

TextCallback = Callable[[str, bool], object]


class _Default(float):
    """A default that can be told from the same number given by the caller."""


DEFAULT_TEMPERATURE = _Default(0.7)


class TextMessage(Protocol):
    """Anything with a role and a content, such as `ChatMessage`."""

    role: str
    content: str


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
        if max_retries < 0:
            raise ValueError(f"max_retries must be 0 or more; you gave {max_retries}.")
        self.region_name = region_name
        self.profile_name = profile_name
        self.max_retries = max_retries
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
        if stream and callback is not None:
            with reporting(callback):
                request = self.request(
                    model_id, prompt, temperature, max_tokens, system, messages, top_p, stop_sequences, api, family
                )
                return drain(pieces_of(self.events(request, stream=True)), callback)
        request = self.request(
            model_id, prompt, temperature, max_tokens, system, messages, top_p, stop_sequences, api, family
        )
        if stream:
            return pieces_of(self.events(request, stream=True))
        return self._complete(request)

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
        turns, told_system = _turns(messages or (), prompt)
        request = GenerationRequest(
            model_id=model_id,
            messages=turns,
            system=system or told_system,
            inference=InferenceConfig(
                max_tokens=max_tokens,
                temperature=temperature,
                top_p=top_p,
                stop_sequences=_sequences(stop_sequences),
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
        here = self.endpoint_url is None and parse_model_id(model_id).vendor in LOCAL_VENDORS
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


def drain(pieces: Generator[str, None, str], callback: TextCallback) -> str:
    """Runs `pieces` to the end, tells each to `callback` and the end once; returns the whole text."""
    with contextlib.closing(pieces):
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                text: str = end.value
                break
            callback(piece, False)
    callback("", True)
    return text


@contextlib.contextmanager
def reporting(callback: TextCallback) -> Generator[None]:
    """Tells `callback` of a failure, once, before it is raised."""
    try:
        yield
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


def _sequences(given: Iterable[str] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given or ())


def _turns(
    messages: Sequence[Mapping[str, Any] | TextMessage], prompt: str | None
) -> tuple[tuple[Message, ...], str | None]:
    """Our messages and the system text among `messages`, with `prompt` as the next user turn."""
    turns: list[Message] = []
    system: list[str] = []
    for given in messages:
        role = str(given["role"] if isinstance(given, Mapping) else given.role)
        content = _plain(given["content"] if isinstance(given, Mapping) else given.content)
        match role:
            case "system":
                system.append(content)
            case "user" | "assistant":
                turns.append(Message(role=role, text=content))
            case _:
                raise errors.InvalidValueError(
                    f"A message has the role {role!r}; it must be user, assistant or system.", field="messages"
                )
    if prompt or not turns:
        turns.append(Message(role="user", text=prompt or ""))
    return tuple(turns), "\n\n".join(system) or None


def _plain(content: Any) -> str:
    """The text of a message's content: a string, or blocks as Converse and the Messages API write them."""
    if isinstance(content, str):
        return content
    return "".join(str(block["text"]) for block in content if isinstance(block, Mapping) and "text" in block)


# --- cut streams ------------------------------------------------------------------------------------------------------


class StreamingSession:
    """One streamed answer that survives cuts.

    Where the model continues an open assistant turn, a cut answer goes on from there; where it does not and
    `on_reset` is given, `on_reset()` is called (the text so far is void) and the answer begins again; without it the
    interruption is raised. `max_attempts` counts the first one.
    """

    def __init__(
        self,
        client: BedrockClient,
        model_id: str,
        prompt: str,
        callback: TextCallback | None = None,
        max_attempts: int = 3,
        *,
        on_reset: Callable[[], object] | None = None,
        **options: Any,
    ) -> None:
        if max_attempts < 1:
            raise ValueError(f"max_attempts must be 1 or more; you gave {max_attempts}.")
        self._client = client
        self._model_id = model_id
        self._prompt = prompt
        self._callback = callback
        self._on_reset = on_reset
        self._options = options
        self.max_attempts = max_attempts
        self.attempt = 0
        self.complete_text = ""
        self.is_complete = False

    def start(self) -> str:
        """Runs to the end and returns the whole text. Raises as `BedrockClient.generate_text` does."""
        callback = self._callback or _nothing
        with reporting(callback):
            return drain(self._pieces(), callback)

    def _pieces(self) -> Generator[str, None, str]:
        self.attempt, self.complete_text, self.is_complete = 1, "", False
        request = self._client.request(self._model_id, self._prompt, **self._options)
        policy = RetryPolicy(attempts=self.max_attempts, resume=True, restart=self._on_reset is not None)
        with contextlib.closing(self._client.events(request, stream=True, policy=policy)) as events:
            for event in events:
                match event:
                    case TextDelta(text):
                        self.complete_text += text
                        yield text
                    case Resumed(attempt=attempt, reset=reset):
                        self.attempt = attempt
                        if reset and self._on_reset is not None:
                            self.complete_text = ""
                            self._on_reset()
                    case _:
                        self.attempt = getattr(event, "attempt", self.attempt)
        self.is_complete = True
        return self.complete_text


def handle_stream_interruptions(
    client: BedrockClient,
    model_id: str,
    prompt: str,
    max_attempts: int = 3,
    callback: TextCallback | None = None,
    *,
    on_reset: Callable[[], object] | None = None,
    **options: Any,
) -> str:
    """The whole text of a streamed answer, through cuts: a `StreamingSession`, started."""
    return StreamingSession(client, model_id, prompt, callback, max_attempts, on_reset=on_reset, **options).start()


def _nothing(_piece: str, _is_complete: bool) -> None:
    """Nobody listens."""


__all__ = [
    "BedrockClient",
    "Completion",
    "StreamingSession",
    "TextCallback",
    "TextMessage",
    "drain",
    "handle_stream_interruptions",
    "pieces_of",
    "reporting",
    "usage_dict",
]
