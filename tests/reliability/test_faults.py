"""What breaks between the playground and Bedrock, row by row of docs/reliability.md: what the client of the API sees,
what the run log holds, and how many requests were sent. Real bytes over real sockets."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from app.records import RunLabels
from providers.bedrock import BedrockProvider
from providers.clients import local_client
from providers.connect import Backends
from providers.errors import ConnectionFailedError, ProviderError
from providers.local.event_stream import encode_frame, error_frame, event_frame, exception_frame
from providers.types import GenerationRequest, InferenceConfig, Message, StreamEvent, accumulate
from tests.reliability.conftest import TALKER, Api
from tests.wire import (
    Connection,
    Reply,
    WireServer,
    failure,
    hang_up,
    reset,
    silence,
    stop_frames,
    stream,
    text_frames,
)

SOON = {"Retry-After": "0.01"}
THROTTLING = ("429 Too Many Requests", "ThrottlingException", "Too many requests.")
THROTTLED = failure(*THROTTLING, SOON)
ANSWER = stream([*text_frames("Hel", "lo"), *stop_frames()])
BEGUN = text_frames("Hel", "lo")
HTML = b"<!doctype html><title>Sign in</title><script>alert(1)</script>"
LONG = "word " * 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row. `ending` is the class of the error event, `done` where there is none; `says` are words of its sentence;
    `saved` is how the row ends; `requests` is how many were sent. `silence` asks the playground that is soon out
    of patience."""

    script: tuple[Reply, ...]
    ending: str = "done"
    says: str = ""
    saved: str = "completed"
    text: str = "Hello"
    requests: int = 1
    resume: str = "off"
    silence: bool = False
    tokens: int | None = 7
    states: tuple[str, ...] = ()


def refused(status: str, code: str, message: str = "So.") -> Reply:
    return failure(status, code, message, SOON)


def cut(*after: bytes, then: Reply | None = None) -> tuple[Reply, ...]:
    """The beginning of an answer and what comes in place of its end."""
    return (stream([*BEGUN, *after], then),)


def page(content_type: str, body: bytes) -> Reply:
    """A web server, or a sign-in page, where Bedrock should be."""

    def reply(to: Connection) -> None:
        to.head("200 OK", {"Content-Type": content_type, "Content-Length": str(len(body))})
        to.sock.sendall(body)

    return reply


def unframed(headers: dict[str, str]) -> Reply:
    """Frames without the last ones, in a body that is not chunked, and an orderly close."""

    def reply(to: Connection) -> None:
        to.head("200 OK", {"Content-Type": "application/vnd.amazon.eventstream", **headers})
        to.sock.sendall(b"".join(BEGUN))
        hang_up(to)

    return reply


def delta(**fields: object) -> bytes:
    return event_frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": fields})


def damaged(frame: bytes) -> bytes:
    return frame[:-1] + bytes([frame[-1] ^ 0xFF])


def spoilt(payload: bytes) -> bytes:
    """A frame with a sound checksum around a payload that is none."""
    kind = {":event-type": "contentBlockDelta", ":content-type": "application/json", ":message-type": "event"}
    return encode_frame(kind, payload)


def interrupted(script: tuple[Reply, ...], says: str, **more: object) -> Fault:
    return Fault(
        script=script,
        ending="StreamInterruptedError",
        says=says,
        saved="interrupted",
        tokens=None,
        **more,  # type: ignore[arg-type]  # rows name the fields
    )


def failed(script: tuple[Reply, ...], ending: str, says: str, requests: int = 1, **more: object) -> Fault:
    return Fault(
        script=script,
        ending=ending,
        says=says,
        saved="failed",
        text="",
        requests=requests,
        tokens=None,
        **more,  # type: ignore[arg-type]  # rows name the fields
    )


EARLY = event_frame("metadata", {"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}, "metrics": {}})
THROTTLED_INSIDE = exception_frame("throttlingException", "Slow down.")
MARKER = stop_frames()[1]
NOT_BEDROCK = "proxy or a sign-in page"

FAULTS: dict[str, Fault] = {
    "F1": Fault(script=(failure(*THROTTLING, {"Retry-After": "0.3"}), ANSWER), requests=2, states=("retrying",)),
    "F2": failed((THROTTLED,), "ThrottledError", "AWS is throttling", requests=3),
    "F3": Fault(script=(stream([*text_frames(), THROTTLED_INSIDE]), ANSWER), requests=2, states=("retrying",)),
    "F4": interrupted(cut(THROTTLED_INSIDE), "AWS is throttling"),
    "F4 begun again": Fault(
        script=(*cut(THROTTLED_INSIDE), ANSWER), requests=2, resume="auto", states=("reconnecting",)
    ),
    "F5": interrupted(cut(exception_frame("modelStreamErrorException", "It broke.")), "It broke."),
    "F6": interrupted(cut(exception_frame("newKindOfException", "Odd.")), "it did not say why"),
    "F6 error frame": interrupted(cut(error_frame("internalError", "Deep inside.")), "Deep inside."),
    "F7 timeout": failed((refused("408 Timeout", "ModelTimeoutException"),), "ModelTimeoutError", "fewer tokens", 3),
    "F7 failed": failed((refused("424 Failed", "ModelErrorException"),), "ModelFailedError", "change the prompt"),
    "F8 denied": failed((refused("403 No", "AccessDeniedException"),), "AccessDeniedError", "request access"),
    "F8 expired": failed((refused("403 No", "ExpiredTokenException"),), "AccessDeniedError", "aws sso login"),
    "F9": failed((refused("400 Bad", "ValidationException", "Too long."),), "InvalidRequestError", "Too long."),
    "F10": failed((silence,), "ModelSilentError", "--silence-limit", states=("waiting",), silence=True),
    "F11": interrupted(cut(then=silence), "--silence-limit", silence=True),
    "F12 clean end": interrupted(cut(), "without a finish signal"),
    "F12 inside a frame": interrupted(cut(MARKER[:20]), "without a finish signal"),
    "F12 short body": interrupted((unframed({"Content-Length": "9999"}),), "without a finish signal"),
    "F12 no length": interrupted((unframed({"Connection": "close"}),), "without a finish signal"),
    "F13 closed": interrupted(cut(then=hang_up), "connection"),
    "F14": Fault(script=(stream([*BEGUN, *stop_frames()], reset),)),
    "F15": Fault(script=cut(MARKER), tokens=None),
    "F16 html": failed(
        (page("text/html", HTML),), "DecodeError", f"{NOT_BEDROCK} in between? It begins: <!doctype html>"
    ),
    "F16 json": failed(
        (page("application/json", b'{"error": "busy"}'),), "DecodeError", 'It begins: {"error": "busy"}'
    ),
    "F16 a few words": failed((page("text/plain", b"busy\n"),), "DecodeError", "It begins: busy"),
    "F16 checksum": interrupted(cut(damaged(MARKER)), NOT_BEDROCK),
    "F17": Fault(script=cut(event_frame("novelty", {"at": 1}), delta(novelty={"at": 1}), *stop_frames())),
    "F18 broken JSON": interrupted(cut(spoilt(b'{"delta": {"text": "l')), "format"),
    "F18 not UTF-8": interrupted(cut(spoilt(b'{"delta": {"text": "\xff"}}')), "format"),
    "F19 huge": Fault(script=(stream([*text_frames(LONG), *stop_frames()]),), text=LONG),
    "F19 empty": Fault(script=cut(*[delta(text="")] * 50, *stop_frames())),
    "F20 late text": Fault(script=cut(*stop_frames(), delta(text=" and more"))),
    "F20 usage first": Fault(script=cut(EARLY, *stop_frames())),
    "F22": Fault(script=(hang_up, ANSWER), requests=2),
}


@pytest.mark.parametrize("row", FAULTS)
def test_a_fault_ends_as_it_must(row: str, wire: WireServer, api: Api, hasty: Api) -> None:
    fault = FAULTS[row]
    wire.reply_with(*fault.script)
    asked = hasty if fault.silence else api
    before = asked.run_log.count()
    seen = asked.stream(resume=fault.resume)
    saved = asked.newest()
    assert asked.run_log.count() == before + 1
    assert seen.ending.get("type", "done") == fault.ending, seen.ending
    assert fault.says in seen.ending.get("error", "")
    assert seen.text == fault.text
    assert (saved.status, saved.response) == (fault.saved, fault.text)
    assert saved.error_type == (None if fault.ending == "done" else fault.ending)
    assert saved.output_tokens == fault.tokens  # what was not reported is unknown, and never 0
    assert saved.resends == fault.requests - 1
    assert len(wire.asked) == fault.requests
    assert set(fault.states) <= set(seen.states), seen.states


def ask(model_id: str = TALKER) -> GenerationRequest:
    return GenerationRequest(model_id=model_id, messages=(Message(role="user", text="Hi"),), api="converse")


def test_cut_after_every_byte_it_is_complete_with_its_marker_alone(wire: WireServer, api: Api) -> None:
    """F13 and F14: an orderly close in the middle of whatever. The text is always the beginning of the answer."""
    frames = [*text_frames("Hel", "lo"), *stop_frames()]
    whole, marked = b"".join(frames), len(b"".join(frames[:-1]))
    provider = BedrockProvider(local_client(wire.url))
    for length in range(len(whole)):
        wire.reply_with(stream([whole[:length]] if length else [], hang_up))
        got: list[StreamEvent] = []
        with contextlib.suppress(ProviderError):
            got.extend(provider.stream(ask()))
        answer = accumulate(got)
        assert "Hello".startswith(answer.text)
        assert answer.is_complete == (length >= marked), length


def test_tens_of_thousands_of_pieces_are_one_answer(wire: WireServer, api: Api) -> None:
    """F19: tiny frames, many of them."""
    pieces = 30_000
    wire.reply_with(stream([b"".join(text_frames(*["x"] * pieces)), *stop_frames()]))
    run = api.services.runner.start(ask(), RunLabels(mode="stream"))
    run.join(20)
    saved = api.newest()
    assert (saved.status, len(saved.response), saved.chunk_count) == ("completed", pieces, pieces)


@pytest.fixture(scope="module")
def rude() -> Iterator[str]:
    """Host and port of something that hangs up on whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def close_all() -> None:
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()

        thread = threading.Thread(target=close_all, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(2)


UNREACHABLE = {
    "F21 no such name": ("http://no-such-host.invalid", "Check the network, the region and the endpoint"),
    "F21 refused": ("http://127.0.0.1:9", "Check the network, the region and the endpoint"),
    "F21 hung up": ("http://{rude}", "Check the network, the region and the endpoint"),
    "F21 no TLS": ("https://{rude}", "Check the certificates"),
}


@pytest.mark.parametrize("row", UNREACHABLE)
def test_each_way_not_to_connect_has_its_sentence(row: str, rude: str) -> None:
    url, says = UNREACHABLE[row]
    backends = Backends("auto", endpoint_url=url.format(rude=rude))
    with pytest.raises(ConnectionFailedError, match=says) as refused:
        list(backends.provider_for(TALKER).stream(ask()))
    assert "object at 0x" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_proxy_that_is_not_there_has_its_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """F21. The model of this machine is asked without the proxy."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    backends = Backends("auto", endpoint_url="http://bedrock.invalid")
    with pytest.raises(ConnectionFailedError, match="proxy"):
        list(backends.provider_for(TALKER).stream(ask()))
    swift = GenerationRequest(
        model_id="simulated.swift",
        messages=(Message(role="user", text="Hi"),),
        inference=InferenceConfig(max_tokens=3),
    )
    assert accumulate(backends.provider_for(swift.model_id).stream(swift)).is_complete
    backends.close()
