"""One answer on its way: a thread that reads it, and snapshots for whoever watches.

The thread makes the call, iterates over it, closes it and hands its ending in. Times are taken there, as events leave
the provider, before any counting or drawing. Nobody who watches can slow it down.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Protocol

from app.listeners import Listeners
from app.live import NS_PER_S, LiveFigures, RunFailure, RunUpdate, State, concluded
from app.received import Received
from app.records import Ending, Origin, RunLabels
from metrics.record import RunRecord, RunStatus
from providers.base import Provider
from providers.cancellation import Cancellation
from providers.errors import ProviderError, StreamInterruptedError
from providers.types import (
    Completion,
    PreparedCall,
    Resumed,
    RetryScheduled,
    StreamEvent,
    TextDelta,
)

log = logging.getLogger(__name__)

TICK_S = 0.25
"""A watcher wakes at least this often, so that a closed tab is noticed while the model is silent."""


class Keeper(Protocol):
    """Who started the run: gives it the clock and takes its ending. `app.runner.Runner` is one."""

    def now_ns(self) -> int: ...

    def updates_per_s(self) -> float:
        """How often a page that shows a run should be drawn anew."""

    def finish(self, run: Run, ending: Ending) -> tuple[RunRecord, str | None]:
        """Writes the row; the second value says why it could not be saved, if so."""


class Run:
    """Watch it with `snapshot`, by iterating, or with `updates` from a coroutine."""

    def __init__(
        self,
        keeper: Keeper,
        provider: Provider,
        call: PreparedCall,
        labels: RunLabels,
        origin: Origin,
        live: LiveFigures,
        attempts: int,
    ) -> None:
        self.id = labels.run_id
        self.request = call.request
        self._notices = call.notices
        self.labels = labels
        self.origin = origin
        self._keeper = keeper
        self._provider = provider
        self._live = live
        self._attempts = attempts
        self._canceller = Cancellation()
        self._cut_by: ProviderError | None = None
        self._lock = threading.Lock()
        self._listeners = Listeners()
        self._received = Received()
        self._last: RunUpdate | None = None
        self._gate: threading.Barrier | None = None
        self._begin_clock()
        self._thread = threading.Thread(target=self._work, name=f"run-{self.id[:8]}", daemon=True)

    def begin(self, gate: threading.Barrier | None = None) -> None:
        """Starts the thread. Once. With a `gate` the call is made when everybody has come to it: runs that are to be
        sent at the same moment share one."""
        self._gate = gate
        self._begin_clock()
        self._thread.start()

    def cancel(self, because: ProviderError | None = None) -> None:
        """Stops the answer: closes the connection from any state, keeps what was said. Safe to repeat. With `because`
        nobody wished for it: the run counts as interrupted, by that error."""
        if not self._canceller.cancelled:
            self._cut_by = because
        self._canceller.cancel()

    def join(self, timeout_s: float | None = None) -> None:
        """Waits until the run has ended and its row is written. One that was never sent is not waited for."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _begin_clock(self) -> None:
        self._started_at = datetime.now(UTC)
        self._began_ns = self._keeper.now_ns()

    # --- watching -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> RunUpdate:
        """The run as it is now."""
        with self._lock:
            return self._last or self._picture()

    def since(self, resets: int, sent: int) -> tuple[int, list[str]]:
        """What came after piece number `sent` of the answer that follows `resets` beginnings: how many beginnings
        there are by now, and the pieces. After a new beginning those are all of its own."""
        with self._lock:
            received = self._received
            return received.resets, received.pieces[sent if resets == received.resets else 0 :]

    def __iter__(self) -> Iterator[RunUpdate]:
        """Updates until the run has ended, the last one included; at most 20 a second."""
        changed = threading.Event()
        with self.listening(changed.set, each_piece=False):
            while not (update := self.snapshot()).ended:
                yield update
                changed.wait(0.05)
                changed.clear()
            yield update

    async def updates(self, per_s: float | None = None, *, each_piece: bool = False) -> AsyncGenerator[RunUpdate]:
        """The same from a coroutine: at most `per_s` a second, or as often as the keeper says, and at least every
        0.25 s; the first text and the end at once. With `each_piece` also at every piece, however fast they come."""
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed while the run went on
                loop.call_soon_threadsafe(changed.set)

        with self.listening(wake, each_piece=each_piece):
            while not (update := self.snapshot()).ended:
                yield update
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), min(1 / (per_s or self._keeper.updates_per_s()), TICK_S))
                changed.clear()
            yield update

    def listening(self, wake: Callable[[], None], *, each_piece: bool = False) -> AbstractContextManager[None]:
        """While it is entered `wake` is called at the first text, at every change of state and at the end, from the
        run's thread; with `each_piece` also at every piece."""
        return self._listeners.listening(wake, each_piece=each_piece)

    def _picture(self) -> RunUpdate:
        now_ns, received = self._keeper.now_ns(), self._received
        text = "".join(received.pieces)
        silence_s = (now_ns - received.chunks[-1][0]) / NS_PER_S if received.chunks else None
        figures = self._live.read(text, now_ns) if self.labels.mode == "stream" and text else None
        waits = received.start is None and received.retry is None
        return RunUpdate(
            run_id=self.id,
            model_id=self.request.model_id,
            mode=self.labels.mode,
            simulated=self.origin.simulated,
            state=self._state(silence_s),
            elapsed_s=(now_ns - self._began_ns) / NS_PER_S,
            text=text,
            reasoning="".join(received.reasoning),
            ahead=self._provider.ahead(self._canceller) if waits else None,
            queued_s=received.queued_s,
            first_text_s=self._first_text_s(),
            silence_s=silence_s,
            tokens=figures.tokens if figures else None,
            rate=figures.rate if figures else None,
            progress=figures.progress if figures else None,
            retry=received.retry,
            resends=received.resends,
            attempts=self._attempts,
            resets=received.resets,
            resumed=received.resumed,
            notices=self._notices,
        )

    def _state(self, silence_s: float | None) -> State:
        if self._received.retry is not None:
            return "retrying"
        if silence_s is None or self.labels.mode == "sync":
            return "waiting"
        if silence_s > self._live.stalled_after_s:
            return "stalled"
        return "streaming" if self._received.pieces else "thinking"

    def _first_text_s(self) -> float | None:
        """Streams only: a complete answer has no first text apart from the whole."""
        first_ns = self._received.first_text_ns
        if first_ns is None or self.labels.mode == "sync":
            return None
        return (first_ns - self.sent_at_ns) / NS_PER_S - (self._received.queued_s or 0.0)

    @property
    def sent_at_ns(self) -> int:
        """On the keeper's clock, right before the call. A run that was tried again counts from its beginning: that is
        how long it took."""
        received = self._received
        return received.start.sent_at_ns if received.start and not received.resends else self._began_ns

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        error: BaseException | None = None
        if self._gate is not None:
            with contextlib.suppress(threading.BrokenBarrierError):  # somebody cannot come: nobody waits for them
                self._gate.wait()
            self._begin_clock()
        try:
            self._drain()
        except ProviderError as failure:
            error = failure
        except Exception as failure:  # the thread's edge: a bug must still end the run with a row
            log.exception("Run %s broke", self.id)
            error = failure
        ended_at_ns = self._keeper.now_ns()
        try:
            last = self._finish(error, ended_at_ns)
        except Exception as failure:  # and one in making the row must still let the watchers go
            log.exception("Run %s could not be written", self.id)
            last = dataclasses.replace(self.snapshot(), state="failed", failure=RunFailure.of(failure))
        with self._lock:
            self._last = last
        self._listeners.wake()

    def _drain(self) -> None:
        call = self._provider.stream if self.labels.mode == "stream" else self._provider.invoke
        received, now_ns, observe = self._received, self._keeper.now_ns, self._live.observe
        pieces, chunks = received.pieces, received.chunks
        with contextlib.closing(call(self.request, self._canceller)) as events:
            for event in events:
                at_ns = now_ns()
                if type(event) is not TextDelta:  # match costs twice as much here
                    self._note(event, at_ns)
                    continue
                text = event.text
                pieces.append(text)
                chunks.append((at_ns, "text", len(text)))
                observe(len(text), at_ns)
                if received.first_text_ns is None:
                    received.first_text_ns = at_ns
                    received.retry = None
                    self._listeners.wake()
                elif self._listeners:
                    self._listeners.wake(piece=True)

    def _note(self, event: StreamEvent, at_ns: int) -> None:
        """Everything but text."""
        if isinstance(event, Resumed) and event.reset:
            with self._lock:
                self._received.begin_again()
                self._live.restart()
        self._received.note(event, at_ns)
        if isinstance(event, RetryScheduled | Resumed):
            self._listeners.wake()

    def so_far(self, error: ProviderError) -> Ending:
        """The ending that the run would have if `error` cut it off now."""
        with self._lock:
            return self._ending("interrupted", self._received.completion(), self._keeper.now_ns(), error)

    def _finish(self, error: BaseException | None, ended_at_ns: int) -> RunUpdate:
        completion = self._received.completion()
        status = self._status(error, completion)
        cause = self._cut_by if status == "interrupted" and error is None else error
        ending = self._ending(status, completion, ended_at_ns, cause)
        record, not_saved = self._keeper.finish(self, ending)
        with self._lock:
            elapsed_s = (ending.ended_at_ns - self._began_ns) / NS_PER_S
            return concluded(self._picture(), ending, record, not_saved, elapsed_s=elapsed_s)

    def _ending(
        self, status: RunStatus, completion: Completion, ended_at_ns: int, error: BaseException | None
    ) -> Ending:
        received = self._received
        return Ending(
            status=status,
            completion=completion,
            chunks=tuple(received.chunks),
            started_at=self._started_at,
            sent_at_ns=self.sent_at_ns,
            queued_s=received.queued_s,
            headers_at_ns=received.start.headers_at_ns if received.start else None,
            ended_at_ns=ended_at_ns,
            error=error,
            resends=received.resends,
            resumed=received.resumed,
        )

    def _status(self, error: BaseException | None, completion: Completion) -> RunStatus:
        if error is None and completion.is_complete:
            return "completed"
        if self._canceller.cancelled:
            return "interrupted" if self._cut_by else "cancelled"
        return "interrupted" if isinstance(error, StreamInterruptedError) else "failed"
