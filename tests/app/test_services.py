"""What happens to the log when the playground starts: what is said of it, and what goes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.retention import utc_now
from app.services import close_services, open_services
from app.settings import Settings
from metrics.record import timestamp
from metrics.run_log import RunLog
from metrics.texts import texts_of
from tests.metrics.records import record


def start(url: str, **given: object) -> None:
    close_services(open_services(Settings(backend="local", log_url=url, **given)))  # type: ignore[arg-type]  # as parsed


def test_a_log_that_was_just_made_is_told_of_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """S24: where it lies, what is in it, and how to change that, in one line."""
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    start(url)
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    for words in (str(tmp_path / "runs.db"), "with their prompts and answers", "--log-text", "--retention"):
        assert words in told
    start(url)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("texts", "words"), [("off", "without their prompts"), ("hash", "with fingerprints of their")])
def test_it_tells_what_it_keeps(texts: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start(f"sqlite:///{tmp_path / 'runs.db'}", log_text=texts, retention_s=60.0)
    told = capsys.readouterr().err
    assert words in told
    assert "--retention" not in told


def test_a_log_in_memory_needs_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    start("sqlite://")
    assert capsys.readouterr().err == ""


def test_the_log_that_is_opened_keeps_what_was_said(tmp_path: Path) -> None:
    services = open_services(Settings(backend="local", log_url=f"sqlite:///{tmp_path / 'runs.db'}", log_text="off"))
    services.run_log.add(record(prompt="Hi"))
    assert texts_of(services.run_log.recent()[0]) == "off"
    assert services.retention is None
    close_services(services)


def test_old_runs_go_at_the_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    with RunLog(url) as log:
        log.add(record("old", started_at=timestamp(datetime(2020, 1, 1, tzinfo=UTC))))
        log.add(record("young", started_at=timestamp(utc_now())))
    start(url, retention_s=3600.0)  # ending waits for the pass that the start began
    with RunLog(url) as log:
        assert [run.run_id for run in log.recent()] == ["young"]
