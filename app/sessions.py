"""Which of those who have a key a Gradio session belongs to: the one who used its name first.

Gradio 6.31 asks nobody who watches, cancels or ends a session: its name is enough, and a browser makes that up of a few
random letters (read in its routes.py on 2026-11-23). The name comes in a path, in a query or in a JSON body. Ids of
events are not looked at: the server makes them, of 122 random bits, and tells them only to the session.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from urllib.parse import parse_qs

from starlette.types import Message, Receive, Scope

MAX_SESSIONS = 1000
"""Of each login. A page is one, and those that were used last count."""
MAX_NAME_CHARS = 64
ROOT = "/gradio_api/"
FIELD = "session_hash"
_IN_PATH = re.compile(rf"{ROOT}(?:heartbeat|stream)/([^/]+)")


class Sessions:
    """Names of sessions by login. Lives on the server's event loop."""

    def __init__(self, most: int = MAX_SESSIONS) -> None:
        self._most = most
        self._names: dict[str, OrderedDict[str, None]] = {}

    def admit(self, login: str, name: str) -> bool:
        """Whether `login` may use the session: it is its own, or nobody's, which makes it its own."""
        if len(name) > MAX_NAME_CHARS:
            return False
        own = self._names.setdefault(login, OrderedDict())
        if name not in own:
            if any(name in names for names in self._names.values()):
                return False
            own[name] = None
        own.move_to_end(name)
        if len(own) > self._most:
            own.popitem(last=False)
        return True


async def named_sessions(scope: Scope, receive: Receive) -> tuple[set[str], Receive]:
    """The sessions that a request to Gradio names, and its body again for whoever reads it next. A body is read for
    this as a whole; `receive` bounds it."""
    if not scope["path"].startswith(ROOT):
        return set(), receive
    names = set(_IN_PATH.findall(scope["path"]))
    names.update(parse_qs(scope["query_string"].decode("latin-1")).get(FIELD, ()))
    if scope["method"] == "POST":
        messages = await _whole(receive)
        names.update(_in_body(b"".join(message.get("body", b"") for message in messages)))
        receive = _again(messages, receive)
    return names, receive


def _in_body(body: bytes) -> set[str]:
    """What is no JSON names nothing: Gradio refuses it, too."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return set()
    name = said.get(FIELD) if isinstance(said, dict) else None
    return {name} if isinstance(name, str) else set()


async def _whole(receive: Receive) -> list[Message]:
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


def _again(messages: list[Message], receive: Receive) -> Receive:
    left = iter(messages)

    async def replay() -> Message:
        return next(left, None) or await receive()

    return replay
