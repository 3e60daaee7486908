"""The line in front of the model: order, limit, leaving."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from providers.errors import ThrottledError
from providers.local.waiting_line import WaitingLine
from tests.patience import until


def test_first_come_first_served() -> None:
    line, order = WaitingLine(places=1, max_waiting=5), list[int]()

    def come(number: int) -> None:
        with line.place(threading.Event()) as queued_s:
            assert queued_s is not None
            order.append(number)

    with ThreadPoolExecutor() as pool:
        with line.place(threading.Event()):
            callers = []
            for number in range(4):
                callers.append(pool.submit(come, number))
                until(lambda at=number: line.waiting == at + 1)  # type: ignore[misc]
        for caller in callers:
            caller.result(timeout=5)
    assert order == [0, 1, 2, 3]


def test_a_full_line_is_refused_and_a_place_given_back_is_free_again() -> None:
    line = WaitingLine(places=1, max_waiting=0)
    with line.place(threading.Event()), pytest.raises(ThrottledError), line.place(threading.Event()):
        pass
    with line.place(threading.Event()) as queued_s:
        assert queued_s is not None


def test_who_is_stopped_leaves_the_line() -> None:
    line, stop = WaitingLine(places=1, max_waiting=1), threading.Event()
    stop.set()
    with line.place(threading.Event()):
        with line.place(stop) as queued_s:
            assert queued_s is None
        assert line.waiting == 0


def test_who_waits_knows_how_many_stand_before_and_how_long_it_was() -> None:
    now_s = [0.0]
    line = WaitingLine(places=1, max_waiting=5, clock=lambda: now_s[0])
    stops = [threading.Event() for _ in range(3)]

    def come(stop: threading.Event) -> float | None:
        with line.place(stop) as queued_s:
            return queued_s

    with ThreadPoolExecutor() as pool:
        with line.place(threading.Event()) as at_once:
            assert at_once == 0.0
            callers = []
            for number, stop in enumerate(stops):
                callers.append(pool.submit(come, stop))
                until(lambda at=number: line.waiting == at + 1)  # type: ignore[misc]
            assert [line.ahead(stop) for stop in stops] == [0, 1, 2]
            stops[0].set()
            until(lambda: line.waiting == 2)
            assert [line.ahead(stop) for stop in stops] == [None, 0, 1]
            now_s[0] = 2.5
        assert [caller.result(timeout=5) for caller in callers] == [None, 2.5, 2.5]
