"""Hanging up on a call under way, from another thread, in whatever phase it is.

Closing a boto3 stream from outside does not wake a thread that waits in `recv` (measured with botocore 1.44.5: it
blocks up to the read timeout). What does is to shut the socket down underneath: before the headers through the
connection that carries the call, afterwards through the raw response. Whoever opens such a thing attaches it here.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator

_calling = threading.local()


class Cancellation:
    """One call's handle, with an id of its own. `cancel` is idempotent and safe from any thread; it returns in well
    under a millisecond."""

    def __init__(self) -> None:
        self.call_id = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._hang_up: Callable[[], None] | None = None

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._event.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Sleeps up to `timeout_s` seconds; returns at once, and true, when cancelled."""
        return self._event.wait(timeout_s)

    def attach(self, hang_up: Callable[[], None]) -> None:
        """Sets what cuts the current connection, in place of the one before; cuts it now if already cancelled."""
        with self._lock:
            self._hang_up = hang_up
        if self.cancelled:
            self._cut()

    def detach(self) -> None:
        """Forgets the connection: the call is over, and its socket may serve somebody else."""
        with self._lock:
            self._hang_up = None

    def cancel(self) -> None:
        """Ends the call under way, and any that is attached later."""
        self._event.set()
        self._cut()

    def _cut(self) -> None:
        with self._lock:
            hang_up, self._hang_up = self._hang_up, None
            if hang_up is not None:
                # The other side, or the reader itself, may have closed it a moment ago: then there is nothing to cut.
                with contextlib.suppress(OSError, ValueError, RuntimeError):
                    hang_up()


@contextlib.contextmanager
def calling(cancellation: Cancellation | None) -> Iterator[None]:
    """While inside, `current()` in this thread answers `cancellation`: how the HTTP connection finds its call."""
    _calling.cancellation = cancellation
    try:
        yield
    finally:
        _calling.cancellation = None
        if cancellation is not None:
            cancellation.detach()


def current() -> Cancellation | None:
    """The cancellation of the call that this thread is making."""
    return getattr(_calling, "cancellation", None)
