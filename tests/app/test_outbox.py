"""Rows that could not be written: told, kept, and written with the next, once and in order. On a log that is full."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.outbox import Outbox
from metrics.run_log import RunLog
from tests.metrics.records import record


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RunLog]:
    with RunLog(f"sqlite:///{tmp_path / 'runs.db'}") as run_log:
        yield run_log


def limit(run_log: RunLog, pages: int) -> None:
    """Lets the database grow to so many pages: SQLite then says what it says of a full disk."""
    engine = run_log._database.engine
    sa.event.listen(engine, "connect", lambda connection, _: connection.execute(f"PRAGMA max_page_count={pages}"))
    engine.dispose()  # so that every connection is made anew


def test_a_full_disk_is_told_and_its_rows_are_written_later(log: RunLog) -> None:
    outbox = Outbox(log)
    assert outbox.send(record("first")) is None
    limit(log, 1)
    told = outbox.send(record("second", response="x" * 2_000_000))
    assert told is not None
    assert "disk is full" in told
    assert "tried again with the next run" in told
    assert outbox.send(record("third", response="y" * 2_000_000)) is not None
    assert len(outbox) == 2
    limit(log, 1_000_000)
    assert outbox.send(record("fourth")) is None
    assert len(outbox) == 0
    assert {row.run_id for row in log.recent()} == {"first", "second", "third", "fourth"}
    assert log.count() == 4


def test_what_can_no_longer_be_kept_is_said_to_be_lost(log: RunLog) -> None:
    outbox = Outbox(log, kept=0)
    limit(log, 1)
    told = outbox.send(record("first", response="x" * 2_000_000))
    assert told is not None
    assert "lost" in told


def test_a_row_that_no_database_takes_holds_no_other_up(log: RunLog) -> None:
    outbox = Outbox(log)
    assert outbox.send(record("never", input_tokens=2**70)) is not None
    assert outbox.send(record("fine")) is None
    assert [row.run_id for row in log.recent()] == ["fine"]
    assert len(outbox) == 1
