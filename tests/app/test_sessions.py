"""Sessions of the page belong to the login that began them: the names alone, and two people at one playground."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.types import Message, Scope

from app.sessions import MAX_NAME_CHARS, Sessions, named_sessions
from tests.app.test_fan_in import SLOW
from tests.app.test_keys import ANA, BEN, written
from tests.e2e.conftest import Playground, playground


def test_a_name_belongs_to_who_used_it_first() -> None:
    sessions = Sessions()
    assert sessions.admit("ana", "one")
    assert not sessions.admit("ben", "one")
    assert sessions.admit("ana", "one")
    assert sessions.admit("ben", "two")
    assert not sessions.admit("ana", "two")


def test_many_names_of_one_push_out_nobody_elses() -> None:
    sessions = Sessions(most=2)
    sessions.admit("ana", "hers")
    for number in range(9):
        sessions.admit("ben", str(number))
    assert not sessions.admit("ben", "hers")
    assert sessions.admit("ana", "0")  # ben's oldest ones are nobody's now
    assert not sessions.admit("ana", "8")


def test_a_name_is_short() -> None:
    assert Sessions().admit("ana", "x" * MAX_NAME_CHARS)
    assert not Sessions().admit("ana", "x" * (MAX_NAME_CHARS + 1))


def read(method: str, path: str, *chunks: bytes, query: str = "") -> tuple[set[str], list[Message]]:
    """What a request names, and its messages as they are read after that."""
    sent: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    sent.append({"type": "http.request", "body": b"", "more_body": False})
    left = iter([*sent, {"type": "http.disconnect"}])

    async def receive() -> Message:
        return next(left)

    async def act() -> tuple[set[str], list[Message]]:
        scope: Scope = {"type": "http", "method": method, "path": path, "query_string": query.encode()}
        names, again = await named_sessions(scope, receive)
        assert [await again() for _ in sent] == sent
        return names, [await again()]

    return asyncio.run(act())


@pytest.mark.parametrize(
    ("method", "path", "query", "chunks", "names"),
    [
        ("GET", "/gradio_api/queue/data", "session_hash=a", (), {"a"}),
        ("GET", "/gradio_api/queue/data", "session_hash=a&session_hash=b", (), {"a", "b"}),
        ("GET", "/gradio_api/heartbeat/a", "", (), {"a"}),
        ("POST", "/gradio_api/cancel", "", (b'{"session_hash": "a", "fn_index": 1}',), {"a"}),
        ("POST", "/gradio_api/queue/join", "", (b'{"session', b'_hash": "\\u0061"}'), {"a"}),
        ("POST", "/gradio_api/run/x", "session_hash=b", (b'{"session_hash": "a"}',), {"a", "b"}),
        ("POST", "/gradio_api/call/x", "", (b'{"data": []}',), set()),
        ("POST", "/gradio_api/cancel", "", (b'{"session_hash": 5}',), set()),
        ("POST", "/gradio_api/cancel", "", (b"[" * 100_000,), set()),
        ("POST", "/gradio_api/cancel", "", (b"\xff",), set()),
        ("POST", "/api/generate", "session_hash=a", (b'{"session_hash": "a"}',), set()),
    ],
)
def test_where_a_name_stands(method: str, path: str, query: str, chunks: tuple[bytes, ...], names: set[str]) -> None:
    found, rest = read(method, path, *chunks, query=query)
    assert found == names
    assert rest == [{"type": "http.disconnect"}]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playground]:
    folder = tmp_path_factory.mktemp("shared")
    with playground(folder / "runs.db", PLAYGROUND_AUTH_FILE=written(folder, f"ana:{ANA}\nben:{BEN}\n")) as running:
        yield running


def client(shared: Playground, key: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=shared.url, headers=headers, timeout=20, trust_env=False)


def test_another_login_can_neither_watch_nor_cancel_nor_end_a_session(shared: Playground) -> None:
    with client(shared, ANA) as ana, client(shared, BEN) as ben:
        verbs = {verb["api_name"]: verb["id"] for verb in ana.get("/config").json()["dependencies"]}
        asked: dict[str, Any] = {"fn_index": verbs["generate"], "session_hash": "hers"}
        begun = ana.post("/gradio_api/queue/join", json={**asked, "data": ["Hi", SLOW, "", 25]})
        event = {"event_id": begun.json()["event_id"]}
        tries = [
            ben.get("/gradio_api/queue/data", params={"session_hash": "hers"}),
            ben.get("/gradio_api/heartbeat/hers"),
            ben.post("/gradio_api/cancel", json=asked | event),
            ben.post("/gradio_api/queue/join", json={**asked, "data": ["Hi", SLOW, "", 3]}),
            ben.post("/gradio_api/run/generate", json={**asked, "data": ["Hi", SLOW, "", 3]}),
        ]
        for refused in tries:
            assert refused.status_code == 403, refused.url
            assert refused.json()["type"] == "ForeignSession"
        told = ana.get("/gradio_api/queue/data", params={"session_hash": "hers"}).text
        ended = [json.loads(line.removeprefix("data: ")) for line in told.splitlines() if '"process_completed"' in line]
        assert json.loads(ended[0]["output"]["data"][0])["state"] == "done"
        his = ben.post("/gradio_api/queue/join", json={**asked, "session_hash": "his", "data": ["Hi", SLOW, "", 3]})
        assert (his.status_code, set(his.json())) == (200, {"event_id"})
