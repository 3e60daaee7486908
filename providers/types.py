"""Value types that cross the providers' border: requests, stream events, completions.

No I/O and no AWS names here. The words are those of Bedrock's Converse API. Everything is frozen, so that a request
that was logged, shown and sent is one and the same object.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, assert_never

Role = Literal["user", "assistant"]
Api = Literal["auto", "invoke", "converse"]

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation. The system prompt is a field of the request, not a message."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceConfig:
    """Sampling and length. `None` leaves the choice to the model's own default; 0.0 is a value."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """What is asked of a model, before any family's JSON.

    `messages` alternate and begin with the user; a trailing assistant turn is one to be continued. `extra` holds
    fields of one family (`top_k`, `thinking`, ...) that go into its body as they are. `family` overrides what the
    id says.
    """

    model_id: str
    messages: tuple[Message, ...]
    system: str | None = None
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    extra: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    api: Api = "auto"
    family: str | None = None


class StopReason(enum.StrEnum):
    """Why an answer ended, in Converse's words (botocore 1.44.5 service model). OTHER: a word we do not know."""

    END_TURN = "end_turn"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"
    TOOL_USE = "tool_use"
    GUARDRAIL_INTERVENED = "guardrail_intervened"
    CONTENT_FILTERED = "content_filtered"
    MALFORMED_MODEL_OUTPUT = "malformed_model_output"
    MALFORMED_TOOL_USE = "malformed_tool_use"
    CONTEXT_WINDOW_EXCEEDED = "model_context_window_exceeded"
    OTHER = "other"


# --- events -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStart:
    """The service accepted the call: a stream is open, or the complete answer is in hand.

    `sent_at_ns` and `headers_at_ns` are `perf_counter_ns` readings taken right before the boto3 call and right after
    it returned. `queued_s` is how much of the time between them the request stood in line, where that was told.
    `body` is the complete answer as the service sent it, parsed; empty for a stream.
    """

    sent_at_ns: int
    headers_at_ns: int
    queued_s: float | None = None
    request_id: str | None = None
    body: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the visible answer, never empty. A chunk is not a token."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of the model's reasoning; never visible text. Empty for a redacted or signature-only piece."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of this call so far, as the service reported them; the last one wins. `None` is unknown, never 0.

    `input_tokens` includes what was read from or written to a prompt cache. `raw` is the service's own object.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    raw: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTiming:
    """The service's own clock, in seconds: the whole invocation, and the first byte where it is told.

    `queued_s` is the time in the line of the model of this machine, which is in none of the others. AWS tells none.
    """

    latency_s: float | None = None
    first_byte_s: float | None = None
    queued_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled:
    """Attempt `attempt` of `of` will start in `wait_s` seconds, because of `reason` (a sentence)."""

    attempt: int
    of: int
    wait_s: float
    reason: str
    error_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A cut answer goes on. `reset` means that the text so far is void and a new answer begins."""

    attempt: int
    of: int
    reset: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStop:
    """The family's terminal marker was seen: the answer is complete. `raw_reason` is the service's own word."""

    reason: StopReason
    raw_reason: str


StreamEvent = MessageStart | TextDelta | ReasoningDelta | Usage | ServerTiming | RetryScheduled | Resumed | MessageStop


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a sequence of events amounts to. `stop_reason` is `None` where no terminal marker was seen: cut short."""

    text: str = ""
    reasoning: str = ""
    usage: Usage | None = None
    server_timing: ServerTiming | None = None
    stop_reason: StopReason | None = None
    raw_stop_reason: str | None = None
    request_id: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the model said that it had finished."""
        return self.stop_reason is not None


class Accumulator:
    """Folds events into a `Completion`, one at a time; cheap per event, so that it can sit in the stream's path."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._usage: Usage | None = None
        self._timing: ServerTiming | None = None
        self._start: MessageStart | None = None
        self._stop: MessageStop | None = None

    def add(self, event: StreamEvent) -> None:
        """Takes one event in."""
        match event:
            case TextDelta(text):
                self._text.append(text)
            case ReasoningDelta(text):
                self._reasoning.append(text)
            case Usage():
                self._usage = event
            case ServerTiming():
                self._timing = event
            case MessageStart():
                self._start = event
            case MessageStop():
                self._stop = event
            case Resumed(reset=reset):
                if reset:
                    self._text.clear()
                    self._reasoning.clear()
            case RetryScheduled():
                pass
            case _:
                assert_never(event)

    def completion(self) -> Completion:
        """The fold of everything so far."""
        start, stop = self._start, self._stop
        return Completion(
            text="".join(self._text),
            reasoning="".join(self._reasoning),
            usage=self._usage,
            server_timing=self._timing,
            stop_reason=stop.reason if stop else None,
            raw_stop_reason=stop.raw_reason if stop else None,
            request_id=start.request_id if start else None,
        )


def accumulate(events: Iterable[StreamEvent]) -> Completion:
    """The completion that `events` amount to. Errors raised while iterating pass through."""
    accumulator = Accumulator()
    for event in events:
        accumulator.add(event)
    return accumulator.completion()


# --- what a model can do ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The closed interval that a parameter may lie in, and the model's own default where it is known."""

    low: float
    high: float
    default: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What one model takes and gives. `None` for a range: the model refuses the parameter; for a number: unknown.

    `prefill` says whether a trailing assistant turn is continued. `source` names where the facts come from and when
    they were read.
    """

    streaming: bool = True
    system_prompt: bool = True
    multi_turn: bool = True
    prefill: bool = False
    temperature: Range | None
    top_p: Range | None
    temperature_with_top_p: bool = True
    max_stop_sequences: int | None = None
    max_output_tokens: int | None = None
    context_tokens: int | None = None
    end_of_life: str | None = None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One line of the list that a person chooses from."""

    id: str
    label: str
    family: str
    backend: Literal["aws", "local"]
    streaming: bool = True
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCall:
    """One boto3 call, ready to send: exactly what *View request* shows.

    `operation` is the client's method name; `parameters` its keyword arguments (the body of an invoke call is already
    JSON text). `request` is what was asked as it passed the checks: without the parameters that the model does not
    take. `notices` are sentences for the person: what was left out and why, a model past its end of life.
    """

    operation: Literal["converse", "converse_stream", "invoke_model", "invoke_model_with_response_stream"]
    parameters: Mapping[str, Any]
    family: str
    request: GenerationRequest
    notices: tuple[str, ...] = ()
