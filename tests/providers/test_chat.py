"""The conversation that stays within bounds, and the chat application on the local model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import (
    BedrockClient,
    ChatConversation,
    ChatMessage,
    StreamingChatApp,
    StreamInterruptedError,
    arguments,
)
from providers.errors import AccessDeniedError
from providers.types import Capabilities, GenerationRequest
from providers.validation import check
from tests.providers.test_retry import DENIED, claude, text_of
from tests.wire import WireServer, hang_up, stream

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


def test_a_message_is_a_dict() -> None:
    assert ChatMessage("user", "Hi").to_dict() == {"role": "user", "content": "Hi"}


def test_the_system_prompt_stays() -> None:
    chat = ChatConversation(max_messages=4)
    chat.add_message("system", "Be brief.")
    for turn in range(10):
        chat.add_message("user", f"question {turn}")
        chat.add_message("assistant", f"answer {turn}")
    assert chat.messages[0] == ChatMessage("system", "Be brief.")
    assert [message.content for message in chat.messages[1:]] == ["question 9", "answer 9"]


@given(
    limit=st.integers(2, 12),
    given_messages=st.lists(
        st.tuples(st.sampled_from(["user", "assistant", "system"]), st.sampled_from(["text", "more", " "])), max_size=40
    ),
)
def test_what_is_held_is_accepted_by_every_family(limit: int, given_messages: list[tuple[str, str]]) -> None:
    chat = ChatConversation(max_messages=limit)
    asked = None
    for number, (role, content) in enumerate(given_messages):
        said = content if content == " " else f"{content} {number}"
        chat.add_message(role, said)
        asked = said if role == "user" else asked
        assert len(chat.messages) <= limit
        assert "system" not in [message.role for message in chat.messages[1:]]
        assert asked is None or ChatMessage("user", asked) in chat.messages
    assert (chat.messages[:1] != [] and chat.messages[0].role == "system") == ("system" in dict(given_messages))
    turns = [message for message in chat.get_formatted_messages() if message["role"] != "system"]
    if turns:  # as validation.py checks every request
        messages, _ = arguments.turns(turns, None)
        takes = Capabilities(prefill=True, temperature=None, top_p=None, source="test")
        check(GenerationRequest(model_id="any", messages=messages), takes, stream=True)


def test_a_system_message_that_comes_later_joins_the_first() -> None:
    chat = ChatConversation(max_messages=2)
    chat.add_message("user", "Hi")
    chat.add_message("system", "Be brief.")
    chat.add_message("system", "Be kind.")
    assert chat.messages == [ChatMessage("system", "Be brief.\n\nBe kind."), ChatMessage("user", "Hi")]


def test_the_smallest_conversation_holds_the_newest_question() -> None:
    chat = ChatConversation(max_messages=2)
    chat.add_message("system", "Be brief.")
    for turn in range(3):
        chat.add_message("user", f"question {turn}")
        assert chat.messages[1:] == [ChatMessage("user", f"question {turn}")]
        chat.add_message("assistant", f"answer {turn}")
        assert chat.messages[1:] == [ChatMessage("user", f"question {turn}")]


def test_a_row_of_answers_does_not_push_the_question_out() -> None:
    chat = ChatConversation(max_messages=3)
    for role, content in (("user", "q"), ("assistant", "a"), ("assistant", "b"), ("assistant", "c")):
        chat.add_message(role, content)
    assert [message.content for message in chat.messages] == ["q", "b", "c"]
    assert chat.get_formatted_messages() == [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "b\n\nc"},
    ]


@pytest.mark.parametrize("value", [1, 0, None, True, 2.0])
def test_a_limit_that_holds_no_exchange_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="max_messages"):
        ChatConversation(value)


@pytest.mark.parametrize("content", [None, 5, ["Hi"]])
def test_a_content_that_is_no_text_is_refused(content: Any) -> None:
    with pytest.raises(ValueError, match="content"):
        ChatConversation().add_message("user", content)


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(ValueError, match="wizard"):
        ChatConversation().add_message("wizard", "Hi")


def test_the_app_keeps_the_conversation(wire: WireServer) -> None:
    wire.reply_with(stream(claude("Hel", "lo")))
    app = StreamingChatApp(HAIKU, client=BedrockClient(endpoint_url=wire.url), system="Be brief.")
    heard: list[str] = []
    assert list(app.send_message("Hi", heard.append)) == heard == ["Hel", "lo"]
    assert list(app.send_message("Again")) == ["Hel", "lo"]
    said = [(message.role, message.content) for message in app.conversation.messages]
    assert said == [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "Again"),
        ("assistant", "Hello"),
    ]
    sent = wire.asked[1].body["messages"]
    assert [turn["role"] for turn in sent] == ["user", "assistant", "user"]


def test_a_cut_answer_is_kept(wire: WireServer) -> None:
    wire.reply_with(stream(claude("Hel", stop=False), hang_up))
    app = StreamingChatApp(HAIKU, client=BedrockClient(endpoint_url=wire.url))
    with pytest.raises(StreamInterruptedError):
        list(app.send_message("Hi"))
    assert [message.content for message in app.conversation.messages] == ["Hi", "Hel"]


def test_a_question_without_an_answer_is_asked_along_with_the_next(wire: WireServer) -> None:
    wire.reply_with(DENIED, stream(claude("Hello")))
    app = StreamingChatApp(HAIKU, client=BedrockClient(endpoint_url=wire.url), max_messages=2)
    with pytest.raises(AccessDeniedError):
        list(app.send_message("One"))
    assert list(app.send_message("Two")) == ["Hello"]
    sent = wire.asked[1].body["messages"]
    assert [(turn["role"], text_of(turn)) for turn in sent] == [("user", "One\n\nTwo")]


@pytest.mark.parametrize("message", ["", " ", None, 5])
def test_a_message_that_says_nothing_is_refused_and_not_kept(wire: WireServer, message: Any) -> None:
    app = StreamingChatApp(HAIKU, client=BedrockClient(endpoint_url=wire.url))
    with pytest.raises(ValueError, match=r"[Pp]rompt|message"):
        list(app.send_message(message))
    assert (app.conversation.messages, wire.asked) == ([], [])


def test_a_message_that_could_not_be_asked_is_not_kept(wire: WireServer) -> None:
    app = StreamingChatApp(HAIKU, client=BedrockClient(endpoint_url=wire.url), temperature=7)
    with pytest.raises(ValueError, match="temperature"):
        list(app.send_message("Hi"))
    assert app.conversation.messages == []


def test_the_app_speaks_with_the_local_model_by_default() -> None:
    app = StreamingChatApp(max_tokens=12)
    assert "".join(app.send_message("Say hello.")).strip()
