"""From a model's events to the bytes of an answer, complete or streamed, with the service's own clock and counts."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from providers.errors import (
    InvalidRequestError,
    InvalidValueError,
    ModelFailedError,
    ProviderError,
    ServiceUnavailableError,
    ThrottledError,
    UnknownModelError,
)
from providers.families import pieces
from providers.local import event_stream
from providers.local.requests import Question
from providers.types import MessageStop, ReasoningDelta, ServerTiming, StreamEvent, TextDelta, Usage, accumulate

_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteAnswer:
    """JSON and headers of an answer that is sent in one."""

    body: dict[str, Any]
    headers: dict[str, str]


class Answer:
    """One question on its way through a model. Blocking; runs on a thread.

    `clock` is monotonic, in seconds; `received_s` is its reading when the request arrived. Setting `stop` ends the
    model's work; the answer then ends without its closing mark.
    """

    def __init__(
        self, question: Question, stop: threading.Event, *, received_s: float, clock: Callable[[], float]
    ) -> None:
        self._question = question
        self._stop = stop
        self._received_s = received_s
        self._clock = clock
        self._events: Iterator[StreamEvent] = iter(())
        self._usage = Usage()
        self._timing = ServerTiming()
        self.queued_s: float | None = None
        """The time in the model's line, where it has one; known after `begin`. The answer's own clock begins after."""
        self._ended = False

    def begin(self) -> None:
        """Asks the model, and returns once it has accepted the request. Raises `ProviderError` where it has not."""
        events = self._question.model.stream(self._question.request, self._stop)
        first = next(events, None)
        if isinstance(first, ServerTiming):
            self.queued_s = first.queued_s
            self._received_s += first.queued_s or 0.0
            first = next(events, None)
        self._events = self._clocked(first, events) if first is not None else iter(())

    @property
    def ended(self) -> bool:
        """Whether the model has said everything."""
        return self._ended

    def complete(self) -> CompleteAnswer | None:
        """The whole answer; `None` where it was stopped. Raises `ProviderError`."""
        completion = accumulate(self._events)
        if not completion.is_complete:
            return None
        headers = {}
        if self._question.api == "invoke":
            headers = {
                "x-amzn-bedrock-input-token-count": str(self._usage.input_tokens),
                "x-amzn-bedrock-output-token-count": str(self._usage.output_tokens),
                "x-amzn-bedrock-invocation-latency": str(_ms(self._timing.latency_s)),
            }
        return CompleteAnswer(body=self._question.writer.write_body(completion), headers=headers)

    def frames(self, rng: random.Random) -> Iterator[bytes]:
        """The frames of a streamed answer, each as soon as it can be sent. Raises `ProviderError`.

        `rng` chooses the length of the padding.
        """
        chunks = self._question.writer.write_stream(self._events)
        if self._question.api == "converse":
            for chunk in chunks:
                for event_type, body in chunk.items():
                    yield event_stream.event_frame(event_type, body, padding=_padding(rng))
            return
        for chunk in self._with_metrics(chunks):
            yield event_stream.chunk_frame(chunk, padding=_padding(rng))

    def _with_metrics(self, chunks: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The last chunk carries the metrics. Nothing is held back before the model has ended."""
        last: dict[str, Any] | None = None
        for chunk in chunks:
            if last is not None:
                yield last
            last = chunk if self._ended else None
            if last is None:
                yield chunk
        if last is not None:
            yield {**last, pieces.METRICS_KEY: self._metrics()}

    def _metrics(self) -> dict[str, Any]:
        return {
            "inputTokenCount": self._usage.input_tokens,
            "outputTokenCount": self._usage.output_tokens,
            "invocationLatency": _ms(self._timing.latency_s),
            "firstByteLatency": _ms(self._timing.first_byte_s),
        }

    def _clocked(self, first: StreamEvent, rest: Iterator[StreamEvent]) -> Iterator[StreamEvent]:
        """The events, with a `ServerTiming` before the end."""
        first_byte_s: float | None = None
        event: StreamEvent | None = first
        while event is not None:
            match event:
                case TextDelta() | ReasoningDelta():
                    if first_byte_s is None:
                        first_byte_s = self._clock() - self._received_s
                case Usage():
                    self._usage = event
                case MessageStop():
                    latency_s = self._clock() - self._received_s
                    self._timing = ServerTiming(latency_s=latency_s, first_byte_s=first_byte_s or latency_s)
                    self._ended = True
                    yield self._timing
                case _:
                    pass
            yield event
            event = next(rest, None)


def _ms(seconds: float | None) -> int:
    return round((seconds or 0.0) * 1000)


def _padding(rng: random.Random) -> str:
    return _PADDING[: rng.randrange(len(_PADDING) + 1)]


# --- what went wrong --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An error in the service's words."""

    status: int
    code: str
    message: str

    @property
    def frame(self) -> bytes:
        """As the last frame of a stream."""
        code = "ModelStreamErrorException" if self.code == "ModelErrorException" else self.code
        return event_stream.exception_frame(code[0].lower() + code[1:], self.message)


def fault_of(error: ProviderError) -> Fault:
    """What the service would say for `error`.

    A model that cannot be loaded is a ModelErrorException and not a ServiceUnavailableException: clients try the
    latter again, in vain.
    """
    match error:
        case UnknownModelError() | InvalidValueError() | InvalidRequestError():
            status, code = 400, "ValidationException"
        case ThrottledError():
            status, code = 429, "ThrottlingException"
        case ServiceUnavailableError():
            status, code = 503, "ServiceUnavailableException"
        case ModelFailedError():
            status, code = 424, "ModelErrorException"
        case _:
            status, code = 500, "InternalServerException"
    return Fault(status=status, code=code, message=str(error))
