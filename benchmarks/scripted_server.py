"""A server in a process of its own that plays a ConverseStream at a steady pace and says when it did so.

`perf_counter` is one clock for all processes of a machine (CLOCK_MONOTONIC on Linux), so that its stamps can be held
against those of a run.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection

from providers.local.event_stream import event_frame

WORDS = ("The ", "sea ", "is ", "calm ", "to", "-night, ", "the ", "tide ", "is ", "full. ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamps:
    """When the request was read and when the first text was sent, in nanoseconds of `perf_counter_ns`."""

    asked_at_ns: int
    first_text_at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    frames: list[bytes]
    closing: list[bytes]
    per_second: float
    first_text_s: float


@contextlib.contextmanager
def scripted_server(
    tokens: int, per_second: float, *, first_text_s: float = 0.02
) -> Iterator[tuple[str, Callable[[], Stamps]]]:
    """The address of the server, and what waits for the stamps of the next answer."""
    theirs, ours = multiprocessing.Pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = multiprocessing.get_context("fork").Process(
            target=_play, args=(listener, theirs, _script(tokens, per_second, first_text_s)), daemon=True
        )
        process.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", ours.recv
        finally:
            process.terminate()
            process.join()


def _script(tokens: int, per_second: float, first_text_s: float) -> _Script:
    usage = {"inputTokens": 9, "outputTokens": tokens, "totalTokens": tokens + 9}
    return _Script(
        frames=[
            event_frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": WORDS[i % len(WORDS)]}})
            for i in range(tokens)
        ],
        closing=[
            event_frame("messageStop", {"stopReason": "end_turn"}),
            event_frame("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}),
        ],
        per_second=per_second,
        first_text_s=first_text_s,
    )


def _play(listener: socket.socket, told: Connection, script: _Script) -> None:
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=_serve, args=(sock, told, script), daemon=True).start()


def _serve(sock: socket.socket, told: Connection, script: _Script) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sock, sock.makefile("rb") as reader, contextlib.suppress(OSError):
        while reader.readline() != b"":
            length = 0
            while (line := reader.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            reader.read(length)
            told.send(_answer(sock, script))


def _answer(sock: socket.socket, script: _Script) -> Stamps:
    asked_at_ns = time.perf_counter_ns()
    sock.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    due, first_text_at_ns = asked_at_ns / 1e9 + script.first_text_s, 0
    for frame in script.frames:
        time.sleep(max(0.0, due - time.perf_counter()))
        due += 1 / script.per_second
        first_text_at_ns = first_text_at_ns or time.perf_counter_ns()
        sock.sendall(f"{len(frame):x}\r\n".encode() + frame + b"\r\n")
    for frame in script.closing:
        sock.sendall(f"{len(frame):x}\r\n".encode() + frame + b"\r\n")
    sock.sendall(b"0\r\n\r\n")
    return Stamps(asked_at_ns=asked_at_ns, first_text_at_ns=first_text_at_ns)
