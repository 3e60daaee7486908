"""What a run keeps of an answer: text and reasoning apart, and nothing of an answer that was begun again."""

from __future__ import annotations

from app.received import Received
from providers.types import MessageStart, MessageStop, ReasoningDelta, Resumed, RetryScheduled, StopReason, Usage

AGAIN = RetryScheduled(attempt=2, of=3, wait_s=1.0, reason="Busy.", error_type="ThrottledError")


def take(received: Received, text: str, at_ns: int) -> None:
    received.pieces.append(text)
    received.chunks.append((at_ns, "text", len(text)))
    received.first_text_ns = received.first_text_ns or at_ns


def test_what_is_told_beside_the_text_is_part_of_the_completion() -> None:
    received = Received()
    received.note(MessageStart(sent_at_ns=1, headers_at_ns=5, queued_s=0.25, request_id="r"), 5)
    received.note(ReasoningDelta("Hm. "), 6)
    take(received, "Hello", 7)
    received.note(Usage(output_tokens=3), 8)
    received.note(MessageStop(reason=StopReason.END_TURN, raw_reason="end_turn"), 9)
    done = received.completion()
    assert (done.text, done.reasoning, done.request_id, done.is_complete) == ("Hello", "Hm. ", "r", True)
    assert done.usage == Usage(output_tokens=3)
    assert received.chunks == [(6, "reasoning", 4), (7, "text", 5)]
    assert received.queued_s == 0.25


def test_a_retry_is_told_until_something_comes() -> None:
    received = Received()
    received.note(AGAIN, 1)
    assert (received.retry, received.resends) == (AGAIN, 1)
    received.note(MessageStart(sent_at_ns=2, headers_at_ns=3), 3)
    assert (received.retry, received.resends) == (None, 1)


def test_an_answer_that_begins_again_leaves_nothing_of_the_first() -> None:
    received = Received()
    take(received, "Hel", 1)
    received.begin_again()
    received.note(Resumed(attempt=2, of=3, reset=True), 2)
    take(received, "Bonjour", 3)
    assert received.completion().text == "Bonjour"
    assert received.chunks == [(3, "text", 7)]
    assert (received.resets, received.resends, received.resumed, received.first_text_ns) == (1, 1, False, 3)


def test_an_answer_that_goes_on_keeps_what_was_said() -> None:
    received = Received()
    take(received, "Hel", 1)
    received.note(Resumed(attempt=2, of=3, reset=False), 2)
    take(received, "lo", 3)
    assert received.completion().text == "Hello"
    assert (received.resets, received.resumed, received.first_text_ns) == (0, True, 1)
