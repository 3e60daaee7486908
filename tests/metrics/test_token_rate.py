"""The monitor from outside, on a clock that is set by hand."""

from __future__ import annotations

import dataclasses
import time
import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics import TokenRateMonitor
from metrics.token_rate import RateStatus

S = 1_000_000_000


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now_ns = 7 * S

    def __call__(self) -> int:
        return self.now_ns

    def tick(self, seconds: float) -> None:
        self.now_ns += round(seconds * S)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def steady(monitor: TokenRateMonitor, clock: HandClock, *, per_s: float, seconds: float) -> dict[str, float]:
    """Feeds one-token words at a steady speed; the last answer."""
    found = {}
    for _ in range(round(per_s * seconds)):
        clock.tick(1 / per_s)
        found = monitor.update("word ")
    return found  # type: ignore[return-value]


# --- as a plain library -----------------------------------------------------------------------------------------------


def test_before_anything(clock: HandClock) -> None:
    monitor = TokenRateMonitor(clock_ns=clock)
    assert monitor.get_status_message() == ""
    monitor.start()
    clock.tick(5)
    assert monitor.get_status_message() == ""
    status = monitor.status()
    assert (status.overall_per_s, status.tokens, status.is_slow, status.message) == (0.0, 0.0, False, "")


def test_first_update_without_start_begins_the_clock(clock: HandClock) -> None:
    monitor = TokenRateMonitor(clock_ns=clock)
    assert monitor.update("Hello") == {
        "overall_rate": 0.0,
        "instantaneous_rate": None,
        "is_slow": False,
        "total_tokens": 1,
        "elapsed_seconds": 0.0,
    }
    clock.tick(2)
    assert monitor.update(" you")["elapsed_seconds"] == 2.0


def test_empty_chunk_counts_nothing(clock: HandClock) -> None:
    monitor = TokenRateMonitor(clock_ns=clock)
    monitor.start()
    clock.tick(1)
    found = monitor.update("")
    assert found["total_tokens"] == 0
    assert found["overall_rate"] == 0.0
    assert found["instantaneous_rate"] is None
    assert found["is_slow"] is False
    assert monitor.get_status_message() == ""


@pytest.mark.parametrize(
    ("per_s", "is_slow", "word"),
    [
        (1, True, "slow"),
        (2, True, "slow"),
        (4, True, "moderate"),
        (6, False, "moderate"),
        (9, False, ""),
        (50, False, ""),
    ],
)
def test_judgement_against_the_expected_speed(clock: HandClock, per_s: float, is_slow: bool, word: str) -> None:
    monitor = TokenRateMonitor(expected_tokens_per_second=10.0, clock_ns=clock)
    monitor.start()
    found = steady(monitor, clock, per_s=per_s, seconds=10)
    assert found["overall_rate"] == pytest.approx(per_s, rel=0.1)
    assert found["instantaneous_rate"] == pytest.approx(per_s, rel=0.1)
    assert found["is_slow"] is is_slow
    message = monitor.get_status_message()
    assert word in message
    assert bool(message) == bool(word)
    assert not (word == "moderate" and "slow" in message)


def test_a_short_answer_is_judged_by_its_overall_speed(clock: HandClock) -> None:
    monitor = TokenRateMonitor(100.0, clock_ns=clock)
    monitor.start()
    clock.tick(0.2)
    found = monitor.update("one two")
    assert found["overall_rate"] == pytest.approx(10, rel=0.1)
    assert found["is_slow"] is True
    assert "slow" in monitor.get_status_message()


def test_message_is_about_the_last_look_not_about_the_time_since(clock: HandClock) -> None:
    monitor = TokenRateMonitor(clock_ns=clock)
    monitor.start()
    steady(monitor, clock, per_s=40, seconds=4)
    clock.tick(600)
    assert monitor.get_status_message() == ""
    assert monitor.status().message != ""


def test_start_begins_anew(clock: HandClock) -> None:
    monitor = TokenRateMonitor(clock_ns=clock)
    monitor.start()
    steady(monitor, clock, per_s=1, seconds=5)
    monitor.start()
    assert monitor.get_status_message() == ""
    clock.tick(1)
    found = monitor.update("word")
    assert (found["total_tokens"], found["elapsed_seconds"]) == (1, 1.0)


def test_real_clock() -> None:
    monitor = TokenRateMonitor()
    monitor.start()
    time.sleep(0.01)
    found = monitor.update("Hello there, world")
    assert isinstance(found["overall_rate"], float)
    assert found["overall_rate"] > 0
    assert isinstance(found["elapsed_seconds"], float)
    assert 0.01 <= found["elapsed_seconds"] < 5
    assert found["total_tokens"] == 4


@pytest.mark.parametrize("expected", [0.0, -1.0])
def test_no_expectation_is_never_missed(clock: HandClock, expected: float) -> None:
    monitor = TokenRateMonitor(expected, clock_ns=clock)
    assert steady(monitor, clock, per_s=1, seconds=3)["is_slow"] is False
    assert monitor.get_status_message() == ""


# --- the window -------------------------------------------------------------------------------------------------------


def test_first_chunks_tokens_are_in_no_speed_but_the_overall_one(clock: HandClock) -> None:
    monitor = TokenRateMonitor(clock_ns=clock)
    monitor.start()
    clock.tick(2)
    monitor.update("word " * 100)
    steady(monitor, clock, per_s=20, seconds=2)
    status = monitor.status()
    assert status.tokens == pytest.approx(140, rel=0.05)
    assert status.instantaneous_per_s == pytest.approx(20, rel=0.06)
    assert status.average_per_s == pytest.approx(20, rel=0.06)
    assert status.overall_per_s == pytest.approx(35, rel=0.05)


def test_blank_for_the_first_second(clock: HandClock) -> None:
    monitor = TokenRateMonitor(clock_ns=clock)
    monitor.start()
    clock.tick(4)
    monitor.update("word ")
    found = steady(monitor, clock, per_s=50, seconds=0.98)
    assert found["instantaneous_rate"] is None
    found = steady(monitor, clock, per_s=50, seconds=0.04)
    assert found["instantaneous_rate"] == pytest.approx(50, rel=0.1)


def test_window_shows_a_slowdown_that_the_average_hides(clock: HandClock) -> None:
    monitor = TokenRateMonitor(clock_ns=clock)
    monitor.start()
    steady(monitor, clock, per_s=80, seconds=10)
    steady(monitor, clock, per_s=20, seconds=3.5)
    status = monitor.status()
    assert status.instantaneous_per_s == pytest.approx(20, rel=0.06)
    assert status.average_per_s is not None
    assert status.average_per_s > 55


def test_silence_empties_the_window(clock: HandClock) -> None:
    monitor = TokenRateMonitor(clock_ns=clock)
    monitor.start()
    steady(monitor, clock, per_s=50, seconds=5)
    clock.tick(3.5)
    status = monitor.status()
    assert status.silence_s == 3.5
    assert status.instantaneous_per_s == 0.0
    assert status.is_slow


# --- the path of the stream -------------------------------------------------------------------------------------------


def test_observing_gives_the_same_as_updating(clock: HandClock) -> None:
    updated, observed = (TokenRateMonitor(clock_ns=clock) for _ in range(2))
    updated.start()
    observed.start()
    for _ in range(200):
        clock.tick(0.02)
        updated.update("word ")
        observed.observe(5, clock())
    ours, theirs = observed.status(tokens=200 * 0.96), updated.status()
    assert dataclasses.asdict(ours) == pytest.approx(dataclasses.asdict(theirs))
    assert ours.average_per_s == pytest.approx(48, rel=0.03)


def test_ratio_holds_until_the_next_estimate(clock: HandClock) -> None:
    monitor = TokenRateMonitor(clock_ns=clock)
    monitor.observe(100, clock())
    assert monitor.status().tokens == 25
    assert monitor.status(tokens=50).tokens == 50
    monitor.observe(100, clock())
    assert monitor.status().tokens == 100


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 40), st.booleans()), max_size=60))
def test_looking_often_changes_nothing(steps: list[tuple[float, int, bool]]) -> None:
    clock = HandClock()
    often, once = (TokenRateMonitor(clock_ns=clock) for _ in range(2))
    often.start()
    once.start()
    for wait_s, chars, look in steps:
        clock.tick(wait_s)
        often.observe(chars, clock())
        once.observe(chars, clock())
        if look:
            often.status()
    status = often.status()
    assert status == once.status()
    assert isinstance(status, RateStatus)
    assert status.overall_per_s >= 0
    assert status.instantaneous_per_s is None or status.instantaneous_per_s >= 0


def test_observing_is_cheap() -> None:
    """Well below a microsecond on any machine that runs this; the bound leaves room for a busy one."""
    monitor = TokenRateMonitor()
    best_s = min(timeit.repeat(lambda: monitor.observe(4, 1), number=10_000, repeat=5)) / 10_000
    assert best_s < 2e-6
