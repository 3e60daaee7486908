"""Who may come in where a playground is open to more than its own machine: names and keys from a file.

The file has a line `name:key` for each person or program. A browser sends both by HTTP Basic (it asks by itself), a
program the key alone as `Authorization: Bearer KEY`. The name is what limits are counted by; it goes nowhere else.
"""

from __future__ import annotations

import base64
import hmac
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from providers.errors import ConfigurationError

MIN_KEY_CHARS = 16
NOBODY_ELSE = stat.S_IRWXG | stat.S_IRWXO


class Keys:
    """The keys by name."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = {name: key.encode() for name, key in keys.items()}

    def holder(self, authorization: str) -> str | None:
        """The name behind an `Authorization` header; `None` where it opens nothing. Takes the same time for every
        key that is wrong."""
        scheme, _, said = authorization.partition(" ")
        match scheme.lower():
            case "bearer":
                name, key = None, said.strip()
            case "basic":
                name, key = _basic(said)
            case _:
                return None
        given, found = key.encode("utf-8", "replace"), None
        for known, right in self._keys.items():
            fits = hmac.compare_digest(given, right)
            if fits and name in (None, known):
                found = known
        return found


def read_keys(path: str) -> Keys:
    """The keys of a file. Raises `ConfigurationError` where it cannot be read, is open to others, or holds a line that
    is none; the sentence names the line's number and nothing of what is in it."""
    file = Path(path)
    try:
        mode, text = file.stat().st_mode, file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigurationError(f"The key file {path} cannot be read: {reason}.") from error
    if os.name == "posix" and mode & NOBODY_ELSE:
        raise ConfigurationError(f"The key file {path} is open to other users. Close it first: chmod 600 {path}")
    keys: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, key = line.strip().partition(":")
        if not colon or not name or len(key) < MIN_KEY_CHARS or name in keys or key in keys.values():
            raise ConfigurationError(
                f"Line {number} of {path} is no key: write name:key, each name and each key once, with keys of at "
                f"least {MIN_KEY_CHARS} characters."
            )
        keys[name] = key
    if not keys:
        raise ConfigurationError(f"The key file {path} holds no key: write a line name:key for each person.")
    return Keys(keys)


def _basic(said: str) -> tuple[str | None, str]:
    try:
        name, _, key = base64.b64decode(said.strip(), validate=True).decode().partition(":")
    except ValueError:  # not base64, or not UTF-8 in it
        return "", ""
    return name, key


class RateLimit:
    """So many calls a minute for each name, as a bucket that fills again. Threads may share it."""

    def __init__(self, per_minute: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_minute / 60
        self._size = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def wait_s(self, name: str) -> float:
        """0 where `name` may call now, and one call is taken off; else the seconds until it may."""
        now = self._clock()
        with self._lock:
            left, at = self._left.get(name, (self._size, now))
            left = min(self._size, left + (now - at) * self._per_s)
            if left < 1:
                return (1 - left) / self._per_s
            self._left[name] = (left - 1, now)
        return 0.0
