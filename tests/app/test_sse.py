"""The runs that a client may come back to: how long they wait for it, and what is no longer kept."""

from __future__ import annotations

import asyncio
from typing import cast

from app.live import RunUpdate
from app.run import Run
from app.sse import Streams
from tests.app.ui.make import a_live_update, an_update

GRACE_S = 0.2


class WatchedRun:
    """A run that notes whether it was cancelled."""

    def __init__(self, run_id: str, now: RunUpdate) -> None:
        self.id = run_id
        self.cancelled = False
        self._now = now

    def snapshot(self) -> RunUpdate:
        return self._now

    def cancel(self) -> None:
        self.cancelled = True


def test_each_leaving_has_a_grace_of_its_own() -> None:
    async def act() -> list[bool]:
        run, streams = WatchedRun("r", a_live_update()), Streams(GRACE_S)
        seen = []
        with streams.watching(cast(Run, run)):
            pass
        await asyncio.sleep(0.7 * GRACE_S)
        with streams.watching(cast(Run, run)):  # back in time, and away again
            seen.append(run.cancelled)
        await asyncio.sleep(0.7 * GRACE_S)
        seen.append(run.cancelled)
        await asyncio.sleep(0.7 * GRACE_S)
        return [*seen, run.cancelled]

    assert asyncio.run(act()) == [False, False, True]


def test_nobody_is_cut_off_by_another_one_who_leaves() -> None:
    async def act() -> bool:
        run, streams = WatchedRun("r", a_live_update()), Streams(GRACE_S)
        with streams.watching(cast(Run, run)):
            with streams.watching(cast(Run, run), grace_s=0):
                pass
            await asyncio.sleep(0.01)
            return run.cancelled

    assert not asyncio.run(act())


def test_deleted_runs_are_kept_no_longer_and_those_under_way_are() -> None:
    ended, other, going = (
        WatchedRun("ended", an_update()),
        WatchedRun("other", an_update()),
        WatchedRun("going", a_live_update()),
    )
    streams = Streams()
    for run in (ended, other, going):
        streams.keep(cast(Run, run))
    streams.forget({"ended", "going", "unknown"})
    assert [streams.find(run.id) is not None for run in (ended, other, going)] == [False, True, True]
    streams.forget(None)
    assert [streams.find(run.id) is not None for run in (ended, other, going)] == [False, False, True]
