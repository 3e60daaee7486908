"""A raw socket server that answers as Bedrock does, or as a broken network does: one scripted reply per request.

A reply is a function of the connection; the last one of a script serves all further requests. Nothing here is a
double of our own code: real bytes over a real socket, built with the frames that botocore's decoder accepts.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from providers.local.event_stream import chunk_frame, event_frame

Reply = Callable[["Connection"], None]


@dataclass(slots=True)
class Asked:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: Any

    @property
    def model_id(self) -> str:
        """The id in the path, decoded."""
        return unquote(self.path.split("/")[2])

    @property
    def operation(self) -> str:
        """The last part of the path: converse, converse-stream, invoke, invoke-with-response-stream."""
        return self.path.rsplit("/", 1)[1]


@dataclass(slots=True)
class Connection:
    """What a reply writes to."""

    sock: socket.socket
    asked: Asked
    server: WireServer

    def head(self, status: str, headers: dict[str, str]) -> None:
        """The status line and headers."""
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.sock.sendall("\r\n".join(lines).encode())

    def chunk(self, data: bytes) -> None:
        """One chunk of a chunked body, sent at once."""
        self.sock.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def end(self) -> None:
        """The last chunk."""
        self.sock.sendall(b"0\r\n\r\n")

    def wait_until_left(self, timeout_s: float = 5.0) -> bool:
        """Whether the client went away within the time; the moment is noted in `server.left_at`."""
        self.sock.settimeout(timeout_s)
        try:
            gone = self.sock.recv(1) == b""
        except (ConnectionError, ssl.SSLError):  # over TLS a client may go without a word
            gone = True
        except TimeoutError:
            return False
        self.server.left_at.append(time.perf_counter())
        return gone


@dataclass(slots=True)
class WireServer:
    """`url` to point boto3 at, `script` of replies, `asked` what came in, `left_at` when clients hung up."""

    url: str
    script: list[Reply] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    left_at: list[float] = field(default_factory=list)

    def reply_with(self, *replies: Reply) -> None:
        """Sets the script anew."""
        self.script[:] = replies
        self.asked.clear()
        self.left_at.clear()


@contextlib.contextmanager
def wire_server(tls: ssl.SSLContext | None = None) -> Iterator[WireServer]:
    """The server, on a free port of loopback; with `tls` it speaks that."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = WireServer(url=f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}")
        accepting = threading.Thread(target=_accept, args=(listener, server, tls), daemon=True)
        accepting.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(2)


def _accept(listener: socket.socket, server: WireServer, tls: ssl.SSLContext | None) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        if tls is not None:
            sock = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=_serve, args=(sock, server), daemon=True).start()


def _serve(sock: socket.socket, server: WireServer) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sock, contextlib.suppress(OSError):
        reader = sock.makefile("rb")
        with reader:
            while (asked := _read_request(reader)) is not None:
                server.asked.append(asked)
                reply = server.script.pop(0) if len(server.script) > 1 else server.script[0]
                try:
                    reply(Connection(sock, asked, server))
                except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
                    server.left_at.append(time.perf_counter())
                    return


def _read_request(reader: Any) -> Asked | None:
    line = reader.readline().decode().split()
    if len(line) < 2:
        return None
    headers = {}
    while (header := reader.readline().decode().strip()) != "":
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", "0")))
    return Asked(line[1], headers, json.loads(body) if body else None)


# --- replies ----------------------------------------------------------------------------------------------------------


def document(body: Any, headers: dict[str, str] | None = None) -> Reply:
    """A complete answer."""

    def reply(to: Connection) -> None:
        data = json.dumps(body).encode()
        told = {"Content-Type": "application/json", "Content-Length": str(len(data)), "x-amzn-RequestId": "wire-1"}
        to.head("200 OK", told | (headers or {}))
        to.sock.sendall(data)

    return reply


def failure(status: str, code: str, message: str, headers: dict[str, str] | None = None) -> Reply:
    """An error in place of an answer."""

    def reply(to: Connection) -> None:
        data = json.dumps({"message": message}).encode()
        told = {"x-amzn-ErrorType": code, "Content-Length": str(len(data)), "x-amzn-RequestId": "wire-1"}
        to.head(status, told | (headers or {}))
        to.sock.sendall(data)

    return reply


def stream(frames: Iterable[bytes], then: Reply | None = None) -> Reply:
    """Frames in a chunked body, each sent at once; `then` goes on in place of the last chunk."""
    sent = list(frames)

    def reply(to: Connection) -> None:
        to.head(
            "200 OK",
            {
                "Content-Type": "application/vnd.amazon.eventstream",
                "Transfer-Encoding": "chunked",
                "x-amzn-RequestId": "wire-1",
            },
        )
        for frame in sent:
            to.chunk(frame)
        (then or Connection.end)(to)

    return reply


def silence(to: Connection) -> None:
    """Says nothing more until the client goes."""
    to.wait_until_left()


def hang_up(to: Connection) -> None:
    """Closes in an orderly way."""
    to.sock.shutdown(socket.SHUT_RDWR)


def reset(to: Connection) -> None:
    """Closes with RST, as a dying router does."""
    to.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionAbortedError  # leaves `_serve`, which closes the socket for good


# --- frames of ConverseStream and of an invoke stream -----------------------------------------------------------------


def text_frames(*texts: str) -> list[bytes]:
    """The beginning of a ConverseStream answer."""
    deltas = [event_frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}) for text in texts]
    return [event_frame("messageStart", {"role": "assistant"}), *deltas]


def stop_frames(reason: str = "end_turn", *, input_tokens: int = 5, output_tokens: int = 7) -> list[bytes]:
    """Its end: the terminal marker, then usage and the service's clock."""
    usage = {
        "inputTokens": input_tokens,
        "outputTokens": output_tokens,
        "totalTokens": input_tokens + output_tokens,
    }
    return [
        event_frame("contentBlockStop", {"contentBlockIndex": 0}),
        event_frame("messageStop", {"stopReason": reason}),
        event_frame("metadata", {"usage": usage, "metrics": {"latencyMs": 321}}),
    ]


def chunk_frames(*chunks: Any) -> list[bytes]:
    """Chunks of an invoke stream."""
    return [chunk_frame(chunk) for chunk in chunks]
