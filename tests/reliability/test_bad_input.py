"""What people and programs send that cannot be asked, row by row of docs/reliability.md: each is a status and a
sentence in our words, reaches no model, and leaves no row. Through a server in a process of its own."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.reliability.conftest import Server, server

SWIFT = "simulated.swift"
JSON = {"content-type": "application/json"}
NOT_JSON = "not valid JSON"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A playground without AWS."""
    with server(tmp_path_factory.mktemp("here")) as running:
        yield running


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """One row: what is sent, and the status and words that it gets."""

    content: bytes = b""
    status: int = 400
    says: str
    method: str = "POST"
    path: str = "/api/generate"
    headers: dict[str, str] = field(default_factory=lambda: JSON)


def asking(status: int = 400, *, says: str, **fields: object) -> Bad:
    """A request that is in order but for these fields."""
    body = {"prompt": "Hi", "model_id": SWIFT, "max_tokens": 3, **fields}
    return Bad(content=json.dumps(body).encode(), status=status, says=says)


def turns(*roles: str) -> list[dict[str, str]]:
    return [{"role": role, "content": "Hi"} for role in roles]


BAD: dict[str, Bad] = {
    "no content type": Bad(content=b'{"prompt": "Hi"}', headers={}, says="sent as application/json"),
    "wrong content type": Bad(
        content=b'{"prompt": "Hi"}', headers={"content-type": "text/plain"}, says="a JSON object"
    ),
    "not JSON": Bad(content=b"{'prompt': 'Hi'}", says=NOT_JSON),
    "deep nesting": Bad(content=b"[" * 200_000, says=NOT_JSON),
    "invalid UTF-8": Bad(content=b'{"prompt": "\xff"}', says=NOT_JSON),
    "NaN for a text": Bad(content=b'{"prompt": NaN}', says="prompt"),
    "NaN for a number": Bad(content=b'{"prompt": "Hi", "temperature": NaN}', says="temperature"),
    "infinity": Bad(content=b'{"prompt": "Hi", "top_p": Infinity}', says="top_p"),
    "empty prompt": asking(prompt="", says="Prompt is required"),
    "blanks": asking(prompt=" \n\t", says="Prompt is required"),
    "invisible characters": asking(prompt="\u200b\u2060\ufeff", says="Prompt is required"),
    "unknown field": asking(colour="red", says="colour is not a field"),
    "bool for a number": asking(temperature=True, says="temperature"),
    "text for a number": asking(max_tokens="5", says="max_tokens"),
    "part of a token": asking(max_tokens=1.5, says="max_tokens"),
    "no tokens": asking(max_tokens=0, says="max_tokens"),
    "below zero": asking(max_tokens=-1, says="max_tokens"),
    "a temperature too high": asking(temperature=9, says="temperature must be between"),
    "empty stop sequence": asking(stop_sequences=[""], says="stop_sequences"),
    "too many stop sequences": asking(stop_sequences=[str(n) for n in range(3000)], says="stop_sequences"),
    "two turns of the user": asking(prompt=None, messages=turns("user", "user"), says="alternate"),
    "the model first": asking(prompt=None, messages=turns("assistant", "user"), says="first message"),
    "a turn without words": asking(messages=[*turns("user"), {"role": "assistant", "content": ""}], says="is empty"),
    "unknown role": asking(messages=turns("tool"), says="role"),
    "only a system role": asking(prompt=None, messages=turns("system"), says="Prompt is required"),
    "unknown model": asking(404, model_id="acme.wonder-1", says="acme.wonder-1"),
    "path for a model": asking(model_id="../../etc/passwd", says="model_id must be one word"),
    "header in a model": asking(model_id="x\r\nHost: evil.example", says="model_id must be one word"),
    "surrogate in a model": asking(model_id="\ud83d", says="model_id must be one word"),
    "a model of 3 kB": asking(model_id="y" * 3000, says="at most 2048 characters"),
    "a model of AWS without AWS": asking(403, model_id="us.amazon.nova-lite-v1:0", says="without an AWS account"),
    "unknown family": asking(family="lama", says="family must be one of"),
    "too large": Bad(content=b'{"prompt": "' + b"x" * 1_000_001 + b'"}', status=413, says="1 MB"),
    "unknown path": Bad(path="/api/nowhere", method="GET", status=404, says="no such route"),
    "wrong method": Bad(path="/api/generate/stream", method="GET", status=405, says="POST"),
    "DELETE of a run": Bad(path="/api/runs/one", method="DELETE", status=405, says="GET"),
    "foreign host": Bad(headers={"host": "evil.example"}, says="does not answer for"),
    "foreign origin": Bad(headers={"origin": "http://evil.example"}, status=403, says="another site"),
    "no origin": Bad(headers={"origin": "null"}, status=403, says="another site"),
    "another port": Bad(headers={"origin": "http://127.0.0.1:1"}, status=403, says="another site"),
    "cross site": Bad(headers={"sec-fetch-site": "cross-site"}, status=403, says="another site"),
    "a file": Bad(path="/gradio_api/upload", status=404, says="Files cannot be sent"),
}


@pytest.mark.parametrize("row", BAD)
def test_bad_input_is_told_in_our_words_and_reaches_nobody(row: str, here: Server) -> None:
    bad, before = BAD[row], len(here.rows())
    answer = httpx.request(
        bad.method, here.url + bad.path, content=bad.content, headers=bad.headers, timeout=10, trust_env=False
    )
    assert answer.status_code == bad.status, answer.text
    told = answer.json()
    assert set(told) == {"error", "type", "request_id"}
    assert bad.says in told["error"]
    assert len(answer.text) < 1000, "what was sent is told back"
    assert len(here.rows()) == before
    if bad.status == 405:
        assert answer.headers["allow"]


ODD = {
    "lone surrogate": ("a\ud83db", "a\ufffdb"),
    "NUL and controls": ("a\x00b\x1b[2Jc\td\n", "ab[2Jc\td\n"),
    "right to left": ("abc\u202edef\u2066", "abc\u202edef\u2066"),
    "joined emoji": ("👩‍👩‍👧‍👦" * 2000, "👩‍👩‍👧‍👦" * 2000),
    "one long line": ("x" * 2000, "x" * 2000),
    "five thousand lines": ("\n" * 4999 + "x", "\n" * 4999 + "x"),
    "markup": ("<script>alert(1)</script> [x](javascript:alert(2))",) * 2,
}


@pytest.mark.parametrize("row", ODD)
def test_odd_text_is_asked_and_kept_as_it_was_sent(row: str, here: Server) -> None:
    written, kept = ODD[row]
    body = json.dumps({"prompt": written, "model_id": SWIFT, "max_tokens": 2})
    answer = httpx.post(here.url + "/api/generate", content=body, headers=JSON, timeout=10, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert here.rows()[0].prompt == kept


def test_of_two_fields_of_one_name_the_last_counts(here: Server) -> None:
    body = b'{"prompt": "one", "prompt": "two", "model_id": "simulated.swift", "max_tokens": 2}'
    answer = httpx.post(here.url + "/api/generate", content=body, headers=JSON, timeout=10, trust_env=False)
    assert answer.status_code == 200
    assert here.rows()[0].prompt == "two"


HELLO = b"Host: 127.0.0.1\r\n"
ASKED = b'{"prompt": "Hi", "model_id": "simulated.swift", "max_tokens": 2}'
POST = b"POST /api/generate HTTP/1.1\r\nContent-Type: application/json\r\nConnection: close\r\n" + HELLO
RAW: dict[str, tuple[bytes, bytes]] = {
    "HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n" + HELLO + b"\r\n", b"200 OK"),
    "no host": (b"GET /healthz HTTP/1.0\r\n\r\n", b"400 Bad Request"),
    "HEAD": (b"HEAD /api/models HTTP/1.1\r\nConnection: close\r\n" + HELLO + b"\r\n", b"405 Method Not Allowed"),
    "OPTIONS": (b"OPTIONS /api/generate HTTP/1.1\r\nConnection: close\r\n" + HELLO + b"\r\n", b"405 Method"),
    "pipelined": (
        b"GET /healthz HTTP/1.1\r\n"
        + HELLO
        + b"\r\nGET /api/models HTTP/1.1\r\nConnection: close\r\n"
        + HELLO
        + b"\r\n",
        b'"models"',
    ),
    "Expect: 100-continue": (
        POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(ASKED) + ASKED,
        b"run_id",
    ),
    "broken chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", b"400 Bad Request"),
    "not HTTP": (b"\x16\x03\x01\x00\xa5 nonsense\r\n\r\n", b"400 Bad Request"),
}


@pytest.mark.parametrize("row", RAW)
def test_odd_http_is_answered_and_breaks_nothing(row: str, here: Server) -> None:
    sent, told = RAW[row]
    assert told in exchanged(here, sent)
    assert httpx.get(here.url + "/healthz", trust_env=False).status_code == 200


def exchanged(here: Server, sent: bytes) -> bytes:
    host, port = here.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        sock.sendall(sent)
        received = b""
        while data := sock.recv(65536):
            received += data
    return received


def test_headers_that_never_end_hold_nobody_up(here: Server) -> None:
    host, port = here.url.removeprefix("http://").split(":")
    with contextlib.ExitStack() as slow:
        for _ in range(60):
            sock = slow.enter_context(socket.create_connection((host, int(port))))
            sock.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        assert httpx.get(here.url + "/healthz", timeout=2, trust_env=False).status_code == 200


@pytest.mark.parametrize("index", [999, -1])
def test_an_event_that_the_page_does_not_have_does_nothing(here: Server, index: int) -> None:
    """Gradio's own answer is a bare 500; what matters is that nothing runs and nothing of the inside is told."""
    before = len(here.rows())
    body = {"fn_index": index, "data": [], "session_hash": "somebody"}
    answer = httpx.post(here.url + "/gradio_api/queue/join", json=body, timeout=5, trust_env=False)
    assert answer.status_code == 500
    assert answer.text == "Internal Server Error"
    assert len(here.rows()) == before


def test_nothing_of_all_this_is_left_half_done(here: Server, tmp_path: Path) -> None:
    assert {row.status for row in here.rows()} <= {"completed"}
