"""A wire between a client and a server that a test can cut: plain TCP, byte for byte, on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(slots=True)
class Relay:
    """`url` leads to the server behind it. While `closed` is set, new connections are refused."""

    url: str
    closed: threading.Event = field(default_factory=threading.Event)
    connections: int = 0
    _ends: list[socket.socket] = field(default_factory=list)

    def cut(self) -> None:
        """Breaks every connection that is open, in mid-air."""
        ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextlib.contextmanager
def relay(to: str) -> Iterator[Relay]:
    """A relay to the server at the URL `to`."""
    target = urlsplit(to)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire = Relay(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(
            target=_accept, args=(listener, wire, (target.hostname or "", target.port or 80)), daemon=True
        )
        thread.start()
        try:
            yield wire
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            wire.cut()
            thread.join(5)


def _accept(listener: socket.socket, wire: Relay, target: tuple[str, int]) -> None:
    while True:
        try:
            here, _ = listener.accept()
        except OSError:
            return
        if wire.closed.is_set():
            here.close()
            continue
        there = socket.create_connection(target)
        wire.connections += 1
        wire._ends += [here, there]
        for source, sink in ((here, there), (there, here)):
            threading.Thread(target=_carry, args=(source, sink), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
