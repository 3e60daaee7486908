"""What people hand to the Python API, as values of ours. Only the kind of a value is checked here; what a model takes
of it is the matter of `validation.py`.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from providers.errors import InvalidValueError
from providers.types import Message


class TextMessage(Protocol):
    """Anything with a role and a content, such as `ChatMessage`."""

    role: str
    content: str


def whole_number(value: Any, field: str, *, least: int) -> int:
    """`value`, a whole number of at least `least`. Raises `InvalidValueError`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidValueError(
            f"{field} must be a whole number, {least} or more; you gave {reprlib.repr(value)}.", field=field
        )
    return value


def text(value: Any, field: str) -> str:
    """`value`, a text. Raises `InvalidValueError`."""
    if not isinstance(value, str):
        raise InvalidValueError(f"{field} must be text; you gave {reprlib.repr(value)}.", field=field)
    return value


def stop_sequences(given: Any) -> tuple[str, ...]:
    """One text, or any number of them, or `None`. Raises `InvalidValueError`."""
    if given is None or isinstance(given, str):
        return () if given is None else (given,)
    if not isinstance(given, Iterable):
        raise InvalidValueError(
            f"stop_sequences must be a list of texts; you gave {reprlib.repr(given)}.", field="stop_sequences"
        )
    return tuple(given)


def turns(messages: Any, prompt: Any) -> tuple[tuple[Message, ...], str | None]:
    """Our messages and the system text among `messages`, with `prompt` as the next user turn.

    `messages` are mappings or objects with role and content. Raises `InvalidValueError`.
    """
    given = () if messages is None else messages
    if not isinstance(given, Iterable) or isinstance(given, str | bytes | Mapping):
        raise _refused(f"messages must be a list of messages; you gave {reprlib.repr(messages)}.")
    told: list[Message] = []
    system: list[str] = []
    for number, message in enumerate(given, start=1):
        role, content = _role_and_content(message, number)
        match role:
            case "system":
                system.append(content)
            case "user" | "assistant":
                told.append(Message(role=role, text=content))
            case _:
                raise _refused(
                    f"Message {number} has the role {reprlib.repr(role)}; it must be user, assistant or system."
                )
    question = "" if prompt is None else text(prompt, "prompt")
    if question or not told:
        told.append(Message(role="user", text=question))
    return tuple(told), "\n\n".join(system) or None


def _role_and_content(message: Any, number: int) -> tuple[Any, str]:
    if isinstance(message, Mapping):
        role, content = message.get("role"), message.get("content")
    else:
        role, content = getattr(message, "role", None), getattr(message, "content", None)
    if role is None or content is None:
        raise _refused(f"Message {number} must have a role and a content; you gave {reprlib.repr(message)}.")
    return role, _plain(content, number)


def _plain(content: Any, number: int) -> str:
    """The text of a message's content: a string, or blocks as Converse and the Messages API write them."""
    if isinstance(content, str):
        return content
    if isinstance(content, list | tuple) and all(isinstance(block, Mapping) for block in content):
        texts = [block["text"] for block in content if "text" in block]
        if all(isinstance(each, str) for each in texts):
            return "".join(texts)
    raise _refused(
        f"The content of message {number} must be text, or a list of blocks with text; "
        f"you gave {reprlib.repr(content)}."
    )


def _refused(sentence: str) -> InvalidValueError:
    return InvalidValueError(sentence, field="messages")
