"""Trying again: before the first piece, after it, and never twice the same text."""

from __future__ import annotations

import random
import threading
import time

import pytest

from providers import errors
from providers.bedrock import BedrockProvider
from providers.cancellation import Cancellation
from providers.local.event_stream import exception_frame
from providers.retry import RetryingProvider, RetryPolicy
from providers.types import Resumed, RetryScheduled, StreamEvent, TextDelta, accumulate
from tests.providers.conftest import ask
from tests.wire import (
    Reply,
    WireServer,
    chunk_frames,
    failure,
    hang_up,
    stop_frames,
    stream,
    text_frames,
)

PREFILLS = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
THROTTLED = failure("429 Too Many Requests", "ThrottlingException", "Too many requests.")
ANSWER = stream([*text_frames("Hel", "lo"), *stop_frames()])
CUT = stream(text_frames("Hel", "lo, wor"), hang_up)
NO_WAIT = RetryPolicy(base_s=0, throttled_base_s=0)
RESTART = RetryPolicy(base_s=0, throttled_base_s=0, restart=True)
GOING_ON = RetryPolicy(base_s=0, throttled_base_s=0, resume=True, restart=True)
DENIED = failure("403 Forbidden", "AccessDeniedException", "No access for you.")
QUOTA = failure("400 Bad Request", "ServiceQuotaExceededException", "Used up.")
TOO_LONG = failure("400 Bad Request", "ValidationException", "Input is too long.")
BUSY = failure("503 Service Unavailable", "ServiceUnavailableException", "Busy.", {"Retry-After": "3"})


def retrying(provider: BedrockProvider, policy: RetryPolicy) -> RetryingProvider:
    return RetryingProvider(provider, policy)


def test_a_throttled_call_is_tried_again(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(THROTTLED, ANSWER)
    events = list(retrying(provider, NO_WAIT).stream(ask()))
    scheduled = events[0]
    assert isinstance(scheduled, RetryScheduled)
    assert (scheduled.attempt, scheduled.of, scheduled.error_type) == (2, 3, "ThrottledError")
    assert accumulate(events).text == "Hello"
    assert len(wire.asked) == 2


def test_throttling_inside_the_stream_before_any_text_is_the_same(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(stream([*text_frames(), exception_frame("throttlingException", "Slow down.")]), ANSWER)
    assert accumulate(retrying(provider, NO_WAIT).stream(ask())).text == "Hello"
    assert len(wire.asked) == 2


@pytest.mark.parametrize("attempts", [1, 3])
def test_attempts_are_capped(wire: WireServer, provider: BedrockProvider, attempts: int) -> None:
    wire.reply_with(THROTTLED)
    policy = RetryPolicy(attempts=attempts, base_s=0, throttled_base_s=0)
    with pytest.raises(errors.ThrottledError):
        list(retrying(provider, policy).stream(ask()))
    assert len(wire.asked) == attempts


def test_what_cannot_succeed_is_not_tried_again(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(failure("424 Failed Dependency", "ModelErrorException", "Broken."))
    with pytest.raises(errors.ModelFailedError):
        list(retrying(provider, NO_WAIT).stream(ask()))
    assert len(wire.asked) == 1


def test_waits_are_capped_in_seconds(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(failure("429 Too Many Requests", "ThrottlingException", "Later.", {"Retry-After": "120"}))
    with pytest.raises(errors.ThrottledError) as caught:
        list(retrying(provider, RetryPolicy(max_wait_s=30)).stream(ask()))
    assert caught.value.retry_after_s == 120
    assert len(wire.asked) == 1


def test_a_wait_ends_at_once_when_cancelled(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(failure("429 Too Many Requests", "ThrottlingException", "Later.", {"Retry-After": "20"}))
    canceller = Cancellation()
    waiting = threading.Event()

    def read() -> None:
        for event in retrying(provider, RetryPolicy()).stream(ask(), canceller):
            if isinstance(event, RetryScheduled):
                waiting.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert waiting.wait(5)
    began = time.perf_counter()
    canceller.cancel()
    reader.join(2)
    assert not reader.is_alive()
    assert time.perf_counter() - began < 2.0
    assert len(wire.asked) == 1


def test_jitter_is_full_and_grows() -> None:
    policy = RetryPolicy(base_s=1.0, cap_s=8.0, rng=random.Random(7))
    error = errors.InternalServiceError("x")
    for attempt, top in ((1, 1.0), (2, 2.0), (3, 4.0), (9, 8.0)):
        waits = [policy.wait_s(attempt, error) for _ in range(300)]
        assert 0 <= min(waits) < 0.05 * top
        assert 0.95 * top < max(waits) <= top


# --- after the first piece --------------------------------------------------------------------------------------------


def claude(*texts: str, stop: bool = True) -> list[bytes]:
    chunks: list[object] = [{"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1}}}]
    chunks += [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": t}} for t in texts]
    if stop:
        chunks += [
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
            {"type": "message_stop"},
        ]
    return chunk_frames(*chunks)


@pytest.mark.parametrize("rest", [("three.",), (" three.",), (" ", "three.")])
def test_a_model_that_takes_an_open_turn_goes_on_from_there(
    wire: WireServer, provider: BedrockProvider, rest: tuple[str, ...]
) -> None:
    wire.reply_with(stream(claude("One, ", "two, ", stop=False), hang_up), stream(claude(*rest)))
    policy = RetryPolicy(resume=True, base_s=0)
    events = list(retrying(provider, policy).stream(ask(PREFILLS, api="auto", max_tokens=100)))
    assert Resumed(attempt=2, of=3, reset=False) in events
    # The white space that had to be cut off the open turn stands there once, whether it comes again or not.
    assert accumulate(events).text == "One, two, three."
    assert wire.asked[1].body["messages"][-1]["role"] == "assistant"
    assert text_of(wire.asked[1].body["messages"][-1]) == "One, two,"
    assert wire.asked[1].body["max_tokens"] < 100


def test_a_model_that_does_not_starts_over_where_that_is_allowed(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(CUT, ANSWER)
    events = list(retrying(provider, GOING_ON).stream(ask("qwen.qwen3-32b-v1:0")))
    assert Resumed(attempt=2, of=3, reset=True) in events
    assert accumulate(events).text == "Hello"
    assert len(wire.asked[1].body["messages"]) == 1


def test_otherwise_the_interruption_is_raised_with_what_there_is(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(CUT, ANSWER)
    got: list[StreamEvent] = []
    with pytest.raises(errors.StreamInterruptedError) as caught:
        got.extend(retrying(provider, RetryPolicy()).stream(ask()))
    assert caught.value.partial.text == "Hello, wor" == accumulate(got).text
    assert len(wire.asked) == 1


def test_attempts_count_for_resuming_too(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(stream(claude("a ", stop=False), hang_up))
    with pytest.raises(errors.StreamInterruptedError) as caught:
        list(retrying(provider, RetryPolicy(attempts=2, base_s=0, resume=True)).stream(ask(PREFILLS, api="auto")))
    assert len(wire.asked) == 2
    assert caught.value.partial.text == "a a "


def test_a_model_that_refuses_the_open_turn_after_all_starts_over(wire: WireServer, provider: BedrockProvider) -> None:
    refused = failure(
        "400 Bad Request", "ValidationException", "This model does not support assistant message prefill."
    )
    wire.reply_with(stream(claude("a ", stop=False), hang_up), refused, stream(claude("whole")))
    assert accumulate(retrying(provider, GOING_ON).stream(ask(PREFILLS, api="auto"))).text == "whole"
    assert len(wire.asked) == 3


def test_no_piece_is_delivered_twice_without_a_reset(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(CUT, CUT, ANSWER)
    shown = ""
    for event in retrying(provider, RESTART).stream(ask()):
        match event:
            case Resumed(reset=True):
                shown = ""
            case TextDelta(text):
                shown += text
    assert shown == "Hello"


@pytest.mark.parametrize("refusal", [DENIED, QUOTA, TOO_LONG])
@pytest.mark.parametrize("model_id", [PREFILLS, "qwen.qwen3-32b-v1:0"])
def test_a_refusal_after_the_first_piece_is_an_interruption_with_the_text(
    wire: WireServer, provider: BedrockProvider, refusal: Reply, model_id: str
) -> None:
    wire.reply_with(CUT, refusal)
    got: list[StreamEvent] = []
    with pytest.raises(errors.StreamInterruptedError) as caught:
        got.extend(retrying(provider, GOING_ON).stream(ask(model_id)))
    cause = caught.value.__cause__
    assert isinstance(cause, errors.RequestError)
    assert caught.value.code == cause.code
    assert str(cause) in str(caught.value)
    assert caught.value.partial.text == "Hello, wor"
    assert len(wire.asked) == 2


def test_what_was_delivered_stands_until_a_new_answer_begins(wire: WireServer, provider: BedrockProvider) -> None:
    silent = stream([*text_frames(), exception_frame("throttlingException", "Slow down.")])
    wire.reply_with(CUT, silent, THROTTLED)
    got: list[StreamEvent] = []
    with pytest.raises(errors.StreamInterruptedError) as caught:
        got.extend(retrying(provider, GOING_ON).stream(ask()))
    assert len(wire.asked) == 3
    assert caught.value.partial.text == "Hello, wor"
    assert not [event for event in got if isinstance(event, Resumed)]
    assert [event.attempt for event in got if isinstance(event, RetryScheduled)] == [2, 3]


def test_usage_of_an_attempt_that_says_nothing_is_not_that_of_the_answer(
    wire: WireServer, provider: BedrockProvider
) -> None:
    silent = [{"type": "message_start", "message": {"usage": {"input_tokens": 99, "output_tokens": 1}}}]
    wire.reply_with(stream(claude("a ", stop=False), hang_up), stream(chunk_frames(*silent), hang_up))
    with pytest.raises(errors.StreamInterruptedError) as caught:
        list(retrying(provider, GOING_ON).stream(ask(PREFILLS, api="auto")))
    usage = caught.value.partial.usage
    assert usage is not None
    assert usage.input_tokens == 3


def test_a_new_answer_may_be_empty(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(CUT, stream([*text_frames(), *stop_frames()]))
    completion = accumulate(retrying(provider, RESTART).stream(ask()))
    assert (completion.text, completion.is_complete) == ("", True)


def test_going_on_waits_and_is_announced_where_it_happens(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(stream(claude("One, ", stop=False), hang_up), BUSY, stream(claude("two.")))
    waited: list[float] = []
    policy = RetryPolicy(resume=True, rng=random.Random(7))
    told: list[object] = []
    for event in RetryingProvider(provider, policy, sleep=waited.append).stream(ask(PREFILLS, api="auto")):
        match event:
            case TextDelta(text):
                told.append(text)
            case RetryScheduled(attempt=attempt, error_type=error_type) | Resumed(attempt=attempt, of=error_type):
                told.append((type(event), attempt, error_type))
    assert told == [
        "One, ",
        (RetryScheduled, 2, "ConnectionFailedError"),
        (RetryScheduled, 3, "ServiceUnavailableError"),
        (Resumed, 3, 3),
        "two.",
    ]
    assert 0 < waited[0] <= 0.5
    assert waited[1] == 3


def test_a_cut_by_throttling_waits_as_throttling_asks(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(stream([*text_frames("Hel"), exception_frame("throttlingException", "Slow down.")]), ANSWER)
    waited: list[float] = []
    policy = RetryPolicy(base_s=0, restart=True)
    assert accumulate(RetryingProvider(provider, policy, sleep=waited.append).stream(ask())).text == "Hello"
    assert 0 < waited[0] <= 1


def test_waits_after_the_first_piece_are_capped_too(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(CUT, BUSY, ANSWER)
    waited: list[float] = []
    policy = RetryPolicy(base_s=0, max_wait_s=2, restart=True)
    with pytest.raises(errors.StreamInterruptedError) as caught:
        list(RetryingProvider(provider, policy, sleep=waited.append).stream(ask()))
    assert (waited, len(wire.asked), caught.value.partial.text) == ([0], 2, "Hello, wor")


def test_a_wait_after_the_first_piece_ends_at_once_when_cancelled(wire: WireServer, provider: BedrockProvider) -> None:
    wire.reply_with(CUT, BUSY, ANSWER)
    canceller = Cancellation()
    for event in RetryingProvider(provider, GOING_ON).stream(ask(), canceller):
        if isinstance(event, RetryScheduled) and event.wait_s == 3:
            canceller.cancel()
            began = time.perf_counter()
    assert time.perf_counter() - began < 2.0
    assert len(wire.asked) == 2


def text_of(message: dict[str, object]) -> object:
    content = message["content"]
    return content[0]["text"] if isinstance(content, list) else content
