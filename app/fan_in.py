"""Several runs for one watcher: a thread a run, all on one clock, so that a slow one never holds a fast one.

Together they are prepared first, down to the last check, and wait at one gate; then each makes its call by itself. One
after another they go in an order that is shuffled and kept, for a fair figure where they share a machine. A run that
cannot be made tells why in its place, and the others are made.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from app.live import NS_PER_S, RunFailure, RunUpdate
from app.records import RunLabels
from app.run import TICK_S, Run
from app.runner import Runner
from metrics.record import Mode
from providers.errors import ProviderError
from providers.model_ids import parse_model_id
from providers.places import Served
from providers.types import GenerationRequest

MAX_LANES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one lane asks, and how. `providers` is where, if elsewhere than the runner's own; `notices` are sentences
    about the request; a `refusal` says why it cannot ask."""

    model_id: str
    mode: Mode = "stream"
    request: GenerationRequest | None = None
    providers: Served | None = None
    notices: tuple[str, ...] = ()
    refusal: Exception | None = None


@dataclass(slots=True, kw_only=True)
class _Lane:
    """An entry on its way. Without a run it was refused."""

    entry: Entry
    run: Run | None = None
    refusal: RunFailure | None = None
    order: int | None = None
    begun: bool = False
    left_out: bool = False

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.run is None or self.left_out or (self.begun and self.run.snapshot().ended)


class FanIn:
    """Runs beside each other under one comparison id. `start` sends them; watch with `snapshot` or `updates`.

    `in_turn` sends them one after another, in an order shuffled with `rng`; the order is in each row.
    """

    def __init__(
        self,
        runner: Runner,
        entries: Sequence[Entry],
        *,
        comparison_id: str | None = None,
        in_turn: bool = False,
        rng: random.Random | None = None,
    ) -> None:
        if not 1 <= len(entries) <= MAX_LANES:
            raise ValueError(f"A comparison has 1 to {MAX_LANES} panes; this one has {len(entries)}.")
        self.id = comparison_id or uuid.uuid4().hex
        self.in_turn = in_turn
        self._runner = runner
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._lanes = [_Lane(entry=entry) for entry in entries]
        order = list(range(len(entries)))
        if in_turn:
            (rng or random.Random()).shuffle(order)
        self._order = tuple(order)

    def start(self) -> None:
        """Prepares every run, then sends them and returns. What cannot be prepared is told in its lane. Once."""
        for place, index in enumerate(self._order, start=1):
            self._prepare(self._lanes[index], place if self.in_turn else None)
        if self.in_turn:
            threading.Thread(target=self._one_after_another, name=f"compare-{self.id[:8]}", daemon=True).start()
            return
        able = [lane for lane in self._lanes if lane.run is not None]
        gate = threading.Barrier(len(able)) if len(able) > 1 else None
        try:
            for lane in able:
                self._begin(lane, gate)
        finally:  # whoever waits at the gate for one that will not come (stopped, or no thread to be had) goes on
            if gate is not None and not all(lane.begun for lane in able):
                gate.abort()

    def _prepare(self, lane: _Lane, order: int | None) -> None:
        entry = lane.entry
        labels = RunLabels(mode=entry.mode, comparison_id=self.id, order_in_pair=order)
        lane.order = order
        try:
            if entry.refusal is not None:
                raise entry.refusal
            if entry.request is not None:
                lane.run = self._runner.prepare(entry.request, labels, providers=entry.providers)
        except (ProviderError, ValueError) as error:
            lane.refusal = RunFailure.of(error)

    def _begin(self, lane: _Lane, gate: threading.Barrier | None = None) -> None:
        with self._lock:
            if lane.run is None or lane.left_out:
                return
            if self._stopping.is_set():
                lane.left_out = True
                return
            lane.begun = True  # before it is: who stops it from now on stops the run
        try:
            self._runner.begin(lane.run, gate)
        except ProviderError as error:
            lane.begun, lane.run, lane.refusal = False, None, RunFailure.of(error)

    def _one_after_another(self) -> None:
        for index in self._order:
            lane = self._lanes[index]
            self._begin(lane)
            if lane.run is not None and lane.begun:
                lane.run.join()

    # --- watching -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> tuple[RunUpdate | None, ...]:
        """Every lane as it is now, in the order of the entries; `None` for one whose turn has not come."""
        return tuple(_picture(lane) for lane in self._lanes)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come in any lane."""
        return all(lane.ended for lane in self._lanes)

    @property
    def orders(self) -> tuple[int | None, ...]:
        """For each lane its place in the order, from 1; `None` where they went together."""
        return tuple(lane.order for lane in self._lanes)

    @property
    def skew_s(self) -> float | None:
        """Between the first call and the last one, on the server's clock; `None` where they did not go together."""
        sent = [lane.run.sent_at_ns for lane in self._lanes if lane.run is not None and lane.begun]
        return (max(sent) - min(sent)) / NS_PER_S if len(sent) > 1 and not self.in_turn else None

    async def updates(self) -> AsyncGenerator[tuple[RunUpdate | None, ...]]:
        """All lanes again and again until the last one has ended: some 8 to 15 times a second, fewer the more lanes
        there are, the first text and the end of each at once, and at least every 0.25 s."""
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed while the runs went on
                loop.call_soon_threadsafe(changed.set)

        with ExitStack() as listening:
            for lane in self._lanes:
                if lane.run is not None:
                    listening.enter_context(lane.run.listening(wake))
            while not self.ended:
                yield self.snapshot()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), min(1 / self._per_s(), TICK_S))
                changed.clear()
        yield self.snapshot()

    def _per_s(self) -> float:
        return min(redrawn_per_s(len(self._lanes)), self._runner.updates_per_s())

    # --- stopping -----------------------------------------------------------------------------------------------------

    def cancel(self, index: int | None = None) -> None:
        """Stops one lane, or all: what was said is kept, and what has not begun will not. Safe to repeat."""
        if index is None:
            self._stopping.set()
        for lane in self._lanes if index is None else self._lanes[index : index + 1]:
            with self._lock:
                lane.left_out = lane.left_out or not lane.begun
            if lane.run is not None:
                lane.run.cancel()

    def join(self, timeout_s: float | None = None) -> None:
        """Waits until every run that was begun has ended and its row is written; at most `timeout_s` for each."""
        for lane in self._lanes:
            if lane.run is not None and lane.begun:
                lane.run.join(timeout_s)


def redrawn_per_s(lanes: int) -> float:
    """How often a page of so many panes is drawn anew: what a browser keeps up with on a slow machine."""
    return min(15.0, max(8.0, 60.0 / lanes))


def _picture(lane: _Lane) -> RunUpdate | None:
    if lane.run is not None and lane.begun:
        update = lane.run.snapshot()
        return replace(update, notices=(*lane.entry.notices, *update.notices)) if lane.entry.notices else update
    entry = lane.entry
    simulated = parse_model_id(entry.model_id).vendor == "simulated" if lane.run is not None else False
    nothing = RunUpdate(
        run_id="", model_id=entry.model_id, mode=entry.mode, simulated=simulated, state="failed", elapsed_s=0.0
    )
    if lane.refusal is not None:
        return replace(nothing, failure=lane.refusal)
    return replace(nothing, state="stopped") if lane.left_out else None
