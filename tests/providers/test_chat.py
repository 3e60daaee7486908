"""The conversation that stays within bounds, and the chat application on the local model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import BedrockClient, ChatConversation, ChatMessage, StreamingChatApp, StreamInterruptedError
from tests.providers.test_retry import claude
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
    system=st.booleans(),
    limit=st.integers(2, 12),
    roles=st.lists(st.sampled_from(["user", "assistant"]), max_size=40),
)
def test_what_is_left_is_accepted_by_every_family(system: bool, limit: int, roles: list[str]) -> None:
    chat = ChatConversation(max_messages=limit)
    if system:
        chat.add_message("system", "s")
    for role in roles:
        chat.add_message(role, role)
        assert len(chat.messages) <= limit
    turns = [message["role"] for message in chat.get_formatted_messages() if message["role"] != "system"]
    assert turns == ["user" if index % 2 == 0 else "assistant" for index in range(len(turns))]
    assert "user" not in roles[-1:] or turns[-1:] == ["user"]


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


def test_the_app_speaks_with_the_local_model_by_default() -> None:
    app = StreamingChatApp(max_tokens=12)
    assert "".join(app.send_message("Say hello.")).strip()
