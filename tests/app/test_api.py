"""The HTTP API over a real socket: answers, events, the run log, and what bad input gets."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.api import build_api
from app.services import make_services
from metrics.run_log import RunLog
from providers.connect import Backends
from providers.local.launch import LocalEndpoint
from tests.app.conftest import served
from tests.patience import until
from tests.wire import WireServer, document, failure, hang_up, silence, stop_frames, stream, text_frames

SWIFT = "simulated.swift"
CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


def post(url: str, body: object, path: str = "/api/generate") -> httpx.Response:
    return httpx.post(url + path, json=body, timeout=30, trust_env=False)


def events_of(text: str) -> list[tuple[str, Any]]:
    """(name, data) of each event; the unnamed ones are "message"."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "data" in fields:
            found.append((fields.get("event", "message"), json.loads(fields["data"])))
    return found


def test_health_and_models(here: str) -> None:
    health = httpx.get(here + "/healthz", trust_env=False).json()
    assert health["status"] == "ok"
    assert health["backend"] == "local"
    assert set(health) == {"status", "backend", "region", "version"}
    told = httpx.get(here + "/api/models", trust_env=False).json()
    assert told["default"] in {model["id"] for model in told["models"]}
    assert set(told["models"][0]) == {"id", "label", "family", "backend", "streaming", "simulated"}
    assert any(model["simulated"] for model in told["models"])


def test_a_complete_answer(here: str, run_log: RunLog) -> None:
    answer = post(here, {"prompt": "Hi", "model_id": SWIFT, "max_tokens": 20}).json()
    assert set(answer) == {"text", "model_id", "latency", "usage", "stop_reason", "metrics", "run_id"}
    assert answer["text"]
    assert answer["stop_reason"] == "max_tokens"
    assert answer["usage"]["output_tokens"] == 20
    row = run_log.get(answer["run_id"])
    assert row is not None
    assert (row.mode, row.status) == ("sync", "completed")


@pytest.mark.parametrize("how", ["post", "post to stream", "get"])
def test_a_streamed_answer(here: str, run_log: RunLog, how: str) -> None:
    asked: dict[str, str | int] = {"prompt": "Hi", "model_id": SWIFT, "max_tokens": 30}
    match how:
        case "post":
            answer = post(here, {**asked, "stream": True})
        case "post to stream":
            answer = post(here, asked, "/api/generate/stream")
        case _:
            answer = httpx.get(here + "/api/generate", params=asked, timeout=30, trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    events = events_of(answer.text)
    unnamed = [data for name, data in events if name == "message"]
    assert all(set(data) == {"text"} for data in unnamed[:-1])
    ending = unnamed[-1]
    assert ending["done"] is True
    assert set(ending) == {"done", "latency", "usage", "stop_reason", "metrics", "run_id"}
    assert events[-1] == ("message", ending)
    row = run_log.get(ending["run_id"])
    assert row is not None
    assert row.response == "".join(data["text"] for data in unnamed[:-1])
    progress = [data for name, data in events if name == "progress"]
    assert progress
    assert set(progress[0]) == {"rate", "tokens", "fraction", "eta_s"}
    assert progress[-1]["fraction"] == 1.0
    states = [data["state"] for name, data in events if name == "status"]
    assert states[0] == "waiting"
    assert "streaming" in states


def test_pieces_come_as_they_are_made(here: str) -> None:
    asked = {"prompt": "Hi", "model_id": "simulated.steady", "max_tokens": 60, "stream": True}
    moments = []
    with httpx.stream("POST", here + "/api/generate", json=asked, timeout=30, trust_env=False) as answer:
        moments = [time.perf_counter() for line in answer.iter_lines() if line.startswith('data: {"text"')]
    assert len(moments) > 10
    assert moments[-1] - moments[0] > 0.3


def test_a_cut_stream_is_an_error_event_and_nothing_after_it(far: str, wire: WireServer) -> None:
    wire.reply_with(failure("403 Forbidden", "AccessDeniedException", "No access."))
    events = events_of(post(far, {"prompt": "Hi", "model_id": CLAUDE, "stream": True}).text)
    name, ending = events[-1]
    assert name == "message"
    assert set(ending) == {"error", "type", "request_id"}
    assert (ending["type"], ending["request_id"]) == ("AccessDeniedError", "wire-1")


def test_an_answer_that_starts_over_is_told_by_a_reset(far: str, wire: WireServer) -> None:
    model = "us.openai.gpt-5.6-luna"  # spoken to over Converse
    wire.reply_with(stream(text_frames("Hel"), hang_up), stream([*text_frames("Hel", "lo"), *stop_frames()]))
    events = events_of(post(far, {"prompt": "Hi", "model_id": model, "stream": True}).text)
    reset = [name for name, _ in events].index("reset")
    after = [data["text"] for name, data in events[reset:] if name == "message" and "text" in data]
    assert "".join(after) == "Hello"
    wire.reply_with(stream(text_frames("Hel"), hang_up))
    off = events_of(post(far, {"prompt": "Hi", "model_id": model, "stream": True, "resume": "off"}).text)
    assert off[-1][1]["type"] == "StreamInterruptedError"
    assert len(wire.asked) == 1


@pytest.mark.parametrize("streamed", [True, False])
def test_a_client_that_leaves_ends_the_models_work(far: str, wire: WireServer, run_log: RunLog, streamed: bool) -> None:
    wire.reply_with(silence)
    asked = {"prompt": "Hi", "model_id": CLAUDE, "stream": streamed}
    if streamed:
        with httpx.stream("POST", far + "/api/generate", json=asked, timeout=5, trust_env=False) as answer:
            lines = answer.iter_lines()
            assert "event: status" in (next(lines), next(lines))
            while not wire.asked:
                next(lines)
    else:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(far + "/api/generate", json=asked, timeout=0.5, trust_env=False)
    deadline = time.perf_counter() + 2
    while not (wire.left_at and run_log.count(status="cancelled")) and time.perf_counter() < deadline:
        time.sleep(0.01)
    assert wire.left_at
    assert run_log.count(status="cancelled") == 1


# --- the way back -----------------------------------------------------------------------------------------------------


def cut_off(url: str, asked: dict[str, str | int], after: int) -> tuple[list[str], str]:
    """The texts of the first `after` pieces, and the id of the last one; then the connection is closed."""
    texts: list[str] = []
    event_id = ""
    with httpx.stream("GET", url + "/api/generate", params=asked, timeout=10, trust_env=False) as answer:
        for line in answer.iter_lines():
            if line.startswith("id: "):
                event_id = line.removeprefix("id: ")
            if line.startswith('data: {"text"'):
                texts.append(json.loads(line.removeprefix("data: "))["text"])
                if len(texts) == after:
                    break
    return texts, event_id


def go_on(url: str, asked: dict[str, str | int], event_id: str) -> httpx.Response:
    headers = {"Last-Event-ID": event_id}
    return httpx.get(url + "/api/generate", params=asked, headers=headers, timeout=20, trust_env=False)


def test_a_client_that_comes_back_in_time_loses_nothing(here: str, run_log: RunLog) -> None:
    asked: dict[str, str | int] = {"prompt": "Hi", "model_id": "simulated.steady", "max_tokens": 60}
    texts, event_id = cut_off(here, asked, 8)
    events = events_of(go_on(here, asked, event_id).text)
    texts += [data["text"] for name, data in events if name == "message" and "text" in data]
    ending = events[-1][1]
    assert ending["done"] is True
    row = run_log.get(ending["run_id"])
    assert row is not None
    assert "".join(texts) == row.response
    assert run_log.count() == 1


def test_a_client_that_comes_back_late_gets_what_is_stored(here: str, run_log: RunLog) -> None:
    asked: dict[str, str | int] = {"prompt": "Hi", "model_id": "simulated.steady", "max_tokens": 400}
    texts, event_id = cut_off(here, asked, 5)
    deadline = time.perf_counter() + 3
    while not run_log.count(status="cancelled") and time.perf_counter() < deadline:
        time.sleep(0.02)
    events = events_of(go_on(here, asked, event_id).text)
    texts += [data["text"] for name, data in events if name == "message" and "text" in data]
    row = run_log.recent()[0]
    assert "".join(texts) == row.response
    assert events[-1][1]["type"] == "Cancelled"
    assert run_log.count() == 1


def test_a_client_that_comes_back_late_is_told_that_the_text_was_not_kept(
    tmp_path: Path, endpoint: LocalEndpoint
) -> None:
    asked: dict[str, str | int] = {"prompt": "Hi", "model_id": "simulated.steady", "max_tokens": 400}
    with RunLog(f"sqlite:///{tmp_path / 'none.db'}", texts="off") as log:
        services = make_services(Backends("local", local_url=endpoint.url), log)
        with served(build_api(services)) as url:
            _, event_id = cut_off(url, asked, 5)
            until(lambda: log.count(status="cancelled") == 1)
            run_id = event_id.partition(":")[0]
        with served(build_api(services)) as url:  # it has forgotten the run itself
            [(name, data)] = events_of(go_on(url, asked, event_id).text)
            assert (name, data["type"]) == ("message", "TextNotKept")
            assert run_id in data["error"]
            *_, (_, last) = events_of(go_on(url, asked, f"{run_id}:0:9999").text)
            assert last["type"] == "Cancelled", "who has all the text is told how it ended"
        services.runner.close()


def test_a_client_that_has_the_ending_is_told_to_stay_away(here: str) -> None:
    asked: dict[str, str | int] = {"prompt": "Hi", "model_id": SWIFT, "max_tokens": 3}
    text = httpx.get(here + "/api/generate", params=asked, timeout=10, trust_env=False).text
    event_id = [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: ")][-1]
    assert go_on(here, asked, event_id).status_code == 204
    assert go_on(here, asked, "nobody:0:3").status_code == 404
    assert go_on(here, asked, "rubbish").status_code == 400
    assert "retry: 250" in text


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "Request body is required"),
        (b"{}", 400, "Prompt is required"),
        (b'{"prompt": "   "}', 400, "Prompt is required"),
        (b"[1", 400, "not valid JSON"),
        (b'"text"', 400, "Request body is required"),
        (b'{"prompt": 5}', 400, "prompt"),
        (b'{"prompt": "x", "temperature": "hot"}', 400, "temperature"),
        (b'{"prompt": "x", "temperature": 9}', 400, "temperature must be between"),
        (b'{"prompt": "x", "temperature": NaN}', 400, "temperature"),
        (b'{"prompt": "x", "max_tokens": 0}', 400, "max_tokens"),
        (b'{"prompt": "x", "max_tokens": 1.5}', 400, "max_tokens"),
        (b'{"prompt": "x", "stop_sequences": [""]}', 400, "stop"),
        (b'{"prompt": "x", "colour": "red"}', 400, "colour"),
        (b'{"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}', 400, "alternate"),
        (b'{"messages": []}', 400, "Prompt is required"),
        (b'{"prompt": "x", "model_id": "acme.wonder-1"}', 404, "acme.wonder-1"),
        (b'{"prompt": "x", "model_id": "us.amazon.nova-lite-v1:0"}', 403, "without an AWS account"),
    ],
)
@pytest.mark.parametrize("path", ["/api/generate", "/api/generate/stream"])
def test_bad_input_is_a_sentence_that_names_the_field(
    here: str, run_log: RunLog, body: bytes, status: int, words: str, path: str
) -> None:
    answer = httpx.post(
        here + path, content=body, headers={"content-type": "application/json"}, timeout=10, trust_env=False
    )
    told = answer.json()
    assert answer.status_code == status, told
    assert set(told) == {"error", "type", "request_id"}
    assert words in told["error"]
    assert "Traceback" not in told["error"]
    assert run_log.count() == 0


@pytest.mark.parametrize(
    ("path", "asked"), [("/api/generate", {"prompt": "x", "modle_id": SWIFT}), ("/api/runs", {"offset": "3"})]
)
def test_a_misspelt_word_in_a_query_is_told(here: str, run_log: RunLog, path: str, asked: dict[str, str]) -> None:
    answer = httpx.get(here + path, params=asked, timeout=10, trust_env=False)
    assert answer.status_code == 400
    assert list(asked)[-1] in answer.json()["error"]
    assert run_log.count() == 0


def test_whether_it_is_up_may_be_asked_without_a_body(here: str) -> None:
    answer = httpx.head(here + "/healthz", timeout=10, trust_env=False)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("http", "code", "message", "status"),
    [
        ("429 Too Many Requests", "ThrottlingException", "Too many tokens per day.", 429),
        ("403 Forbidden", "AccessDeniedException", "No.", 403),
        ("400 Bad Request", "ValidationException", "The provided model identifier is invalid.", 404),
        ("424 Failed Dependency", "ModelErrorException", "Broken.", 502),
    ],
)
def test_faults_of_the_service_are_statuses(
    far: str, wire: WireServer, http: str, code: str, message: str, status: int
) -> None:
    wire.reply_with(failure(http, code, message))
    answer = post(far, {"prompt": "Hi", "model_id": CLAUDE})
    assert answer.status_code == status
    assert answer.json()["request_id"] == "wire-1"
    assert ("retry-after" in answer.headers) == (status == 429)


def test_too_large_a_body_is_refused_before_it_is_read(here: str) -> None:
    assert post(here, {"prompt": "x" * 1_100_000}).status_code == 413

    def pieces() -> Any:
        yield b'{"prompt": "'
        for _ in range(40):
            yield b"x" * 50_000
        yield b'"}'

    chunked = httpx.post(
        here + "/api/generate",
        content=pieces(),
        headers={"content-type": "application/json"},
        timeout=10,
        trust_env=False,
    )
    assert chunked.status_code == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 400),
        ({"host": "127.0.0.1.evil.example"}, 400),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({}, 200),
    ],
)
def test_only_this_page_and_programs_may_spend(here: str, headers: dict[str, str], status: int) -> None:
    asked = {"prompt": "Hi", "model_id": SWIFT, "max_tokens": "3", "stream": "false"}
    answer = httpx.get(here + "/api/generate", params=asked, headers=headers, timeout=10, trust_env=False)
    assert answer.status_code == status
    assert answer.headers.get("access-control-allow-origin") is None


def test_the_origin_of_the_page_itself_may_spend(here: str) -> None:
    answer = httpx.post(
        here + "/api/generate",
        json={"prompt": "Hi", "model_id": SWIFT, "max_tokens": 3},
        headers={"origin": here},
        timeout=10,
        trust_env=False,
    )
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]


# --- the run log ------------------------------------------------------------------------------------------------------


def test_the_run_log_is_newest_first_and_filters(here: str) -> None:
    first = post(here, {"prompt": "One", "model_id": SWIFT, "max_tokens": 3}).json()["run_id"]
    second = post(here, {"prompt": "Two", "model_id": SWIFT, "max_tokens": 3, "stream": True})
    streamed = events_of(second.text)[-1][1]["run_id"]

    def runs(**query: object) -> list[dict[str, Any]]:
        answer = httpx.get(here + "/api/runs", params=query, trust_env=False)  # type: ignore[arg-type]
        found: list[dict[str, Any]] = answer.json()["runs"]
        return found

    assert [row["bench.run_id"] for row in runs()] == [streamed, first]
    assert [row["bench.run_id"] for row in runs(limit=1)] == [streamed]
    assert [row["bench.run_id"] for row in runs(mode="sync")] == [first]
    assert runs(status="failed") == []
    assert runs(model_id="somebody.else") == []
    assert runs()[0]["bench.simulated"] is True
    table = httpx.get(here + "/api/runs", params={"format": "csv"}, trust_env=False)
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["bench.run_id"] for row in rows] == [streamed, first]
    one = httpx.get(f"{here}/api/runs/{streamed}", trust_env=False).json()
    assert len(one["bench.chunks"]) == one["bench.chunk_count"]


@pytest.mark.parametrize("limit", ["0", "1001", "many"])
def test_a_bad_limit_is_named(here: str, limit: str) -> None:
    answer = httpx.get(here + "/api/runs", params={"limit": limit}, trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("limit")


def test_an_unknown_run_is_404(here: str) -> None:
    answer = httpx.get(here + "/api/runs/nobody", trust_env=False)
    assert answer.status_code == 404
    assert answer.json()["error"] == "There is no run with this id."


def test_usage_that_was_not_reported_is_null(far: str, wire: WireServer) -> None:
    wire.reply_with(document({"generation": "Hey", "stop_reason": "stop"}))
    answer = post(far, {"prompt": "Hi", "model_id": "us.meta.llama3-3-70b-instruct-v1:0"}).json()
    assert answer["usage"] == {"input_tokens": None, "output_tokens": None}
    assert answer["metrics"]["cost_usd"] is None


def test_the_description_needs_no_other_host(here: str) -> None:
    page = httpx.get(here + "/docs", trust_env=False)
    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"):
        assert f"/docs/assets/{asset}" in page.text
        assert httpx.get(f"{here}/docs/assets/{asset}", trust_env=False).status_code == 200
    described = httpx.get(here + "/openapi.json", trust_env=False).json()
    assert {"/api/generate", "/api/runs", "/healthz"} <= set(described["paths"])


@pytest.mark.parametrize("origin", ["http://[", "http://127.0.0.1:99999", "rubbish"])
def test_an_origin_that_cannot_be_read_is_foreign(here: str, origin: str) -> None:
    answer = httpx.get(here + "/api/generate", params={"prompt": "x"}, headers={"origin": origin}, trust_env=False)
    assert answer.status_code == 403


def test_counts_that_no_service_can_mean_end_with_a_row_all_the_same(
    far: str, wire: WireServer, run_log: RunLog
) -> None:
    wire.reply_with(stream([*text_frames("Hi"), *stop_frames(output_tokens=-3)]))
    events = events_of(post(far, {"prompt": "Hi", "model_id": "us.openai.gpt-5.6-luna", "stream": True}).text)
    assert events[-1][1].get("done") is True
    assert run_log.count() == 1


def test_a_log_that_cannot_be_read_is_a_sentence(here: str, run_log: RunLog, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "runs.db") as database:
        database.execute("DROP TABLE runs")
    answer = httpx.get(here + "/api/runs", trust_env=False)
    assert answer.status_code == 503
    assert answer.json()["type"] == "RunLogError"


def test_the_status_tells_each_attempt(far: str, wire: WireServer) -> None:
    throttled = failure("429 Too Many Requests", "ThrottlingException", "Slow down.", {"Retry-After": "0.2"})
    wire.reply_with(throttled, throttled, stream([*text_frames("Hi"), *stop_frames()]))
    events = events_of(post(far, {"prompt": "Hi", "model_id": "us.openai.gpt-5.6-luna", "stream": True}).text)
    told = [(data["state"], data["attempt"], data["of"]) for name, data in events if name == "status"]
    assert ("retrying", 2, 3) in told
    assert ("retrying", 3, 3) in told


def test_an_arn_that_does_not_tell_its_model_is_asked_as_the_caller_says(far: str, wire: WireServer) -> None:
    arn = "arn:aws:bedrock:us-east-1:111122223333:imported-model/abcdefghijkl"
    wire.reply_with(document({"generation": "Yes.", "stop_reason": "stop"}))
    answer = post(far, {"prompt": "Hi", "model_id": arn, "family": "llama"})
    assert answer.json()["text"] == "Yes."
    assert wire.asked[-1].operation == "invoke"
    assert "prompt" in wire.asked[-1].body
    refused = post(far, {"prompt": "Hi", "model_id": arn, "family": "lama"})
    assert refused.status_code == 400
    assert "family must be one of" in refused.json()["error"]


def test_a_query_can_ask_over_converse(far: str, wire: WireServer) -> None:
    wire.reply_with(stream([*text_frames("Yes."), *stop_frames()]))
    asked = {"prompt": "Hi", "model_id": CLAUDE, "api": "converse"}
    answer = httpx.get(far + "/api/generate", params=asked, timeout=10, trust_env=False)
    assert events_of(answer.text)[-1][1]["done"] is True
    assert wire.asked[-1].operation == "converse-stream"


def test_a_client_that_reads_a_byte_a_second_holds_nobody_up(here: str) -> None:
    asked = {"prompt": "Hi", "model_id": SWIFT, "max_tokens": 40, "stream": True}

    def took_s() -> float:
        ended = [events_of(post(here, asked).text)[-1][1] for _ in range(3)]
        assert all(end["done"] for end in ended)
        return min(float(end["latency"]) for end in ended)  # what others do on the machine only ever adds

    alone_s = took_s()
    host, port = here.removeprefix("http://").split(":")
    with contextlib.ExitStack() as slow:
        for _ in range(8):
            sock = slow.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            sock.connect((host, int(port)))
            query = f"prompt=Hi&model_id={SWIFT}"
            sock.sendall(f"GET /api/generate?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            sock.recv(1)
        beside_s = took_s()
    assert beside_s < 1.3 * alone_s


def test_operators_see_each_run(here: str) -> None:
    post(here, {"prompt": "Hi", "model_id": SWIFT, "max_tokens": 5})
    told = httpx.get(here + "/metrics", trust_env=False)
    assert told.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'playground_runs_total{backend="local",simulated="true",status="completed"} 1.0' in told.text
    assert "playground_runs_under_way 0.0" in told.text


@pytest.mark.parametrize("there", [True, False])
def test_a_login_in_the_endpoint_is_in_no_row_and_no_answer(there: bool, run_log: RunLog, wire: WireServer) -> None:
    wire.reply_with(document({"content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn"}))
    address = wire.url.partition("//")[2] if there else "127.0.0.1:9"
    services = make_services(Backends("auto", endpoint_url=f"http://somebody:sec@ret@{address}"), run_log)
    asked = {"prompt": "Hi", "model_id": CLAUDE, "stream": False}
    with served(build_api(services)) as url:
        answer = post(url, asked)
        rows = httpx.get(url + "/api/runs", trust_env=False)
        table = httpx.get(url + "/api/runs?format=csv", trust_env=False)
    services.runner.close()
    assert (answer.status_code == 200) is there
    [row] = run_log.recent()
    assert row.server_address == f"http://{address}"
    for told in (answer.text, rows.text, table.text, str(row)):
        assert "somebody" not in told
        assert "ret@" not in told


def test_past_the_limit_the_next_is_told_at_once(run_log: RunLog, wire: WireServer) -> None:
    wire.reply_with(silence)
    services = make_services(Backends("auto", endpoint_url=wire.url), run_log, max_runs=2)
    asked = {"prompt": "Hi", "model_id": CLAUDE, "stream": True}
    with served(build_api(services)) as url, contextlib.ExitStack() as streams:
        for _ in range(2):
            streams.enter_context(httpx.stream("POST", url + "/api/generate", json=asked, timeout=5, trust_env=False))
        began = time.monotonic()
        busy = post(url, asked)
        assert time.monotonic() - began < 1
        assert busy.status_code == 503
        assert busy.headers["retry-after"] == "5"
        assert "are under way (2)" in busy.json()["error"]
    services.runner.close()
    assert len(run_log.recent()) == 2
