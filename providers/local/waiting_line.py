"""A few places to work, and a line in front of them: first come, first served."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from providers.errors import ThrottledError

_LOOK_S = 0.05


class WaitingLine:
    """Lets `places` callers in at once; at most `max_waiting` others stand in line."""

    def __init__(self, *, places: int, max_waiting: int) -> None:
        self._changed = threading.Condition()
        self._free = places
        self._max_waiting = max_waiting
        self._tickets: list[object] = []

    @property
    def waiting(self) -> int:
        """Those who stand in line."""
        return len(self._tickets)

    @contextlib.contextmanager
    def place(self, stop: threading.Event) -> Iterator[bool]:
        """Waits for a place and holds it; false where `stop` was set first. Raises `ThrottledError` at a full line."""
        if not self._enter(stop):
            yield False
            return
        try:
            yield True
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def _enter(self, stop: threading.Event) -> bool:
        ticket = object()
        with self._changed:
            if not self._free and len(self._tickets) >= self._max_waiting:
                raise ThrottledError("Too many requests, please wait before trying again.")
            self._tickets.append(ticket)
            try:
                while not self._free or self._tickets[0] is not ticket:
                    if stop.is_set():
                        return False
                    self._changed.wait(_LOOK_S)  # `stop` belongs to the caller and wakes nobody here
                self._free -= 1
            finally:
                self._tickets.remove(ticket)
                self._changed.notify_all()
        return True
