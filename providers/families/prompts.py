"""Prompts written by hand, for models whose only input is one text.

Roles are words in that text, so text of a person must not be able to write them: see `defused`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from providers.types import Message


def defused(text: str, control: re.Pattern[str]) -> str:
    """`text` in which the first character of every match of `control` is followed by a blank.

    Text of a person must not open a turn of its own in a prompt template. A blank is enough: the tokenizers take these
    words as control tokens only letter by letter, and it stays visible in the request that is shown.
    """
    return control.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


_ROLE_AT_LINE_START = re.compile(r"(?<=\n)(?=(?:User|Bot):)|^(?=(?:User|Bot):)")


def transcript(messages: Sequence[Message]) -> str:
    """A conversation as plain text, with the last turn left open, for models without roles.

    The words are those of the Titan Text page of the Bedrock user guide (read 2026-11-22).
    """
    lines = [
        f"{'User' if message.role == 'user' else 'Bot'}: {_ROLE_AT_LINE_START.sub(' ', message.text)}"
        for message in messages
    ]
    if messages and messages[-1].role == "user":
        lines.append("Bot:")
    return "\n".join(lines)


_TURN = re.compile(r"^(User|Bot):(?: |$)", re.MULTILINE)


def read_transcript(text: str) -> tuple[Message, ...]:
    """The conversation that `transcript` wrote; any other text is one question."""
    if not text.startswith("User: "):
        return (Message(role="user", text=text),)
    parts = _TURN.split(text)[1:]
    messages = [
        Message(role="user" if role == "User" else "assistant", text=said.removesuffix("\n"))
        for role, said in zip(parts[::2], parts[1::2], strict=True)
    ]
    if messages[-1].role == "assistant" and not messages[-1].text:
        messages.pop()
    return tuple(messages)
