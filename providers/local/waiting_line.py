"""A few places to work, and a line in front of them: first come, first served."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from providers.errors import ThrottledError

_LOOK_S = 0.05


class WaitingLine:
    """Lets `places` callers in at once; at most `max_waiting` others stand in line. `clock` is monotonic, in seconds.

    A caller is known by its `stop`, which is its own.
    """

    def __init__(self, *, places: int, max_waiting: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._changed = threading.Condition()
        self._free = places
        self._max_waiting = max_waiting
        self._clock = clock
        self._line: list[threading.Event] = []

    @property
    def waiting(self) -> int:
        """Those who stand in line."""
        return len(self._line)

    def ahead(self, stop: threading.Event) -> int | None:
        """How many stand before a caller; `None` for one who does not stand in line."""
        with self._changed:
            return self._line.index(stop) if stop in self._line else None

    @contextlib.contextmanager
    def place(self, stop: threading.Event) -> Iterator[float | None]:
        """Waits for a place and holds it. Gives the seconds in line, `None` where `stop` was set first. Raises
        `ThrottledError` at a full line."""
        came_s = self._clock()
        if not self._enter(stop):
            yield None
            return
        try:
            yield self._clock() - came_s
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def _enter(self, stop: threading.Event) -> bool:
        with self._changed:
            if not self._free and len(self._line) >= self._max_waiting:
                raise ThrottledError("Too many requests, please wait before trying again.")
            self._line.append(stop)
            try:
                while not self._free or self._line[0] is not stop:
                    if stop.is_set():
                        return False
                    self._changed.wait(_LOOK_S)  # `stop` belongs to the caller and wakes nobody here
                self._free -= 1
            finally:
                self._line.remove(stop)
                self._changed.notify_all()
        return True
