"""StreamingSession and handle_stream_interruptions as a program outside this project uses them."""

from __future__ import annotations

import pytest

from providers import BedrockClient, StreamingSession, StreamInterruptedError, handle_stream_interruptions
from tests.providers.test_client import ANSWER, HAIKU, QWEN, Heard
from tests.providers.test_retry import CUT, DENIED, claude
from tests.wire import WireServer, hang_up, stream, text_frames


@pytest.fixture
def client(wire: WireServer) -> BedrockClient:
    return BedrockClient(endpoint_url=wire.url)


def test_a_session_goes_on_after_a_cut(wire: WireServer, client: BedrockClient) -> None:
    wire.reply_with(stream(claude("One, ", stop=False), hang_up), stream(claude("two.")))
    heard = Heard()
    session = StreamingSession(client, HAIKU, "Count", callback=heard)
    assert session.start() == "One, two."
    assert (session.complete_text, session.is_complete, session.attempt) == ("One, two.", True, 2)
    assert heard.calls == [("One, ", False), ("two.", False), ("", True)]


def test_without_on_reset_a_model_that_cannot_go_on_raises(wire: WireServer, client: BedrockClient) -> None:
    wire.reply_with(stream(text_frames("Hel"), hang_up), ANSWER)
    heard = Heard()
    session = StreamingSession(client, QWEN, "Hi", callback=heard, api="converse")
    with pytest.raises(StreamInterruptedError):
        session.start()
    assert (session.complete_text, session.is_complete) == ("Hel", False)
    assert heard.calls[-1][1] is True
    assert heard.calls[-1][0].startswith("Error: ")


def test_with_on_reset_it_starts_over_and_says_so(wire: WireServer, client: BedrockClient) -> None:
    wire.reply_with(stream(text_frames("Hel"), hang_up), ANSWER)
    shown: list[str] = []
    text = handle_stream_interruptions(
        client,
        QWEN,
        "Hi",
        callback=lambda piece, _: shown.append(piece),
        on_reset=shown.clear,
        api="converse",
    )
    assert text == "Hello" == "".join(shown)
    assert len(wire.asked) == 2


def test_attempts_count_the_first_one(wire: WireServer, client: BedrockClient) -> None:
    wire.reply_with(stream(claude("a", stop=False), hang_up))
    with pytest.raises(StreamInterruptedError):
        handle_stream_interruptions(client, HAIKU, "Hi", max_attempts=2)
    assert len(wire.asked) == 2


def test_a_new_answer_that_never_begins_leaves_the_text_alone(wire: WireServer, client: BedrockClient) -> None:
    wire.reply_with(CUT, DENIED)
    resets: list[None] = []
    heard = Heard()
    session = StreamingSession(client, QWEN, "Hi", callback=heard, on_reset=lambda: resets.append(None), api="converse")
    with pytest.raises(StreamInterruptedError) as caught:
        session.start()
    assert caught.value.partial.text == "Hello, wor" == session.complete_text
    assert resets == []
    assert [call[1] for call in heard.calls] == [False, False, True]
    assert (session.attempt, session.is_complete) == (2, False)


def test_what_on_reset_raises_is_no_failure_of_the_answer(wire: WireServer, client: BedrockClient) -> None:
    wire.reply_with(CUT, ANSWER)
    heard = Heard()

    def on_reset() -> None:
        raise ValueError("cannot clear")

    with pytest.raises(ValueError, match="cannot clear"):
        handle_stream_interruptions(client, QWEN, "Hi", callback=heard, on_reset=on_reset, api="converse")
    assert heard.calls == [("Hel", False), ("lo, wor", False)]
