"""A blind race that is really run, with answers that break off and fail: no name in all that the page is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from app.comparisons import Board, PaneSettings
from app.fan_in import FanIn
from app.runner import Runner
from app.ui.compare_form import entry
from app.ui.compare_outputs import Outputs
from app.ui.compare_view import CompareView
from metrics.run_log import RunLog
from providers.connect import Backends
from providers.local.launch import LocalEndpoint
from tests.app.ui.test_compare_view import labels

FRAGILE, GONE, REGION = "simulated.fragile", "simulated.gone", "eu-nowhere-7"
PANES = (
    PaneSettings(model=FRAGILE, max_tokens=62),
    PaneSettings(model=GONE),
    PaneSettings(model="simulated.swift", region=REGION, max_tokens=5),
)


@pytest.fixture
def backends(endpoint: LocalEndpoint) -> Backends:
    return Backends("local", local_url=endpoint.url)


@pytest.fixture
def runner(run_log: RunLog, backends: Backends) -> Iterator[Runner]:
    running = Runner(backends, run_log)
    yield running
    running.close()


def test_no_name_is_told_before_the_vote(
    run_log: RunLog, backends: Backends, runner: Runner, endpoint: LocalEndpoint
) -> None:
    board = Board("k")
    panes = board.begin("Why?", PANES, blind=True).panes
    runs = FanIn(runner, [entry(pane, "Why?", backends, runner.estimator) for pane in panes])
    board.attach(runs)
    seen = asyncio.run(everything_drawn(board, runs, Outputs(run_log, labels)))
    fragile, gone = (next(a for a in board.standing().answers if a and a.model_id == name) for name in (FRAGILE, GONE))
    assert fragile.resends
    assert gone.failure is not None
    assert GONE in gone.failure.sentence
    assert "attempt 2 of" in seen
    assert "Why is told with the names." in seen
    for name in (*(pane.model for pane in PANES), "Label of", REGION, endpoint.url):
        assert name not in seen


async def everything_drawn(board: Board, runs: FanIn, outputs: Outputs) -> str:
    """All that the page is sent while answers come, and when all have ended."""
    view = CompareView(labels)
    runs.start()
    async with aclosing(runs.updates()) as updates:
        sent = [str(outputs.drawn(board.standing(), len(PANES), view)) async for _ in updates]
    board.finish()
    return "".join((*sent, str(outputs.drawn(board.standing(), len(PANES), view))))
