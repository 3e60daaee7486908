"""Questions with an `Idempotency-Key`: one run, one call to the model, however often and by how many it is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from app import sse
from app.api import build_api
from app.asking import _failed_in_passing
from app.guard import Guard
from app.keys import Keys
from app.services import make_services
from metrics.run_log import RunLog
from providers.connect import Backends
from providers.local.event_stream import chunk_frame, exception_frame
from tests.app.conftest import served
from tests.app.test_api import CLAUDE, events_of
from tests.app.ui.make import a_record
from tests.patience import until
from tests.wire import Connection, WireServer, document, failure, hang_up, silence, stop_frames, stream, text_frames

CONVERSED = {"prompt": "Hi", "model_id": "us.openai.gpt-5.6-luna"}
NATIVE = {"prompt": "Hi", "model_id": CLAUDE}
ANSWER = {"content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn"}
STREAM = "/api/generate/stream"


def ask(url: str, asked: object, path: str = "/api/generate", key: str = "k", **headers: str) -> httpx.Response:
    named = {"Idempotency-Key": key, **headers}
    return httpx.post(url + path, json=asked, headers=named, timeout=20, trust_env=False)


def test_the_same_again_is_the_same_answer_and_one_call(far: str, wire: WireServer, run_log: RunLog) -> None:
    wire.reply_with(document(ANSWER))
    first, second = ask(far, NATIVE), ask(far, {**NATIVE, "max_tokens": 500, "stream": False})
    assert (first.status_code, first.json()["text"]) == (200, "Hello")
    assert second.json() == first.json()
    assert len(wire.asked) == run_log.count() == 1
    assert ask(far, NATIVE, key="other").json()["run_id"] != first.json()["run_id"]


def test_the_same_stream_comes_again_from_its_beginning(far: str, wire: WireServer) -> None:
    wire.reply_with(stream([*text_frames("Hel", "lo"), *stop_frames()]))
    first, second = ask(far, CONVERSED, STREAM), ask(far, {**CONVERSED, "stream": True})

    def unnamed(answer: httpx.Response) -> list[Any]:
        return [data for name, data in events_of(answer.text) if name == "message"]

    assert [data.get("text") for data in unnamed(first)] == ["Hel", "lo", None]
    assert unnamed(second) == unnamed(first)
    assert len(wire.asked) == 1


@pytest.mark.parametrize("path", ["/api/generate", STREAM])
def test_what_has_left_the_memory_comes_from_the_log(run_log: RunLog, wire: WireServer, path: str) -> None:
    wire.reply_with(document(ANSWER) if path != STREAM else stream([*text_frames("Hel", "lo"), *stop_frames()]))
    asked = CONVERSED if path == STREAM else NATIVE
    services = make_services(Backends("auto", endpoint_url=wire.url), run_log)
    with served(build_api(services, kept_runs=1)) as url:
        first, _, second = (ask(url, asked, path, key=key) for key in ("k", "other", "k"))
    services.runner.close()
    assert len(wire.asked) == 2
    if path == STREAM:
        texts = [data.get("text") for name, data in events_of(second.text) if name == "message"]
        assert texts == ["Hello", None]
        assert events_of(second.text)[-1] == events_of(first.text)[-1]
    else:
        assert second.json() == first.json()


@pytest.mark.parametrize(("word", "reason"), [("length", "max_tokens"), ("stop", "end_turn"), ("Nowhere", "other")])
@pytest.mark.parametrize("path", ["/api/generate", STREAM])
def test_from_the_log_an_ending_has_the_same_word(
    run_log: RunLog, wire: WireServer, path: str, word: str, reason: str
) -> None:
    answer = {"generation": "Hello", "prompt_token_count": 3, "generation_token_count": 1, "stop_reason": word}
    wire.reply_with(document(answer) if path != STREAM else stream([chunk_frame(answer)]))
    asked = {"prompt": "Hi", "model_id": "us.meta.llama3-3-70b-instruct-v1:0"}
    services = make_services(Backends("auto", endpoint_url=wire.url), run_log)
    with served(build_api(services, kept_runs=1)) as url:
        answers = [ask(url, asked, path, key=key) for key in ("k", "other", "k")]
    services.runner.close()
    told = [events_of(answer.text)[-1][1] if path == STREAM else answer.json() for answer in answers]
    assert told[0]["stop_reason"] == reason
    assert told[2] == told[0]
    assert len(wire.asked) == 2


def test_another_body_is_409(far: str, wire: WireServer) -> None:
    wire.reply_with(document(ANSWER))
    ask(far, NATIVE)
    refused = ask(far, {**NATIVE, "prompt": "Something else"})
    assert refused.status_code == 409
    assert set(refused.json()) == {"error", "type", "request_id"}
    assert "Take another key" in refused.json()["error"]
    assert ask(far, NATIVE, STREAM).status_code == 409
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    ("refused", "status"),
    [({}, 400), ({"prompt": "x", "model_id": "acme.wonder-1"}, 404), ({**NATIVE, "temperature": 9}, 400)],
)
def test_a_refusal_leaves_no_key_behind(far: str, wire: WireServer, refused: dict[str, Any], status: int) -> None:
    wire.reply_with(document(ANSWER))
    assert ask(far, refused).status_code == status
    assert ask(far, NATIVE).json()["text"] == "Hello"


def test_a_failure_of_the_service_is_told_again(far: str, wire: WireServer) -> None:
    wire.reply_with(failure("403 Forbidden", "AccessDeniedException", "No access."))
    first, second = ask(far, NATIVE), ask(far, NATIVE)
    assert first.status_code == second.status_code == 403
    assert first.json() == second.json()
    assert len(wire.asked) == 1


PASSING = [
    ("429 Too Many Requests", "ThrottlingException", "ThrottledError"),
    ("503 Service Unavailable", "ServiceUnavailableException", "ServiceUnavailableError"),
    ("408 Request Timeout", "ModelTimeoutException", "ModelTimeoutError"),
]


@pytest.mark.parametrize(("status", "code", "kind"), PASSING)
@pytest.mark.parametrize("path", ["/api/generate", STREAM])
@pytest.mark.parametrize("kept_runs", [0, 200])
def test_who_was_told_to_come_back_later_is_answered_then(
    run_log: RunLog, wire: WireServer, status: str, code: str, kind: str, path: str, kept_runs: int
) -> None:
    refused = failure(status, code, "Later.", {"Retry-After": "0"})
    body = document(ANSWER) if path != STREAM else stream([*text_frames("Hello"), *stop_frames()])
    wire.reply_with(*[refused] * 3, body)
    asked = CONVERSED if path == STREAM else NATIVE
    services = make_services(Backends("auto", endpoint_url=wire.url), run_log)
    with served(build_api(services, kept_runs=kept_runs)) as url:
        first, second, third = (ask(url, asked, path) for _ in range(3))
    services.runner.close()
    assert kind in first.text
    assert "Hello" in second.text
    assert "Hello" in third.text
    assert (len(wire.asked), run_log.count()) == (4, 2)


def test_a_failure_that_passes_is_kept_where_a_part_was_delivered(far: str, wire: WireServer) -> None:
    wire.reply_with(stream([*text_frames("Hel"), exception_frame("throttlingException", "Slow down.")]))
    asked = CONVERSED | {"resume": "off"}
    first, second = ask(far, asked, STREAM), ask(far, asked, STREAM)
    assert events_of(second.text)[-1] == events_of(first.text)[-1]
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    ("kind", "chunks", "passes"),
    [
        ("ConnectionFailedError", (), True),
        ("ConnectionFailedError", ((5, "reasoning", 3),), True),
        ("PlaygroundEndedError", (), True),
        ("PlaygroundEndedError", ((5, "text", 3),), False),
        ("QuotaExceededError", (), True),
        ("ModelFailedError", (), False),
        ("StreamInterruptedError", (), False),
        (None, (), False),
    ],
)
def test_which_failures_free_a_key(kind: str | None, chunks: Any, passes: bool) -> None:
    assert _failed_in_passing(a_record(status="failed", error_type=kind, chunks=chunks)) is passes


@pytest.mark.parametrize("key", ["", "two words", "x" * 256])
def test_a_bad_key_is_named(far: str, wire: WireServer, key: str) -> None:
    wire.reply_with(document(ANSWER))
    refused = ask(far, NATIVE, key=key)
    assert refused.status_code == 400
    assert refused.json()["error"].startswith("Idempotency-Key must be")
    assert not wire.asked


def test_a_query_has_no_key(far: str, wire: WireServer) -> None:
    wire.reply_with(document(ANSWER))
    for _ in range(2):
        headers = {"Idempotency-Key": "k"}
        asked = NATIVE | {"stream": "false"}
        answer = httpx.get(far + "/api/generate", params=asked, headers=headers, timeout=10, trust_env=False)
        assert answer.status_code == 200
    assert len(wire.asked) == 2


def test_the_key_and_its_conflict_are_described(far: str) -> None:
    paths = httpx.get(far + "/openapi.json", trust_env=False).json()["paths"]
    for path in ("/api/generate", STREAM):
        [header] = paths[path]["post"]["parameters"]
        assert (header["name"], header["in"], header["required"]) == ("Idempotency-Key", "header", False)
        assert "409" in paths[path]["post"]["responses"]
    assert "409" not in paths["/api/generate"]["get"]["responses"]


# --- two clients, one run ---------------------------------------------------------------------------------------------


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def leaving(url: str, path: str, asked: object, wire: WireServer) -> None:
    """A client that asks with the key, and goes away once the model was called."""
    headers = {"Idempotency-Key": "k"}
    with httpx.Client(timeout=20, trust_env=False) as client:
        if path == STREAM:
            with client.stream("POST", url + path, json=asked, headers=headers) as answer:
                lines = answer.iter_lines()
                while not wire.asked:
                    next(lines)
        else:
            with pytest.raises(httpx.ReadTimeout):
                client.post(url + path, json=asked, headers=headers, timeout=0.4)
            assert wire.asked


@pytest.mark.parametrize("path", ["/api/generate", STREAM])
def test_who_leaves_does_not_stop_it_for_who_waits(
    far: str, wire: WireServer, run_log: RunLog, pool: ThreadPoolExecutor, path: str
) -> None:
    body = document(ANSWER) if path != STREAM else stream([*text_frames("Hello"), *stop_frames()])
    told = threading.Event()

    def later(connection: Connection) -> None:
        told.wait(10)
        body(connection)

    wire.reply_with(later)
    asked = CONVERSED if path == STREAM else NATIVE
    waiting = pool.submit(ask, far, asked, path)
    until(lambda: bool(wire.asked))
    leaving(far, path, asked, wire)
    assert not told.wait(sse.GRACE_S + 0.3)  # longer than the grace
    told.set()
    assert "Hello" in waiting.result(10).text
    assert len(wire.asked) == run_log.count(status="completed") == 1


@pytest.mark.parametrize("path", ["/api/generate", STREAM])
def test_the_last_one_who_leaves_stops_it_and_it_is_never_asked_again(
    far: str, wire: WireServer, run_log: RunLog, path: str
) -> None:
    wire.reply_with(silence)
    asked = CONVERSED if path == STREAM else NATIVE
    leaving(far, path, asked, wire)
    until(lambda: run_log.count(status="cancelled") == 1, within_s=2)
    again = ask(far, asked, path)
    assert len(wire.asked) == 1
    if path == STREAM:
        assert events_of(again.text)[-1][1]["type"] == "Cancelled"
    else:
        assert (again.status_code, again.json()["type"]) == (409, "Cancelled")
        assert f"/api/runs/{run_log.recent()[0].run_id}" in again.json()["error"]


def test_who_comes_back_within_the_grace_goes_on_with_it(
    far: str, wire: WireServer, run_log: RunLog, pool: ThreadPoolExecutor
) -> None:
    told = threading.Event()

    def later(connection: Connection) -> None:
        told.wait(10)
        document(ANSWER)(connection)

    wire.reply_with(later)
    leaving(far, "/api/generate", NATIVE, wire)
    again = pool.submit(ask, far, NATIVE)
    assert not told.wait(sse.GRACE_S + 0.3)
    told.set()
    assert again.result(10).json()["text"] == "Hello"
    assert len(wire.asked) == run_log.count() == 1


def test_each_login_has_keys_of_its_own(run_log: RunLog, wire: WireServer) -> None:
    wire.reply_with(document(ANSWER))
    services = make_services(Backends("auto", endpoint_url=wire.url), run_log)
    keys = Keys({"ana": "test test test ana", "ben": "test test test ben"})
    with served(Guard(build_api(services), hosts=frozenset({"127.0.0.1"}), keys=keys)) as url:
        runs = [
            ask(url, NATIVE, Authorization=f"Bearer test test test {name}").json()["run_id"]
            for name in ("ana", "ben", "ana")
        ]
    services.runner.close()
    assert runs[0] == runs[2] != runs[1]
    assert len(wire.asked) == 2


def test_an_answer_that_was_cut_is_told_again(far: str, wire: WireServer) -> None:
    wire.reply_with(stream(text_frames("Hel"), hang_up))
    asked = CONVERSED | {"resume": "off"}
    first, second = ask(far, asked, STREAM), ask(far, asked, STREAM)
    assert events_of(second.text)[-1] == events_of(first.text)[-1]
    assert events_of(first.text)[-1][1]["type"] == "StreamInterruptedError"
    assert len(wire.asked) == 1


def test_a_run_under_way_is_not_forgotten_for_newer_ones(
    run_log: RunLog, wire: WireServer, pool: ThreadPoolExecutor
) -> None:
    told = threading.Event()

    def later(connection: Connection) -> None:
        told.wait(10)
        document(ANSWER)(connection)

    wire.reply_with(later, document(ANSWER))
    services = make_services(Backends("auto", endpoint_url=wire.url), run_log)
    with served(build_api(services, kept_runs=1)) as url:
        first = pool.submit(ask, url, NATIVE)
        until(lambda: bool(wire.asked))
        assert ask(url, NATIVE, key="other").status_code == 200
        second = pool.submit(ask, url, NATIVE)
        assert not told.wait(0.2)
        told.set()
        assert first.result(10).json() == second.result(10).json()
    services.runner.close()
    assert len(wire.asked) == 2


@pytest.mark.parametrize("path", ["/api/generate", STREAM])
@pytest.mark.parametrize("texts", ["off", "hash"])
def test_an_answer_that_was_not_kept_is_not_made_up(
    tmp_path: Path, wire: WireServer, texts: Literal["off", "hash"], path: str
) -> None:
    wire.reply_with(document(ANSWER) if path != STREAM else stream([*text_frames("Hel", "lo"), *stop_frames()]))
    asked = CONVERSED if path == STREAM else NATIVE
    with RunLog(f"sqlite:///{tmp_path / 'quiet.db'}", texts=texts) as quiet:
        services = make_services(Backends("auto", endpoint_url=wire.url), quiet)
        with served(build_api(services, kept_runs=1)) as url:
            first, _, second = (ask(url, asked, path, key=key) for key in ("k", "other", "k"))
        services.runner.close()
    assert first.status_code == 200
    told = events_of(second.text)[-1][1] if path == STREAM else second.json()
    assert second.status_code == (200 if path == STREAM else 404)
    assert told["type"] == "TextNotKept"
    assert "sha256" not in second.text
    assert len(wire.asked) == 2
