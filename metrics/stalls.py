"""From when a silence in a stream is worth a word: learned from how long a model usually pauses.

A model that never pauses for more than a tenth of a second has stalled after one; another one that thinks between
paragraphs has not after two. Never later than three seconds: then somebody who looks wants to know.
"""

from __future__ import annotations

import statistics
import threading
from collections import deque

EARLIEST_S = 1.0
LATEST_S = 3.0
TIMES_USUAL = 4.0
"""How many times the usual longest pause of a model's answers a silence must last."""
ENOUGH_RUNS = 5
KEPT_RUNS = 50


class StallHistory:
    """The longest silence of each finished stream, by model. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._longest_s: dict[str, deque[float]] = {}

    def add(self, model_id: str, longest_s: float) -> None:
        """Files a stream that ended by itself, with its longest silence between two chunks."""
        with self._lock:
            self._longest_s.setdefault(model_id, deque(maxlen=KEPT_RUNS)).append(longest_s)

    def limit_s(self, model_id: str) -> float:
        """From when on a silence counts as a stall: 1 to 3 s, and 3 s until five streams are known."""
        with self._lock:
            known = list(self._longest_s.get(model_id, ()))
        if len(known) < ENOUGH_RUNS:
            return LATEST_S
        return min(LATEST_S, max(EARLIEST_S, TIMES_USUAL * statistics.median(known)))
