"""Rows on their way into the log. One that cannot be written (a full disk, a locked file, a server that restarts) is
kept and tried again with the next one: the answer is not held up for it, and nothing is lost while the process lives.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import Protocol

from metrics.record import RunRecord
from metrics.run_log import RunLogError

log = logging.getLogger(__name__)

KEPT = 1000


class Log(Protocol):
    """Where rows are written; `metrics.run_log.RunLog` is one."""

    def add(self, record: RunRecord) -> object: ...


class Outbox:
    """Threads may share it."""

    def __init__(self, run_log: Log, *, kept: int = KEPT) -> None:
        self._log = run_log
        self._kept = kept
        self._lock = threading.Lock()
        self._waiting: deque[RunRecord] = deque()

    def __len__(self) -> int:
        """How many rows wait."""
        with self._lock:
            return len(self._waiting)

    def send(self, record: RunRecord) -> str | None:
        """Writes what waits and then this one. Says why it could not, if so."""
        with self._lock:
            self._waiting.append(record)
        return self.flush()

    def flush(self) -> str | None:
        """Writes what waits, oldest first, up to the first that cannot be written; says why, if so."""
        while (record := self._next()) is not None:
            try:
                self._log.add(record)
            except RunLogError as error:
                log.error("Run %s is not logged: %s", record.run_id, error)  # noqa: TRY400  # the sentence is enough
                return f"{error} {self._put_back(record)}"
        return None

    def _next(self) -> RunRecord | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def _put_back(self, record: RunRecord) -> str:
        with self._lock:
            if len(self._waiting) >= self._kept:
                return "It is lost: too many rows wait already."
            self._waiting.appendleft(record)
        return "It is kept, and tried again with the next run."
