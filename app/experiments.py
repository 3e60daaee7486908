"""The experiment of this process: one at a time, so that two never disturb each other's figures."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.experiment import Experiment


class ExperimentBusy(RuntimeError):
    """Another experiment is running."""


class Experiments:
    """Holds the experiment that is running or ran last. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: Experiment | None = None

    @property
    def current(self) -> Experiment | None:
        """The one that is running, or the last one."""
        with self._lock:
            return self._current

    def begin(self, experiment: Experiment) -> None:
        """Starts it. Raises `ExperimentBusy` while another one runs, and what `Experiment.begin` raises; then nothing
        is sent, and the one before stays the last."""
        with self._lock:
            if self._current is not None and not self._current.snapshot().ended:
                raise ExperimentBusy("An experiment is running already. Wait for its end, or stop it first.")
            experiment.begin()
            self._current = experiment

    def close(self, timeout_s: float = 2.0) -> None:
        """Stops what is running and waits until it is written."""
        current = self.current
        if current is not None:
            current.cancel()
            current.join(timeout_s)
