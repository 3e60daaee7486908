"""The log on real SQLite files: what goes in comes out, whoever else has it open."""

from __future__ import annotations

import dataclasses
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from metrics import migrations
from metrics.progress import LengthHistory
from metrics.record import COLUMNS, RunRecord
from metrics.run_log import RunLog, RunLogError
from metrics.run_table import metadata
from metrics.tokens import TextSize, TokenEstimator
from tests.metrics.records import record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "runs.db"


@pytest.fixture
def log(path: Path) -> Iterator[RunLog]:
    with RunLog(f"sqlite:///{path}") as opened:
        yield opened


def at(second: int, **given: Any) -> RunRecord:
    return record(f"run-{second}", started_at=f"2026-11-22T07:15:{second:02}.000000Z", **given)


SECRET = "-".join(["my", "secret", "plan"])  # not as one word in the source, which tracebacks quote


def ids(records: list[RunRecord]) -> list[str]:
    return [found.run_id for found in records]


# --- in and out -------------------------------------------------------------------------------------------------------


def full() -> RunRecord:
    """A record with something in every column."""
    values: dict[str, Any] = {}
    for f in dataclasses.fields(RunRecord):
        kind = str(f.type)
        values[f.name] = (
            True
            if kind == "bool"
            else 3
            if kind.startswith("int")
            else 0.1
            if kind.startswith("float")
            else f"text of {f.name}"
        )
    return RunRecord(
        **values
        | {
            "status": "completed",
            "mode": "stream",
            "backend": "local",
            "phase": "measure",
            "tokens_source": "usage",
            "stop_sequences": ("a", "b"),
            "finish_reasons": ("end_turn",),
            "conversation": ({"role": "user", "text": "é"},),
            "usage_raw": {"outputTokens": 3, "deep": [{"a": None}]},
            "chunks": ((2**62 + 1, "reasoning", 0), (2**62 + 3, "text", 7)),
            "progress_trace": ((0.1, 40.0, 0.3),),
            "flags": ("cold",),
            "client": {"python": "3.11"},
        }
    )


def test_every_column_comes_back_as_it_was(log: RunLog) -> None:
    assert log.add(full())
    assert log.get("text of run_id") == full()


def test_unknown_stays_unknown(log: RunLog) -> None:
    log.add(record())
    found = log.get("run-1")
    assert found == record()
    assert found is not None
    assert (found.output_tokens, found.duration_s, found.cost_usd, found.chunks) == (None,) * 4


def test_no_such_run(log: RunLog) -> None:
    assert log.get("nothing") is None


def test_a_run_is_written_once(log: RunLog) -> None:
    assert log.add(record(prompt="first"))
    assert not log.add(record(prompt="second"))
    assert log.count() == 1
    assert [found.prompt for found in log.recent()] == ["first"]


def test_text_that_sqlite_refuses_is_kept_as_far_as_it_goes(log: RunLog) -> None:
    log.add(record(prompt="a\0b \ud83d", response="\ud83d\ude00", conversation=({"text": "\udc00"},)))
    found = log.get("run-1")
    assert found is not None
    assert (found.prompt, found.response, found.conversation[0]["text"]) == ("a\ufffdb \ufffd", "😀", "\ufffd")


def test_columns_in_the_file_have_the_public_names(log: RunLog, path: Path) -> None:
    log.add(record())
    raw = sqlite3.connect(path)
    row = raw.execute('SELECT "bench.run_id", "gen_ai.request.model" FROM runs').fetchone()
    names = [name for _, name, *_ in raw.execute("PRAGMA table_info(runs)")]
    raw.close()
    assert row == ("run-1", "us.amazon.nova-lite-v1:0")
    assert names == ["id", *COLUMNS.values()]


# --- queries ----------------------------------------------------------------------------------------------------------


def test_newest_first_whatever_the_order_of_writing(log: RunLog) -> None:
    for second in (2, 9, 5):
        log.add(at(second))
    assert ids(log.recent()) == ["run-9", "run-5", "run-2"]
    assert ids(log.recent(2)) == ["run-9", "run-5"]


def test_filters(log: RunLog) -> None:
    log.add(at(1, mode="sync"))
    log.add(at(2, status="failed"))
    log.add(at(3, request_model="other"))
    assert ids(log.recent(mode="sync")) == ["run-1"]
    assert ids(log.recent(status="failed")) == ["run-2"]
    assert ids(log.recent(model_id="other")) == ["run-3"]
    assert ids(log.recent(model_id="other", mode="sync")) == []
    assert (log.count(), log.count(mode="stream"), log.count(status="completed", mode="stream")) == (3, 2, 1)


def test_lists_leave_chunks_in_the_file_unless_asked(log: RunLog) -> None:
    log.add(record(chunks=((1, "text", 2),)))
    assert log.recent()[0].chunks is None
    assert log.recent(bulky=True)[0].chunks == ((1, "text", 2),)


def test_pairs(log: RunLog) -> None:
    log.add(at(1, pair_id="a", mode="sync"))
    log.add(at(2, pair_id="b"))
    log.add(at(3, pair_id="b", mode="sync"))
    log.add(at(4, pair_id="a", status="failed"))
    log.add(at(5, pair_id="a"))
    log.add(at(6, pair_id="half"))
    log.add(at(7))
    assert [ids(list(pair)) for pair in log.pairs()] == [["run-1", "run-5"], ["run-3", "run-2"]]
    assert [ids(list(pair)) for pair in log.pairs(1)] == [["run-1", "run-5"]]


def test_what_the_length_history_needs(log: RunLog) -> None:
    log.add(at(1, response="12345", system_prompt="Be brief.", mode="sync"))
    log.add(at(2, response="é😀", flags=("truncated",)))
    log.add(at(3, response="cut", status="interrupted"))
    model = record().request_model
    found = log.finished_lengths()
    assert found == [(model, "sync", "Be brief.", 5, False), (model, "stream", None, 2, True)]
    assert log.finished_lengths(1) == found[1:]
    history = LengthHistory()
    for model_id, mode, system, chars, capped in found:
        history.add(model_id, mode, system, chars, capped=capped)
    assert history.fit(model, "stream", None).runs == 2


def test_what_the_token_estimator_needs(log: RunLog) -> None:
    clean = {"tokens_source": "usage", "text_units": 100.0, "text_script": "latin", "output_tokens": 120}
    log.add(at(1, **clean))
    log.add(at(2, **clean | {"flags": ("cold", "truncated"), "text_script": "han"}))
    log.add(at(3, **clean | {"flags": ("reasoning",)}))
    log.add(at(4, **clean | {"flags": ("retried",)}))
    log.add(at(5, **clean | {"tokens_source": "estimate"}))
    log.add(at(6, **clean | {"status": "cancelled"}))
    log.add(at(7, **clean | {"output_tokens": None}))
    log.add(at(8))
    model = record().request_model
    found = log.token_counts()
    assert found == [(model, TextSize(100.0, "latin"), 120), (model, TextSize(100.0, "han"), 120)]
    estimator = TokenEstimator()
    estimator.restore(found)
    assert estimator.factor(model) > TokenEstimator().factor(model)


# --- files ------------------------------------------------------------------------------------------------------------


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
        assert ids(log.recent()) == ["last words"]


def test_a_database_in_memory_is_shared_by_threads() -> None:
    with RunLog("sqlite://") as log, ThreadPoolExecutor(4) as threads:
        assert all(threads.map(log.add, [record(str(n)) for n in range(20)]))
        assert log.count() == 20


# --- others have it open ----------------------------------------------------------------------------------------------


def test_many_threads(log: RunLog) -> None:
    def write_and_read(n: int) -> bool:
        return log.add(record(str(n), chunks=((n, "text", 1),))) and len(log.recent(5)) > 0

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(write_and_read, range(80)))
    assert log.count() == 80


def test_one_run_written_by_many_threads_is_one_row(log: RunLog) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(log.add, [record()] * 24)) == 1
    assert log.count() == 1


def test_a_write_waits_for_another_program(log: RunLog, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.1, other.execute, ["COMMIT"]).start()
    assert log.add(record())
    other.close()


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
        assert sorted(ids(log.recent())) == ["a", "b", "c"]


# --- schema -----------------------------------------------------------------------------------------------------------


def test_migrations_make_the_table_that_the_code_uses(log: RunLog, path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == migrations.HEAD
    engine.dispose()


def test_head_is_the_latest_migration() -> None:
    assert ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head() == migrations.HEAD


def test_opening_a_current_log_does_not_load_alembic(log: RunLog, path: Path) -> None:
    code = f"""
import sys
from metrics.run_log import RunLog
RunLog("sqlite:///{path}").close()
assert "alembic" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_older_log_is_brought_up_to_date(path: Path) -> None:
    """A file that had no tables yet, or tables of somebody else."""
    path.parent.mkdir()
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    raw.execute("CREATE TABLE notes (text TEXT)")
    raw.commit()
    raw.close()
    with RunLog(f"sqlite:///{path}") as log:
        assert log.add(record())


def test_a_log_from_the_future_is_left_alone(log: RunLog, path: Path) -> None:
    raw = sqlite3.connect(path)
    raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.commit()
    raw.close()
    with pytest.raises(RunLogError, match="newer version"):
        RunLog(f"sqlite:///{path}")


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["", "runs.db", "nosuchdatabase://host/name", "mysql+pymysql://u:hunter2@host/db"])
def test_an_address_that_cannot_be_used(url: str) -> None:
    with pytest.raises(RunLogError, match="address cannot be used") as raised:
        RunLog(url)
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


def test_a_refused_write_says_why_and_nothing_of_the_prompt(log: RunLog, path: Path) -> None:
    raw = sqlite3.connect(path)
    raw.execute("CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
    raw.commit()
    raw.close()
    with pytest.raises(RunLogError) as raised:
        log.add(record(prompt=SECRET))
    assert str(raised.value) == "The run log could not be written: the disk is full"
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert log.recent() == []


def test_a_value_that_is_no_json_says_nothing_of_the_prompt(log: RunLog) -> None:
    with pytest.raises(RunLogError) as raised:
        log.add(record(prompt=SECRET, usage_raw={"oops": object()}))
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_a_number_that_no_database_holds(log: RunLog) -> None:
    with pytest.raises(RunLogError, match="too large"):
        log.add(record(seed=2**70))
    assert log.add(record())


def test_a_broken_file_is_told_when_reading(log: RunLog, path: Path) -> None:
    raw = sqlite3.connect(path)
    raw.execute("DROP TABLE runs")
    raw.commit()
    raw.close()
    with pytest.raises(RunLogError, match="could not be read: no such table"):
        log.recent()
