"""Runs that have not ended: kept while their process lives, made rows of when it is gone."""

from __future__ import annotations

import os
import subprocess
import sys

from metrics.open_runs import SILENT_AFTER_S, OpenRuns, this_process
from metrics.run_log import RunLog
from tests.metrics.records import record


def dead_process() -> str:
    """A writer on this machine whose process has ended."""
    machine = this_process().rsplit("/", 2)[0]
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return f"{machine}/{ended.pid}/some-life"


def test_a_run_of_a_living_process_is_left_alone(log: RunLog) -> None:
    log.keep_open([record("one", status="interrupted")])
    assert log.recover() == 0
    assert log.recent() == []


def test_a_run_of_a_dead_process_becomes_a_row_as_far_as_it_was_seen(log: RunLog) -> None:
    open_runs = OpenRuns(log._database)
    half = record("one", status="interrupted", response="Half an", flags=("cold",), error_type="PlaygroundEndedError")
    open_runs.keep([record("one", status="interrupted")], writer=dead_process())
    open_runs.keep([half], writer=dead_process())
    assert log.recover() == 1
    (row,) = log.recent(bulky=True)
    assert (row.status, row.response, row.flags) == ("interrupted", "Half an", ("cold",))
    assert log.recover() == 0


def test_a_run_that_ended_is_no_longer_open(log: RunLog) -> None:
    open_runs = OpenRuns(log._database)
    open_runs.keep([record("one", status="interrupted")], writer=dead_process())
    log.add(record("one", response="All of it"))
    assert log.recover() == 0
    assert [row.response for row in log.recent()] == ["All of it"]


def test_a_row_that_is_there_stands(log: RunLog) -> None:
    log.add(record("one", response="All of it"))
    OpenRuns(log._database).keep([record("one", status="interrupted")], writer=dead_process())
    assert log.recover() == 0, "one that ended while it was being kept is not kept"
    assert [row.response for row in log.recent()] == ["All of it"]


def test_a_process_of_the_same_number_is_another_one(log: RunLog) -> None:
    before = this_process().rsplit("/", 1)[0] + "/an-earlier-life"
    OpenRuns(log._database).keep([record("one", status="interrupted")], writer=before)
    assert log.recover() == 1


def test_another_machine_is_given_time(log: RunLog) -> None:
    open_runs = OpenRuns(log._database)
    open_runs.keep([record("one")], writer="elsewhere/1/life", now_s=1000.0)
    assert open_runs.left_behind(now_s=1000.0 + SILENT_AFTER_S - 1) == []
    open_runs.keep([], writer="elsewhere/1/life", now_s=1100.0)
    assert open_runs.left_behind(now_s=1100.0 + SILENT_AFTER_S - 1) == []
    assert len(open_runs.left_behind(now_s=1100.0 + SILENT_AFTER_S + 1)) == 1


def test_a_process_that_lives_is_given_all_the_time(log: RunLog) -> None:
    living = f"{this_process().rsplit('/', 2)[0]}/{os.getppid()}/its-life"
    open_runs = OpenRuns(log._database)
    open_runs.keep([record("one")], writer=living, now_s=1000.0)
    assert open_runs.left_behind(now_s=1000.0 + 100 * SILENT_AFTER_S) == []
