"""The door: which hosts and origins may come in, how much they may bring, and the headers that every answer wears.

Pure ASGI, so that streams pass through untouched. A web page that the person has open elsewhere must not be able to
drive a playground on loopback: neither by naming its host otherwise (DNS rebinding) nor by a cross-site request.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.keys import Keys, RateLimit
from app.sessions import Sessions, named_sessions

MAX_BODY_BYTES = 1_000_000
ANY_ADDRESS = "*"
"""Among the hosts: every address in numbers is answered to."""
SPENDING_PATHS = ("/api/generate",)
"""Paths that cost money with any method: checked for GET, too."""
LIMITED_PATHS = (
    *SPENDING_PATHS,
    *(f"/gradio_api/{name}" for name in ("api/", "call", "mcp", "queue/join", "run/")),
)
"""Paths on which the calls of each key are counted: all that begin something."""
CLOSED_PATHS = tuple(f"/gradio_api/{name}" for name in ("upload", "component_server", "process_recording", "stream"))
"""Paths of Gradio that nothing here needs: no widget takes a file, asks the server by itself, records or plays."""
OPEN_PATHS = ("/healthz",)
"""Paths that tell nothing and need no key."""

HEADERS = {
    # Gradio needs inline scripts and compiles its templates; everything remote is shut out, so that a picture in a
    # model's answer cannot tell anybody that it was read.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; media-src 'self' data: blob:; "
        "frame-src 'none'; object-src 'none'; form-action 'self'; base-uri 'self'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Wraps the whole application.

    `hosts` are the names under which it may be addressed, without port. Requests from other origins and from other
    sites are refused wherever they could change or cost something. Bodies above 1 MB are refused. With `keys` nobody
    comes in without one, `limit` counts the calls of each, and a session of the page belongs to who began it. What is
    inside finds the name behind the key in the request's state as `login`; it is empty where there are no keys.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: frozenset[str], keys: Keys | None = None, limit: RateLimit | None = None
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._keys = keys
        self._limit = limit
        self._sessions = Sessions()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        login = self._keys.holder(headers.get("authorization", "")) if self._keys else ""
        scope.setdefault("state", {})["login"] = login
        refusal = self._refusal(scope, headers, login)
        if refusal is not None:
            await _refuse(send, *refusal)
            return
        sized = _Sized(receive)

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    answer.setdefault(name, value)
            await send(message)

        try:
            again: Receive = sized
            if self._keys is not None and login is not None:
                names, again = await named_sessions(scope, sized)
                if not all(self._sessions.admit(login, name) for name in names):
                    await _refuse(send, *_FOREIGN_SESSION)
                    return
            await self._app(scope, again, dressed)
        except _BodyTooLargeError:
            await _refuse(send, *_TOO_LARGE)

    def _refusal(self, scope: Scope, headers: Headers, login: str | None) -> Refusal | None:
        if not self._answers_to(netloc("//" + headers.get("host", ""))[0]):
            return 400, "The Host header names a machine that this playground does not answer for.", "BadHost"
        spends = scope["method"] not in ("GET", "HEAD", "OPTIONS") or scope["path"].startswith(SPENDING_PATHS)
        if spends and self._is_foreign(scope, headers):
            return 403, "This request comes from another site, which may not use this playground.", "ForeignOrigin"
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            return _TOO_LARGE
        unknown = self._unknown(scope, login)
        if unknown is None and scope["path"].startswith(CLOSED_PATHS):
            return 404, "Files cannot be sent to this playground, nor anything else that this path takes.", "NotFound"
        return unknown

    def _unknown(self, scope: Scope, login: str | None) -> Refusal | None:
        if self._keys is None or scope["path"] in OPEN_PATHS:
            return None
        if login is None:
            return 401, "This playground asks for a key: name and key in a browser, or Bearer KEY.", "KeyRequired"
        limited = self._limit is not None and scope["path"].startswith(LIMITED_PATHS)
        wait_s = self._limit.wait_s(login) if self._limit is not None and limited else 0.0
        if wait_s:
            return 429, f"This key has made its calls for now. Try again in {wait_s:.0f} s.", "TooManyCalls"
        return None

    def _is_foreign(self, scope: Scope, headers: Headers) -> bool:
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return True
        origin = headers.get("origin")
        return origin is not None and netloc(origin) != netloc("//" + headers.get("host", ""))

    def _answers_to(self, host: str) -> bool:
        if host in self._hosts:
            return True
        return ANY_ADDRESS in self._hosts and _is_address(host)


Refusal = tuple[int, str, str]
"""Status, sentence, type."""

_TOO_LARGE: Refusal = (413, "The request is larger than 1 MB. Send less at once.", "BodyTooLarge")


_FOREIGN_SESSION: Refusal = (
    403,
    "This session belongs to somebody else. Reload the page to begin one of your own.",
    "ForeignSession",
)


class _BodyTooLargeError(HTTPException):
    """A chunked body went past the limit. An HTTPException, because FastAPI makes 400 of any other while it reads."""

    def __init__(self) -> None:
        super().__init__(_TOO_LARGE[0], _TOO_LARGE[1])


class _Sized:
    """Counts a body that does not tell its length."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._bytes = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > MAX_BODY_BYTES:
            raise _BodyTooLargeError
        return message


def netloc(url: str) -> tuple[str, int | None]:
    """Host in small letters and port of `url`; an empty host where there is none that can be read."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        return parts.hostname or "", parts.port
    return "", None


def _is_address(host: str) -> bool:
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False


async def _refuse(send: Send, status: int, sentence: str, kind: str) -> None:
    body = json.dumps({"error": sentence, "type": kind, "request_id": None}).encode()
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
    headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="playground", charset="UTF-8"'))
    if status == 429:
        headers.append((b"retry-after", b"5"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
