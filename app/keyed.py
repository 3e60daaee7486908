"""What a page keeps on the server under a key of its own. A browser holds only the key.

Shared by threads. What nobody uses is dropped after a while, and there is room for so many.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

KEEP_S = 12 * 3600.0
MAX_KEPT = 500
_KEY = re.compile(r"[A-Za-z0-9_-]{22,64}")


class Kept(Protocol):
    """What can be kept: something that is not dropped while it is busy."""

    @property
    def busy(self) -> bool: ...


T = TypeVar("T", bound=Kept)


class Keyed(Generic[T]):
    """All of one kind in this process, by key. `make` makes an empty one; `clock` is monotonic, in seconds."""

    def __init__(
        self,
        make: Callable[[str], T],
        *,
        keep_s: float = KEEP_S,
        most: int = MAX_KEPT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._keep_s = keep_s
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, T]] = {}

    def open(self, key: str | None) -> T:
        """What is under `key`. A key that is not known opens an empty one; what is no key gets a fresh one."""
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            key = secrets.token_urlsafe(24)
        now_s = self._clock()
        with self._lock:
            _, kept = self._known.pop(key, (0.0, None))
            kept = self._make(key) if kept is None else kept
            self._known[key] = (now_s, kept)  # the most recently used stands last
            self._drop_old(now_s)
        return kept

    def everything(self) -> list[T]:
        """All that is kept now, without counting as use."""
        with self._lock:
            return [kept for _, kept in self._known.values()]

    def __len__(self) -> int:
        return len(self._known)

    def _drop_old(self, now_s: float) -> None:
        excess = len(self._known) - self._most
        for key, (used_s, kept) in list(self._known.items())[:-1]:
            if now_s - used_s > self._keep_s or excess > 0:
                if kept.busy:
                    continue
                del self._known[key]
                excess -= 1
