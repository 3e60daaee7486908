"""Waiting for other threads and processes, without guessing how long they take."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 10.0
"""Far more than anything here takes on a busy machine: only what is wrong waits so long."""


def until(
    condition: Callable[[], bool], what: str = "it did not come to that", *, within_s: float = PATIENCE_S
) -> None:
    """Looks until `condition` is true. Raises `AssertionError` with `what` has not come when it is not so in time; give
    `within_s` only where that time is a promise."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.005)
