"""Who is woken when something happens. Safe to share between threads; waking takes no lock."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator


class Listeners:
    """True while somebody listens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: tuple[tuple[Callable[[], None], bool], ...] = ()

    def __bool__(self) -> bool:
        return bool(self._all)

    @contextlib.contextmanager
    def listening(self, wake: Callable[[], None], *, each_piece: bool) -> Generator[None]:
        """Adds a listener while it is entered; with `each_piece` it is also told small things."""
        listener = (wake, each_piece)
        with self._lock:
            self._all = (*self._all, listener)
        try:
            yield
        finally:
            with self._lock:
                self._all = tuple(other for other in self._all if other is not listener)

    def wake(self, *, piece: bool = False) -> None:
        """Tells everybody, or with `piece` those who want to know of each."""
        for wake, each_piece in self._all:
            if each_piece or not piece:
                wake()
