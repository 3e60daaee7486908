"""Old runs go while the playground lives, and whatever goes wrong with it holds nothing up."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from app.retention import Retention
from metrics.deletion import Deleted
from metrics.run_log import RunLog, RunLogError
from tests.metrics.records import record

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY_S = 86_400.0


@dataclass
class Scripted:
    """A log that answers as it is told, and notes when it was asked."""

    answers: list[Deleted | RunLogError]
    asked: list[datetime] = field(default_factory=list)
    cleared: int = 0
    third: threading.Event = field(default_factory=threading.Event)

    def delete_older(self, than: datetime) -> Deleted:
        self.asked.append(than)
        if len(self.asked) >= 3:
            self.third.set()
        answer = self.answers.pop(0) if self.answers else Deleted(runs=0)
        if isinstance(answer, RunLogError):
            raise answer
        return answer

    def clear_traces(self) -> str:
        self.cleared += 1
        return ""


def test_a_pass_deletes_what_is_older_and_logs_how_many(run_log: RunLog, caplog: pytest.LogCaptureFixture) -> None:
    for run_id, started_at in (("old", "2026-11-21T11:59:59.999999Z"), ("young", "2026-11-21T12:00:00.000000Z")):
        run_log.add(record(run_id, started_at=started_at))
    with caplog.at_level(logging.INFO):
        assert Retention(run_log, DAY_S, now=lambda: NOON).once() == 1
    assert [run.run_id for run in run_log.recent()] == ["young"]
    assert caplog.messages == ["Deleted because of their age: 1 of the log's runs"]


def test_passes_go_on_in_a_thread_of_their_own_also_after_a_failure() -> None:
    log = Scripted([RunLogError("locked"), Deleted(runs=3)])
    retention = Retention(log, DAY_S, every_s=0.001, now=lambda: NOON)
    retention.start()
    assert log.third.wait(10)
    retention.close()
    assert set(log.asked) == {NOON - timedelta(days=1)}
    assert not [thread for thread in threading.enumerate() if thread.name == "retention"]


def test_what_could_not_be_cleared_is_tried_again_with_the_next_pass(caplog: pytest.LogCaptureFixture) -> None:
    log = Scripted([Deleted(runs=3, left="Another program is reading the log.")])
    retention = Retention(log, DAY_S, now=lambda: NOON)
    retention.once()
    assert "Another program is reading the log." in caplog.text
    assert log.cleared == 0
    retention.once()
    retention.once()
    assert log.cleared == 1


def test_traces_of_other_things_than_runs_are_tried_again_too(caplog: pytest.LogCaptureFixture) -> None:
    """An experiment that was old and had no runs, or what an earlier process left."""
    log = Scripted([Deleted(runs=0, left="Another program is reading the log.")])
    retention = Retention(log, DAY_S, now=lambda: NOON)
    assert retention.once() == 0
    assert "Another program is reading the log." in caplog.text
    assert log.cleared == 0
    retention.once()
    retention.once()
    assert log.cleared == 1


def test_one_that_was_never_started_can_be_closed() -> None:
    Retention(Scripted([]), DAY_S).close()
