"""The log as a SQLite file, and addresses that lead nowhere."""

from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from metrics.database import open_engine
from metrics.record import COLUMNS
from metrics.run_log import RunLog, RunLogError
from tests.metrics.records import record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "runs.db"


@pytest.fixture
def log(path: Path) -> Iterator[RunLog]:
    with RunLog(f"sqlite:///{path}") as opened:
        yield opened


# --- files ------------------------------------------------------------------------------------------------------------


def test_columns_in_the_file_have_the_public_names(log: RunLog, path: Path) -> None:
    log.add(record())
    raw = sqlite3.connect(path)
    row = raw.execute('SELECT "bench.run_id", "gen_ai.request.model" FROM runs').fetchone()
    names = [name for _, name, *_ in raw.execute("PRAGMA table_info(runs)")]
    raw.close()
    assert row == ("run-1", "us.amazon.nova-lite-v1:0")
    assert sorted(names) == sorted(["id", *COLUMNS.values()])


def test_only_the_owner_may_read(log: RunLog, path: Path) -> None:
    log.add(record())
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["runs.db", "runs.db-shm", "runs.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_rows_survive_closing(path: Path) -> None:
    for run_id in ("one", "two"):
        with RunLog(f"sqlite:///{path}") as log:
            log.add(record(run_id))
    with RunLog(f"sqlite:///{path}") as log:
        assert log.count() == 2
    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]


def test_rows_survive_a_kill(path: Path) -> None:
    code = f"""
import os, signal
from metrics.run_log import RunLog
from tests.metrics.records import record
RunLog("sqlite:///{path}").add(record("last words"))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    with RunLog(f"sqlite:///{path}") as log:
        assert [found.run_id for found in log.recent()] == ["last words"]


def test_a_database_in_memory_is_shared_by_threads() -> None:
    with RunLog("sqlite://") as log, ThreadPoolExecutor(4) as threads:
        assert all(threads.map(log.add, [record(str(n)) for n in range(20)]))
        assert log.count() == 20


# --- others have it open ----------------------------------------------------------------------------------------------


def test_a_write_waits_for_another_program(log: RunLog, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    committing_s: list[float] = []

    def commit() -> None:
        committing_s.append(time.monotonic())
        other.execute("COMMIT")

    ending = threading.Timer(0.1, commit)
    ending.start()
    assert log.add(record())
    ended_s = time.monotonic()
    ending.join()
    other.close()
    assert committing_s[0] < ended_s


def test_reading_does_not_wait_for_a_writer(log: RunLog, path: Path) -> None:
    log.add(record())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute('UPDATE runs SET "bench.prompt" = "changed"')
    assert [found.prompt for found in log.recent()] == [""]
    other.close()


def test_processes_that_start_together_on_a_new_log(path: Path) -> None:
    """They race for the file, the switch to WAL and the first migration."""
    code = f"""
import sys
from metrics.run_log import RunLog
from tests.metrics.records import record
import alembic.command
print("ready", flush=True)
sys.stdin.readline()
with RunLog("sqlite:///{path}") as log:
    log.add(record(sys.argv[1]))
"""
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", code, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        for name in "abc"
    ]
    for process in starts:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in starts:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in starts:
        process.communicate(timeout=30)
        assert process.returncode == 0
    with RunLog(f"sqlite:///{path}") as log:
        assert sorted([found.run_id for found in log.recent()]) == ["a", "b", "c"]


def test_a_log_that_another_program_has_locked_says_so(path: Path) -> None:
    with RunLog(f"sqlite:///{path}?timeout=0") as log:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with log._database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=1")
        with pytest.raises(RunLogError, match="could not be written: another program has locked it"):
            log.add(record())
        other.close()


def test_a_full_disk_says_so(log: RunLog) -> None:
    with log._database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(RunLogError, match="could not be written: the disk is full"):
        log.add(record(response="long " * 10_000))
    assert log.count() == 0


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["", "runs.db", "sqlite+nosuchdriver://", "postgresql+nosuchdriver://u:hunter2@h/db"])
def test_an_address_that_cannot_be_used(url: str) -> None:
    with pytest.raises(RunLogError, match="address cannot be used") as raised:
        RunLog(url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("kind", ["mysql", "mysql+pymysql", "mssql", "oracle", "nosuchdatabase"])
def test_another_kind_of_database_is_refused(kind: str) -> None:
    named = kind.partition("+")[0]
    with pytest.raises(RunLogError, match=f"names {named}, but the log lies in SQLite or PostgreSQL") as raised:
        RunLog(f"{kind}://u:hunter2@host/db")
    assert "hunter2" not in str(raised.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "runs.db").write_text("Dear diary, " * 100)
    with pytest.raises(RunLogError, match="could not be opened: file is not a database"):
        RunLog(f"sqlite:///{tmp_path / 'runs.db'}")


def test_a_place_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    for place in (tmp_path, tmp_path / "taken" / "runs.db"):
        with pytest.raises(RunLogError, match="could not be opened"):
            RunLog(f"sqlite:///{place}")


@pytest.mark.parametrize("name", ["postgresql", "postgres"])
def test_postgresql_by_its_plain_name_has_the_driver_that_is_installed(name: str) -> None:
    engine = open_engine(f"{name}://somebody@host/runs")
    assert engine.url.drivername == "postgresql+psycopg"
    assert engine.url.query["connect_timeout"] == "5"
    engine.dispose()


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(RunLogError, match="could not be opened: connection failed") as raised:
        RunLog("postgresql://somebody:hunter2@127.0.0.1:9/runs")
    assert "hunter2" not in str(raised.value)
    assert "\n" not in str(raised.value)
