"""The one place that tries again: before the first piece with a wait, after it by going on or starting over.

A generator around a provider's generator. Only `TransientError`s are tried again, capped in attempts and in seconds,
with full jitter; a wait ends at once when the call is cancelled. After the first piece a cut answer is continued where
the model takes an open assistant turn, started over where the caller allows that, and otherwise raised with what there
is; whatever goes wrong then is a `StreamInterruptedError`. Every further request is announced by a `RetryScheduled`.
Text is never delivered twice without a `Resumed(reset=True)` in between, and what was delivered stands until then.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field

from providers import errors
from providers.base import Provider
from providers.cancellation import Cancellation
from providers.registry import resolve
from providers.types import (
    Accumulator,
    GenerationRequest,
    Message,
    MessageStart,
    MessageStop,
    ModelInfo,
    PreparedCall,
    ReasoningDelta,
    Resumed,
    RetryScheduled,
    StreamEvent,
    TextDelta,
)

CHARS_PER_TOKEN = 4
"""Only to take what was said off the limit when an answer is continued; a guess, so the rest may run a little over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long. `attempts` counts the first one; all waits together are at most `max_wait_s`. `resume`
    continues a cut answer where the model can; `restart` also lets it begin again."""

    attempts: int = 3
    base_s: float = 0.5
    throttled_base_s: float = 1.0
    cap_s: float = 20.0
    max_wait_s: float = 30.0
    resume: bool = False
    restart: bool = False
    rng: random.Random = field(default_factory=random.Random)

    def wait_s(self, attempt: int, error: errors.ProviderError) -> float:
        """Seconds to wait after failed attempt number `attempt`: what the service asked for, else full jitter."""
        if error.retry_after_s is not None:
            return error.retry_after_s
        base = self.throttled_base_s if isinstance(error, errors.ThrottledError) else self.base_s
        return self.rng.uniform(0, min(self.cap_s, base * 2 ** (attempt - 1)))


class RetryingProvider:
    """A provider that keeps trying under a policy. `sleep` is used where no canceller can be waited on."""

    def __init__(self, inner: Provider, policy: RetryPolicy, *, sleep: Callable[[float], object] = time.sleep) -> None:
        self._inner = inner
        self._policy = policy
        self._sleep = sleep

    def models(self) -> Sequence[ModelInfo]:
        """As the inner provider."""
        return self._inner.models()

    def ahead(self, canceller: Cancellation) -> int | None:
        """As the inner provider."""
        return self._inner.ahead(canceller)

    def prepare(self, request: GenerationRequest, *, stream: bool) -> PreparedCall:
        """As the inner provider."""
        return self._inner.prepare(request, stream=stream)

    def stream(self, request: GenerationRequest, canceller: Cancellation | None = None) -> Generator[StreamEvent]:
        """As the inner provider, with `RetryScheduled` and `Resumed` among the events."""
        return _Attempts(self._inner.stream, request, self._policy, canceller, self._sleep).run()

    def invoke(self, request: GenerationRequest, canceller: Cancellation | None = None) -> Generator[StreamEvent]:
        """As the inner provider, with `RetryScheduled` and `Resumed` among the events."""
        return _Attempts(self._inner.invoke, request, self._policy, canceller, self._sleep).run()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One request to send. `reset` is `None` where nothing was delivered yet, else whether a new answer begins. `seam`
    is white space that had to be cut off the text that is continued; the watcher has it already, so it is dropped
    where the continuation begins with it."""

    request: GenerationRequest
    reset: bool | None = None
    seam: str = ""


class _Attempts:
    """The attempts at one request."""

    def __init__(
        self,
        call: Callable[[GenerationRequest, Cancellation | None], Generator[StreamEvent]],
        request: GenerationRequest,
        policy: RetryPolicy,
        canceller: Cancellation | None,
        sleep: Callable[[float], object],
    ) -> None:
        self._call = call
        self._request = request
        self._policy = policy
        self._canceller = canceller
        self._sleep = sleep
        self._seen = Accumulator()
        self._delivered = False
        self._attempt = 1
        self._waited_s = 0.0
        self._takes_prefill = True

    def run(self) -> Generator[StreamEvent]:
        step = _Step(request=self._request)
        while True:
            try:
                yield from self._one(step)
            except errors.ProviderError as error:
                following = self._next_step(error)
                scheduled = self._schedule(_cause(error)) if following else None
                if following is None or scheduled is None:
                    if self._delivered:
                        raise self._interrupted(error) from _cause(error)
                    raise
                step = following
            else:
                return
            yield scheduled
            if self._wait(scheduled.wait_s):
                return

    def _one(self, step: _Step) -> Generator[StreamEvent]:
        """One attempt."""
        with contextlib.closing(self._call(step.request, self._canceller)) as events:
            told: Iterator[StreamEvent] = events
            if step.reset is not None:
                announced = Resumed(attempt=self._attempt, of=self._policy.attempts, reset=step.reset)
                told = _going_on(events, announced, step.seam)
            for event in told:
                kind = type(event)
                if kind is TextDelta or kind is ReasoningDelta:
                    self._delivered = True
                self._seen.add(event)
                yield event

    def _wait(self, wait_s: float) -> bool:
        """Waits; true when the call was cancelled meanwhile."""
        if self._canceller is not None:
            return self._canceller.wait(wait_s)
        self._sleep(wait_s)
        return False

    def _schedule(self, cause: errors.ProviderError) -> RetryScheduled | None:
        """The announcement of the next attempt, where the policy leaves one. A fault that does not pass with time is
        not waited for."""
        passing = isinstance(cause, errors.TransientError | errors.StreamInterruptedError)
        wait_s = self._policy.wait_s(self._attempt, cause) if passing else 0.0
        if self._attempt >= self._policy.attempts or self._waited_s + wait_s > self._policy.max_wait_s:
            return None
        self._attempt += 1
        self._waited_s += wait_s
        return RetryScheduled(
            attempt=self._attempt,
            of=self._policy.attempts,
            wait_s=wait_s,
            reason=str(cause),
            error_type=type(cause).__name__,
        )

    def _next_step(self, error: errors.ProviderError) -> _Step | None:
        """What to send after `error`, if anything can help."""
        passing = isinstance(error, errors.TransientError)
        if not self._delivered:
            # Sent again, a request that we gave up waiting for would be paid twice, and wait as long once more.
            again = passing and not isinstance(error, errors.ModelSilentError)
            return _Step(request=self._request) if again else None
        if isinstance(error, errors.InvalidRequestError) and "prefill" in str(error).lower():
            self._takes_prefill = False  # what the table says of this model is out of date
        elif not passing and not isinstance(error, errors.StreamInterruptedError):
            return None
        partial = self._seen.completion()
        said = partial.text.rstrip()
        if self._policy.resume and said and not partial.reasoning and self._takes_prefill and self._prefill():
            return _Step(request=self._continued(said), reset=False, seam=partial.text[len(said) :])
        return _Step(request=self._request, reset=True) if self._policy.restart else None

    def _interrupted(self, error: errors.ProviderError) -> errors.StreamInterruptedError:
        """`error` with everything that was delivered and still stands."""
        cut = isinstance(error, errors.StreamInterruptedError)
        sentence = str(error) if cut else f"The answer was cut short: {error}"
        return errors.StreamInterruptedError(sentence, partial=self._seen.completion(), code=error.code)

    def _prefill(self) -> bool:
        request = self._request
        return resolve(request.model_id, family=request.family, api=request.api).capabilities.prefill

    def _continued(self, said: str) -> GenerationRequest:
        """The request with the partial answer as an open assistant turn, and the limit less what was said."""
        request = self._request
        opened = request.messages[-1].text if request.messages[-1].role == "assistant" else None
        earlier = request.messages[:-1] if opened is not None else request.messages
        limit = request.inference.max_tokens
        return dataclasses.replace(
            request,
            messages=(*earlier, Message(role="assistant", text=(opened or "") + said)),
            inference=dataclasses.replace(
                request.inference,
                max_tokens=None if limit is None else max(1, limit - len(said) // CHARS_PER_TOKEN),
            ),
        )


def _cause(error: errors.ProviderError) -> errors.ProviderError:
    """What cut the answer, where it has a name; otherwise `error` itself."""
    cause = error.__cause__ if isinstance(error, errors.StreamInterruptedError) else None
    return cause if isinstance(cause, errors.ProviderError) else error


def _going_on(events: Iterator[StreamEvent], announced: Resumed, seam: str) -> Iterator[StreamEvent]:
    """The events of a new attempt at a cut answer. Nothing is told before its first piece, or its end: until then what
    was delivered stands, with its usage."""
    held: list[StreamEvent] = [announced]
    for event in events:
        match event:
            case MessageStart():
                continue
            case TextDelta(text) if seam:
                text, seam = text.removeprefix(seam), ""
                if not text:
                    continue
                event = TextDelta(text)
        if not held:
            yield event
            continue
        held.append(event)
        if isinstance(event, TextDelta | ReasoningDelta | MessageStop):
            yield from held
            held.clear()
