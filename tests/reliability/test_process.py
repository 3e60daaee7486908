"""The playground as a process: what it writes, what it leaves when it is told to end, and who it lets in."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from metrics.run_log import RunLog
from tests.reliability.conftest import TALKER, server
from tests.wire import WireServer, failure, silence, stop_frames, stream, text_frames

MARKER = "heliotrope-and-celadon"


def events(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in answer.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_the_log_holds_no_prompt_and_no_answer(wire: WireServer, tmp_path: Path) -> None:
    """S23, with a prompt that succeeds, one that is refused, one that breaks off and one that is bad input."""
    replies = (
        stream([*text_frames(f"Yes, {MARKER}."), *stop_frames()]),
        failure("400 Bad Request", "ValidationException", "Input is too long."),
        stream(text_frames(f"Yes, {MARKER}")),
    )
    with server(tmp_path, AWS_ENDPOINT_URL_BEDROCK_RUNTIME=wire.url) as running:
        asked = {"prompt": f"Say {MARKER}.", "system": MARKER, "model_id": TALKER, "api": "converse", "resume": "off"}
        for number, reply in enumerate(replies):
            wire.reply_with(reply)
            post(running.url, {**asked, "stream": number != 1})
        post(running.url, {**asked, "temperature": MARKER})
        assert [row.status for row in running.rows()] == ["interrupted", "failed", "completed"]
        assert all(MARKER in row.prompt for row in running.rows())
    told = running.errors.read_text("utf-8")
    assert "Run " in told, "the log is not written at all"
    assert MARKER not in told


def test_without_texts_in_the_log_the_answer_is_whole_and_nothing_is_left_of_it(
    wire: WireServer, tmp_path: Path
) -> None:
    """S24: an answer that succeeds, one that breaks off, and one that a kill leaves under way."""
    asked = {"prompt": f"Say {MARKER}.", "system": MARKER, "model_id": TALKER, "api": "converse", "resume": "off"}
    with server(tmp_path, PLAYGROUND_LOG_TEXT="off", AWS_ENDPOINT_URL_BEDROCK_RUNTIME=wire.url) as running:
        wire.reply_with(stream([*text_frames(f"Yes, {MARKER}."), *stop_frames()]))
        assert f"Yes, {MARKER}." in post(running.url, {**asked, "stream": True}).text
        wire.reply_with(stream(text_frames(f"Yes, {MARKER}")))
        assert MARKER in post(running.url, {**asked, "stream": True}).text
        wire.reply_with(stream(text_frames(f"Yes, {MARKER}"), silence))
        with httpx.stream(
            "POST", running.url + "/api/generate/stream", json=asked, timeout=20, trust_env=False
        ) as answer:
            assert any(MARKER in event.get("text", "") for event in events(answer))
            running.process.kill()
            running.process.wait(10)
        assert "without their prompts and answers" in running.errors.read_text("utf-8")
        kept = b"".join(path.read_bytes() for path in running.log.parent.iterdir())
        assert [(row.status, row.prompt, row.response) for row in running.rows()] == [
            ("interrupted", "", ""),
            ("completed", "", ""),
        ]
        with RunLog(f"sqlite:///{running.log}") as log:
            assert log.recover() == 1
            assert MARKER not in repr(log.recent())
    assert TALKER.encode() in kept
    assert MARKER.encode() not in kept


def post(url: str, body: dict[str, object]) -> httpx.Response:
    return httpx.post(url + "/api/generate", json=body, timeout=20, trust_env=False)


@pytest.mark.parametrize(("told_by", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 0)])
def test_told_to_end_it_ends_in_time_and_every_answer_has_its_last_word(
    wire: WireServer, tmp_path: Path, told_by: signal.Signals, status: int
) -> None:
    """F31: twenty streams in mid-answer."""
    wire.reply_with(stream(text_frames("Half ", "an ans"), silence))
    asked = {"prompt": "Hi", "model_id": TALKER, "api": "converse"}
    last: list[dict[str, Any]] = []
    begun = threading.Semaphore(0)

    def watch(url: str) -> None:
        with httpx.stream("GET", url + "/api/generate", params=asked, timeout=20, trust_env=False) as answer:
            for event in events(answer):
                if event.get("text") == "an ans":
                    begun.release()
            last.append(event)

    with server(tmp_path, AWS_ENDPOINT_URL_BEDROCK_RUNTIME=wire.url) as running:
        watchers = [threading.Thread(target=watch, args=(running.url,)) for _ in range(20)]
        for watcher in watchers:
            watcher.start()
        assert all(begun.acquire(timeout=10) for _ in watchers)
        told = time.monotonic()
        running.process.send_signal(told_by)
        running.process.wait(10)
        assert time.monotonic() - told < 5
        assert running.process.returncode == status
        assert "Traceback" not in running.errors.read_text()
        for watcher in watchers:
            watcher.join(5)
        rows = running.rows()
    assert len(last) == 20
    assert {event["type"] for event in last} == {"PlaygroundEndedError"}
    assert all("playground ended" in event["error"] for event in last)
    assert {(row.status, row.response, row.error_type) for row in rows} == {
        ("interrupted", "Half an ans", "PlaygroundEndedError")
    }
    assert len(rows) == 20
