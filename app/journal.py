"""Keeps the runs that are under way in the log, so that one survives a process that is killed.

A thread writes each run as it begins and every two seconds from then on, all of them in one transaction. It lives only
while there are runs. A log that cannot be written holds no answer up: the run is sent after 50 ms at the latest.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from metrics.record import RunRecord
from metrics.run_log import RunLogError
from providers.errors import ProviderError

log = logging.getLogger(__name__)

EVERY_S = 2.0
PATIENCE_S = 0.05


class PlaygroundEndedError(ProviderError):
    """The process ended in the middle of the run. Written ahead, in case it is killed, and when it is told to end."""

    def __init__(self) -> None:
        super().__init__("The playground ended in the middle of this answer; this is how far it was seen.")


class OpenLog(Protocol):
    """Where open runs are kept; `metrics.run_log.RunLog` is one."""

    def keep_open(self, records: Iterable[RunRecord]) -> None: ...


class Journal:
    """Threads may share it. `open` waits until the run is written, `patience_s` at most, and then lets it be sent."""

    def __init__(self, run_log: OpenLog, *, every_s: float = EVERY_S, patience_s: float = PATIENCE_S) -> None:
        self._log = run_log
        self._patience_s = patience_s
        self._every_s = every_s
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._runs: dict[str, tuple[Callable[[], RunRecord], threading.Event]] = {}
        self._thread: threading.Thread | None = None

    def open(self, run_id: str, so_far: Callable[[], RunRecord]) -> None:
        """Writes a run that is about to be sent, and keeps on until it is closed."""
        written = threading.Event()
        with self._lock:
            self._runs[run_id] = (so_far, written)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
                self._thread.start()
        self._wake.set()
        written.wait(self._patience_s)

    def close(self, run_id: str) -> None:
        """Its row is written, or it was never sent."""
        with self._lock:
            self._runs.pop(run_id, None)

    def _work(self) -> None:
        try:
            while runs := self._under_way():
                self._keep(runs)
                self._wake.wait(self._every_s)
        finally:  # whatever happened: the next run starts another thread
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None

    def _under_way(self) -> list[tuple[Callable[[], RunRecord], threading.Event]]:
        with self._lock:
            self._wake.clear()
            if not self._runs:
                self._thread = None  # decided and said at once: a run that comes now starts another one
            return list(self._runs.values())

    def _keep(self, runs: list[tuple[Callable[[], RunRecord], threading.Event]]) -> None:
        try:
            self._log.keep_open([so_far() for so_far, _ in runs])
        except RunLogError as error:
            log.warning("Open runs are not kept: %s", error)
        for _, written in runs:
            written.set()
