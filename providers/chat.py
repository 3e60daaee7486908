"""A conversation that stays within bounds, and a small chat application on top of it, for use from Python."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from providers.arguments import text, whole_number
from providers.client import DEFAULT_TEMPERATURE, BedrockClient
from providers.errors import InvalidValueError, ProviderError
from providers.validation import is_blank

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

    The system prompt is the first message and is never trimmed away; a system message that comes later is joined to
    it. What is left after trimming begins with a user turn and holds the newest one.
    """

    def __init__(self, max_messages: int = 10) -> None:
        self.max_messages = whole_number(max_messages, "max_messages", least=2)
        self.messages: list[ChatMessage] = []

    def add_message(self, role: str, content: str) -> None:
        """Appends a message and trims the oldest ones. Raises `ValueError` for a role that does not exist, or a content
        that is no text."""
        if role not in ("system", "user", "assistant"):
            raise InvalidValueError(f"The role must be system, user or assistant; you gave {role!r}.", field="role")
        message = ChatMessage(role, text(content, "content"))
        if role != "system":
            self.messages.append(message)
        elif self.messages and self.messages[0].role == "system":
            self.messages[0] = ChatMessage(role, f"{self.messages[0].content}\n\n{content}")
        else:
            self.messages.insert(0, message)
        self._trim()

    def get_formatted_messages(self) -> list[dict[str, str]]:
        """The messages as dicts, as every model family accepts them: the user begins, and roles alternate.

        Turns of the same role in a row, as a failed answer leaves them, are joined. Empty messages, and answers before
        the first question, are left out.
        """
        formatted: list[dict[str, str]] = []
        for message in sorted(self.messages, key=lambda message: message.role != "system"):
            if is_blank(message.content):
                continue
            if formatted and formatted[-1]["role"] == message.role:
                formatted[-1]["content"] += "\n\n" + message.content
            elif message.role != "assistant" or any(earlier["role"] == "user" for earlier in formatted):
                formatted.append(message.to_dict())
        return formatted

    def _trim(self) -> None:
        if len(self.messages) <= self.max_messages:
            return
        head = self.messages[:1] if self.messages[0].role == "system" else []
        turns = self.messages[len(head) :]
        room = self.max_messages - len(head)
        asked = [number for number, turn in enumerate(turns) if turn.role == "user"]
        kept = [number for number in asked if number >= len(turns) - room]
        if kept:
            # A history that begins in the middle of an exchange is refused by most families.
            turns = turns[kept[0] :]
        elif asked:
            turns = [turns[asked[-1]], *turns[len(turns) - room + 1 :]]
        else:
            turns = turns[-room:]
        self.messages = head + turns


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
        if is_blank(text(message, "message")):
            raise InvalidValueError("Prompt is required: write what the model should answer.", field="message")
        before = list(self.conversation.messages)
        self.conversation.add_message("user", message)
        history = self.conversation.get_formatted_messages()
        try:
            pieces = self.client.generate_text(
                self.model_id, "", self.temperature, self.max_tokens, stream=True, messages=history
            )
        except (ProviderError, ValueError):
            self.conversation.messages = before  # it was never asked
            raise
        assert isinstance(pieces, Generator)  # stream=True without a callback
        said = ""
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
