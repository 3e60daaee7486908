"""Rows on their way into the log. One that cannot be written (a full disk, a locked file, a server that restarts) is
kept and tried again with the next one: the answer is not held up for it, and nothing is lost while the process lives.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from metrics.record import RunRecord
from metrics.run_log import RunLogError

log = logging.getLogger(__name__)

KEPT = 1000
PATIENCE_S = 1.0
KEPT_WORDS = "It is kept, and tried again with the next run."


class Log(Protocol):
    """Where rows are written; `metrics.run_log.RunLog` is one."""

    def add(self, record: RunRecord) -> object: ...


class Outbox:
    """Threads may share it."""

    def __init__(self, run_log: Log, *, kept: int = KEPT, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = run_log
        self._clock = clock
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
        return self.flush().get(record.run_id)

    def flush(self) -> dict[str, str]:
        """Writes what waits, oldest first; for each run that is still not written why. One row that no database takes
        does not hold the others up, but a database that does not answer is asked no longer than a second."""
        with self._lock:
            waiting, self._waiting = list(self._waiting), deque()
        failed: dict[str, str] = {}
        left: list[RunRecord] = []
        limit_s = self._clock() + PATIENCE_S
        for record in waiting:
            if failed and self._clock() > limit_s:
                left.append(record)
                failed[record.run_id] = f"The run log does not answer. {KEPT_WORDS}"
                continue
            try:
                self._log.add(record)
            except RunLogError as error:
                log.error("Run %s is not logged: %s", record.run_id, error)  # noqa: TRY400  # the sentence is enough
                left.append(record)
                failed[record.run_id] = f"{error} {KEPT_WORDS}"
        return failed | self._put_back(left)

    def _put_back(self, left: list[RunRecord]) -> dict[str, str]:
        with self._lock:
            room = max(0, self._kept - len(self._waiting))
            self._waiting.extendleft(reversed(left[:room]))
        return {record.run_id: "It is lost: too many rows wait already." for record in left[room:]}
