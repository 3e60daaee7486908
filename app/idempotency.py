"""Which questions were asked before: the same question with the same `Idempotency-Key` is one run, however often it
comes, so that a client that lost its answer may ask again without paying twice.

The header, its place on POST and 409 for what conflicts follow draft-ietf-httpapi-idempotency-key-header-07 (15 October
2025, read 2026-11-23). It differs from the draft in two points: another body under a used key is 409 and not 422, which
nothing here answers, and a request that comes while the first one is under way is not refused but waits with it. A key
is taken as it stands, in quotes or without.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException

from providers.errors import InvalidValueError

HEADER = "Idempotency-Key"
MAX_CHARS = 255
KEPT_KEYS = 10_000
KEEP_S = 24 * 3600.0
_KEY = re.compile(rf"[!-~]{{1,{MAX_CHARS}}}")

AskedBy = tuple[str, str]
"""A login, empty where there are none, and the key that it sent: nobody meets the key of another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """`said` is a digest of the body; `run_id` is there once the run has begun."""

    said: bytes
    at_s: float
    run_id: asyncio.Future[str]


class AskedBefore:
    """Run ids by key: the last ones, for a day, in this process. Lives on the server's event loop; `clock` is
    monotonic, in seconds."""

    def __init__(
        self, *, most: int = KEPT_KEYS, keep_s: float = KEEP_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._keep_s = keep_s
        self._clock = clock
        self._asked: OrderedDict[AskedBy, _Asked] = OrderedDict()

    def __len__(self) -> int:
        return len(self._asked)

    async def run_id(self, key: AskedBy, said: bytes, begin: Callable[[], Coroutine[Any, Any, str]]) -> str:
        """The id of the run that belongs to `key`. `begin` starts one and gives its id where there is none yet; what it
        raises goes to everybody who waits for it, and leaves no key behind.

        Raises `InvalidValueError` for a key that is none, `HTTPException` (409) where something else was asked with it.
        """
        if not _KEY.fullmatch(key[1]):
            raise InvalidValueError(f"{HEADER} must be 1 to {MAX_CHARS} visible ASCII characters.", field=HEADER)
        now_s = self._clock()
        self._drop_expired(now_s)
        asked = self._asked.get(key)
        if asked is None:
            if len(self._asked) >= self._most:
                self._asked.popitem(last=False)
            asked = _Asked(said=said, at_s=now_s, run_id=asyncio.ensure_future(begin()))
            self._asked[key] = asked
            asked.run_id.add_done_callback(lambda ended: self._forget_refused(key, ended))
        elif asked.said != said:
            raise HTTPException(
                409,
                f"Something else was asked with this {HEADER} before. Take another key for another question, or send "
                "the same body again.",
            )
        return await asyncio.shield(asked.run_id)  # who leaves does not take it away from the others

    def begun(self, key: AskedBy) -> str | None:
        """The id of the run that was begun for `key`; `None` where there is none, or it is only about to begin."""
        asked = self._asked.get(key)
        if asked is None or not asked.run_id.done() or asked.run_id.cancelled() or asked.run_id.exception() is not None:
            return None
        return asked.run_id.result()

    def forget(self, key: AskedBy, run_id: str) -> None:
        """Frees `key` where it still stands for this run: the next question with it begins another one."""
        if self.begun(key) == run_id:
            del self._asked[key]

    def _forget_refused(self, key: AskedBy, ended: asyncio.Future[str]) -> None:
        asked = self._asked.get(key)
        if (ended.cancelled() or ended.exception() is not None) and asked is not None and asked.run_id is ended:
            del self._asked[key]

    def _drop_expired(self, now_s: float) -> None:
        while self._asked and now_s - next(iter(self._asked.values())).at_s > self._keep_s:
            self._asked.popitem(last=False)
