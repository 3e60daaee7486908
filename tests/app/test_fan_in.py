"""Runs beside each other, over the real socket: one start, one clock, and nobody waits for anybody."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest

from app.fan_in import Entry, FanIn, redrawn_per_s
from app.live import RunUpdate
from app.runner import Runner
from metrics.run_log import RunLog
from providers.connect import Backends
from providers.errors import InvalidValueError
from providers.local.launch import LocalEndpoint
from providers.types import GenerationRequest, InferenceConfig, Message
from tests.patience import until
from tests.wire import WireServer, stop_frames, stream, text_frames

SWIFT = "simulated.swift"
SLOW = "simulated.slow-start"
NOVA = "us.amazon.nova-lite-v1:0"


@pytest.fixture
def runner(run_log: RunLog, endpoint: LocalEndpoint) -> Iterator[Runner]:
    """A runner without AWS, on the local endpoint."""
    running = Runner(Backends("local", local_url=endpoint.url), run_log)
    yield running
    running.close()


def entry(model_id: str = SWIFT, max_tokens: int = 5, **values: object) -> Entry:
    request = GenerationRequest(
        model_id=model_id,
        messages=(Message(role="user", text="Tell me about the sea."),),
        inference=InferenceConfig(max_tokens=max_tokens),
    )
    return Entry(model_id=model_id, **({"request": request} | values))  # type: ignore[arg-type]  # tests name the fields


def started(runner: Runner, *entries: Entry, in_turn: bool = False, seed: int = 0) -> FanIn:
    runs = FanIn(runner, entries, in_turn=in_turn, rng=random.Random(seed))
    runs.start()
    return runs


def ended(runs: FanIn) -> tuple[RunUpdate | None, ...]:
    until(lambda: runs.ended, within_s=15.0)
    return runs.snapshot()


def undisturbed(values: list[float]) -> float:
    """The least: what others do on the machine only ever adds. The medians are what benchmarks/compare.py prints."""
    return min(values)


def first_text_s(update: RunUpdate | None) -> float:
    assert update is not None
    assert update.first_text_s is not None
    return update.first_text_s


def test_a_slow_lane_does_not_move_the_figure_of_a_fast_one(runner: Runner) -> None:
    """Measured on two cores with others at work: 1 ms of difference, where taking turns would make it four seconds."""
    alone, beside = [], []
    for _ in range(5):
        alone.append(first_text_s(ended(started(runner, entry()))[0]))
        both = started(runner, entry(SLOW), entry())
        until(lambda both=both: any(update and update.ended for update in both.snapshot()))  # type: ignore[misc]
        slow, fast = both.snapshot()
        assert slow is not None
        assert slow.state == "waiting"
        beside.append(first_text_s(fast))
        both.cancel()
        ended(both)
    assert abs(undisturbed(beside) - undisturbed(alone)) <= 0.010


def test_all_are_sent_within_five_milliseconds(runner: Runner) -> None:
    """Measured: about 1.2 ms for two, 2.3 ms for four."""
    skews = []
    for _ in range(7):
        runs = started(runner, entry(), entry())
        ended(runs)
        assert runs.skew_s is not None
        skews.append(runs.skew_s)
    assert undisturbed(skews) <= 0.005


def test_every_lane_is_a_row_of_one_comparison(runner: Runner, run_log: RunLog) -> None:
    runs = started(runner, entry(), entry(mode="sync"))
    updates = ended(runs)
    rows = {row.run_id: row for row in run_log.of_comparison(runs.id)}
    assert [rows[update.run_id].mode for update in updates if update] == ["stream", "sync"]
    assert {row.order_in_pair for row in rows.values()} == {None}
    assert runs.orders == (None, None)


def test_one_after_another_in_an_order_that_is_kept(runner: Runner, run_log: RunLog) -> None:
    runs = started(runner, *(entry() for _ in range(4)), in_turn=True, seed=3)
    updates = ended(runs)
    rows = {row.run_id: row for row in run_log.of_comparison(runs.id)}
    by_order = sorted(rows.values(), key=lambda row: row.order_in_pair or 0)
    assert [row.order_in_pair for row in by_order] == [1, 2, 3, 4]
    assert [rows[update.run_id].order_in_pair for update in updates if update] == list(runs.orders)
    assert runs.orders != (1, 2, 3, 4)
    assert [row.started_at for row in by_order] == sorted(row.started_at for row in by_order)
    assert runs.skew_s is None


def test_a_lane_whose_turn_has_not_come_shows_nothing_yet(runner: Runner) -> None:
    runs = started(runner, entry(SLOW), entry(SLOW), in_turn=True)
    until(lambda: any(runs.snapshot()))
    assert runs.snapshot().count(None) == 1
    runs.cancel()
    states = [update.state for update in ended(runs) if update]
    assert states == ["stopped", "stopped"]


def test_what_never_began_leaves_no_row(runner: Runner, run_log: RunLog) -> None:
    runs = started(runner, entry(SLOW), entry(SLOW), entry(SLOW), in_turn=True)
    until(lambda: any(runs.snapshot()))
    runs.cancel()
    ended(runs)
    runs.join(5)
    assert [row.status for row in run_log.recent()] == ["cancelled"]
    assert runner.under_way() == ()


def test_stop_of_one_leaves_the_others_alone(runner: Runner) -> None:
    runs = started(runner, entry(SLOW), entry(max_tokens=30))
    runs.cancel(0)
    first, second = ended(runs)
    assert first is not None
    assert second is not None
    assert (first.state, second.state) == ("stopped", "done")


def test_a_lane_that_cannot_ask_says_why_and_the_others_run(runner: Runner, run_log: RunLog) -> None:
    wrong = InvalidValueError("temperature must be from 0 to 1.", field="temperature")
    runs = started(runner, entry(refusal=wrong), entry(NOVA), entry())
    refused, elsewhere, answered = ended(runs)
    assert refused is not None
    assert elsewhere is not None
    assert answered is not None
    assert refused.failure is not None
    assert refused.failure.sentence == str(wrong)
    assert elsewhere.failure is not None
    assert "without an AWS account" in elsewhere.failure.sentence
    assert answered.state == "done"
    assert len(run_log.recent()) == 1


def test_a_lane_goes_to_its_own_region(run_log: RunLog, wire: WireServer) -> None:
    wire.reply_with(stream([*text_frames("Hel", "lo"), *stop_frames()]))
    backends = Backends("auto", region="us-west-2", endpoint_url=wire.url)
    runner = Runner(backends, run_log)
    runs = started(
        runner,
        entry("qwen.qwen3-32b-v1:0", mode="stream"),
        entry("qwen.qwen3-32b-v1:0", providers=backends.at(region="eu-west-1")),
    )
    ended(runs)
    runs.join(5)
    assert sorted(str(row.region) for row in run_log.recent()) == ["eu-west-1", "us-west-2"]


def test_a_watcher_hears_though_nothing_changes(runner: Runner) -> None:
    """Six updates take less than half a second here. With the first text, after four, they would be too late."""

    async def watch() -> list[tuple[RunUpdate | None, ...]]:
        runs = started(runner, entry(SLOW), entry(SLOW))
        seen = []
        async for lanes in runs.updates():
            seen.append(lanes)
            if len(seen) == 6:
                runs.cancel()
        return seen

    seen = asyncio.run(watch())
    assert {update.state for lanes in seen[:6] for update in lanes if update} == {"waiting"}


def test_a_watcher_sees_the_text_grow_to_its_end(runner: Runner) -> None:
    async def watch() -> list[tuple[RunUpdate | None, ...]]:
        runs = started(runner, entry(SLOW, max_tokens=1), entry())
        seen = []
        async for lanes in runs.updates():
            seen.append(lanes)
            if lanes[1] and lanes[1].ended:
                runs.cancel(0)
        return seen

    seen = asyncio.run(watch())
    assert [update.state for update in seen[-1] if update] == ["stopped", "done"]
    texts = [lanes[1].text for lanes in seen if lanes[1]]
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))


def test_a_stop_before_the_start_holds_nobody_at_the_gate(runner: Runner) -> None:
    runs = FanIn(runner, [entry(), entry()])
    runs.cancel()
    runs.start()
    assert [update.state for update in ended(runs) if update] == ["stopped", "stopped"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("run-")]


@pytest.mark.parametrize(("lanes", "per_s"), [(1, 15.0), (4, 15.0), (5, 12.0), (6, 10.0)])
def test_more_lanes_are_drawn_less_often(lanes: int, per_s: float) -> None:
    assert redrawn_per_s(lanes) == per_s


def test_there_are_one_to_six_lanes(runner: Runner) -> None:
    for count in (0, 7):
        with pytest.raises(ValueError, match="1 to 6"):
            FanIn(runner, [entry()] * count)


def test_a_shutdown_begins_no_other_lane(runner: Runner, run_log: RunLog) -> None:
    runs = started(runner, *[entry(SLOW)] * 3, in_turn=True)
    until(lambda: len(runner.under_way()) == 1)
    runner.cut_all()
    runner.close()
    shown = ended(runs)
    assert [update.state for update in shown if update] == ["failed"] * 3
    assert [row.status for row in run_log.recent()] == ["interrupted"]


def test_only_the_first_of_several_in_turn_is_cold(runner: Runner, run_log: RunLog) -> None:
    ended(started(runner, *[entry()] * 3, in_turn=True))
    assert ["cold" in row.flags for row in reversed(run_log.recent())] == [True, False, False]


def test_all_that_go_together_are_cold(runner: Runner, run_log: RunLog) -> None:
    ended(started(runner, *[entry()] * 2))
    assert ["cold" in row.flags for row in run_log.recent()] == [True, True]
