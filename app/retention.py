"""Deletes old runs while the playground lives, in a thread of its own: at start, and every hour from then on.

A pass that fails is logged and tried again with the next one: a log that is locked or out of reach holds nothing up.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from metrics.deletion import Deleted
from metrics.run_log import RunLogError

log = logging.getLogger(__name__)

EVERY_S = 3600.0
PATIENCE_S = 2.0
"""A pass that is under way when the playground ends is waited for so long, and left then: the rows that remain, and
what is left in the log of those that went, are for the first pass of the next start."""


class Log(Protocol):
    """Where old runs are deleted; `metrics.run_log.RunLog` is one."""

    def delete_older(self, than: datetime) -> Deleted: ...

    def clear_traces(self) -> str: ...


def utc_now() -> datetime:
    """Now, with its zone."""
    return datetime.now(UTC)


class Retention:
    """Keeps runs for `keep_s` seconds. `start` begins with the first pass, `close` ends it."""

    def __init__(
        self, run_log: Log, keep_s: float, *, every_s: float = EVERY_S, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._log = run_log
        self._keep = timedelta(seconds=keep_s)
        self._every_s = every_s
        self._now = now
        self._ended = threading.Event()
        self._left = ""
        self._thread = threading.Thread(target=self._work, name="retention", daemon=True)

    def start(self) -> None:
        """Once."""
        self._thread.start()

    def close(self) -> None:
        """No further pass begins."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE_S)

    def once(self) -> int:
        """One pass; how many runs it deleted. Raises `RunLogError`."""
        deleted = self._log.delete_older(self._now() - self._keep)
        if deleted.runs:
            log.info("Deleted because of their age: %d of the log's runs", deleted.runs)
        if deleted.runs or deleted.left:
            self._left = deleted.left
        elif self._left:
            self._left = self._log.clear_traces()
        if self._left:
            log.warning("What was deleted left traces in the log, which are removed later: %s", self._left)
        return deleted.runs

    def _work(self) -> None:
        while True:
            try:
                self.once()
            except RunLogError as error:
                log.warning("Old runs are not deleted now: %s", error)
            if self._ended.wait(self._every_s):
                return
