"""A conversation that stays within bounds, and a small chat application on top of it, for use from Python."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from providers.client import DEFAULT_TEMPERATURE, BedrockClient

DEFAULT_CHAT_MODEL = "local.smollm2-135m-instruct"


@dataclass(slots=True)
class ChatMessage:
    """One message: `role` is user, assistant or system; `content` is its text."""

    role: str
    content: str

    def to_dict(self) -> dict[str, str]:
        """`{"role": …, "content": …}`."""
        return {"role": self.role, "content": self.content}


class ChatConversation:
    """Messages in order, at most `max_messages` of them.

    A system message at the beginning is never trimmed away. What is left after trimming is a history that every model
    family accepts: it begins with a user turn and alternates.
    """

    def __init__(self, max_messages: int = 10) -> None:
        if max_messages < 2:
            raise ValueError(f"max_messages must be 2 or more; you gave {max_messages}.")
        self.max_messages = max_messages
        self.messages: list[ChatMessage] = []

    def add_message(self, role: str, content: str) -> None:
        """Appends a message and trims the oldest ones. Raises `ValueError` for a role that does not exist."""
        if role not in ("system", "user", "assistant"):
            raise ValueError(f"The role must be system, user or assistant; you gave {role!r}.")
        self.messages.append(ChatMessage(role, content))
        self._trim()

    def get_formatted_messages(self) -> list[dict[str, str]]:
        """The messages as dicts. Turns of the same role in a row, as a failed answer leaves them, are joined."""
        formatted: list[dict[str, str]] = []
        for message in self.messages:
            if formatted and formatted[-1]["role"] == message.role:
                formatted[-1]["content"] += "\n\n" + message.content
            elif message.role != "assistant" or any(earlier["role"] == "user" for earlier in formatted):
                formatted.append(message.to_dict())
        return formatted

    def _trim(self) -> None:
        if len(self.messages) <= self.max_messages:
            return
        head = self.messages[:1] if self.messages[0].role == "system" else []
        tail = self.messages[len(head) :][-(self.max_messages - len(head)) :]
        # A history that begins in the middle of an exchange is refused by most families.
        while len(tail) > 1 and tail[0].role != "user":
            del tail[0]
        self.messages = head + tail


class StreamingChatApp:
    """A chat with one model: history in, pieces out."""

    def __init__(
        self,
        model_id: str = DEFAULT_CHAT_MODEL,
        *,
        client: BedrockClient | None = None,
        system: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = 500,
        max_messages: int = 10,
    ) -> None:
        self.model_id = model_id
        self.temperature = temperature
        self.max_tokens = max_tokens
        self.client = client or BedrockClient()
        self.conversation = ChatConversation(max_messages)
        if system:
            self.conversation.add_message("system", system)

    def send_message(
        self, message: str, stream_handler: Callable[[str], object] | None = None
    ) -> Generator[str, None, str]:
        """Pieces of the answer to `message`; returns the whole text, and keeps both turns in the conversation.

        `stream_handler(piece)` is called for each piece as well. An answer that was cut, failed or left early keeps
        what had arrived. Raises as `BedrockClient.generate_text` does, while iterating.
        """
        history = [*self.conversation.get_formatted_messages(), {"role": "user", "content": message}]
        pieces = self.client.generate_text(
            self.model_id, "", self.temperature, self.max_tokens, stream=True, messages=_alternating(history)
        )
        assert isinstance(pieces, Generator)  # stream=True without a callback
        said = ""
        self.conversation.add_message("user", message)
        try:
            for piece in pieces:
                said += piece
                if stream_handler is not None:
                    stream_handler(piece)
                yield piece
        finally:
            pieces.close()
            if said:
                self.conversation.add_message("assistant", said)
        return said


def _alternating(history: list[dict[str, str]]) -> list[dict[str, str]]:
    """Joins the new user turn with one that got no answer."""
    if len(history) > 1 and history[-2]["role"] == "user":
        joined = {"role": "user", "content": f"{history[-2]['content']}\n\n{history[-1]['content']}"}
        return [*history[:-2], joined]
    return history
