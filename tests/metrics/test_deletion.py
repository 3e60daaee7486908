"""What is deleted is gone, from the tables and from the files; what is not stays."""

from __future__ import annotations

import random
import sqlite3
import string
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from metrics.deletion import Deleted
from metrics.experiment_log import StoredExperiment, Vote
from metrics.record import timestamp
from metrics.run_log import Order, RunFilter, RunLog, RunLogError
from tests.metrics.leftovers import files, leftovers
from tests.metrics.records import record
from tests.metrics.test_texts import MARKER, SETTINGS, talkative

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def fill(log: RunLog) -> None:
    """Two runs of an experiment, two of a comparison with its vote, one by itself; an hour apart, until noon."""
    log.save_experiment(StoredExperiment(id="e", started_at=at(-5), settings=SETTINGS, note=MARKER))
    log.add_vote(Vote(comparison_id="c", run_id="3", voted_at=at(-2)))
    belongs = [{"experiment_id": "e"}, {"experiment_id": "e"}, {"comparison_id": "c"}, {"comparison_id": "c"}, {}]
    for hours, given in enumerate(belongs, start=-4):
        log.keep_open([talkative(str(hours + 5))])
        log.add(talkative(str(hours + 5), started_at=at(hours), **given))


def at(hours: int) -> str:
    return timestamp(NOON + timedelta(hours=hours))


def ids(log: RunLog) -> list[str]:
    return sorted(run.run_id for run in log.recent())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def sqlite_log(path: Path) -> Iterator[RunLog]:
    with RunLog(f"sqlite:///{path}") as opened:
        yield opened


# --- rows -------------------------------------------------------------------------------------------------------------


def test_one_run_goes_and_the_others_stay(log: RunLog) -> None:
    fill(log)
    assert log.delete(["5", "no such run"]) == Deleted(runs=1)
    assert ids(log) == ["1", "2", "3", "4"]
    assert log.page(RunFilter(text=MARKER), Order()).total == 4
    assert log.get("5") is None
    assert log.delete(["5"]) == Deleted(runs=0)


def test_an_experiment_and_a_vote_go_with_their_last_run(log: RunLog) -> None:
    fill(log)
    log.delete(["1", "3"])
    assert [one.id for one in log.experiments()] == ["e"]
    assert len(log.votes()) == 1
    log.delete(["2", "4"])
    assert (log.experiments(), log.votes(), ids(log)) == ([], [], ["5"])


def test_a_run_that_was_deleted_can_be_written_again(log: RunLog) -> None:
    """Also its words: SQLite gives the number of the last row to the next one."""
    log.add(talkative())
    log.delete(["run-1"])
    assert log.add(record(prompt="Something else"))
    assert log.page(RunFilter(text=MARKER), Order()).total == 0
    assert log.page(RunFilter(text="something"), Order()).total == 1


def test_only_what_is_older_goes(log: RunLog) -> None:
    fill(log)
    log.save_experiment(StoredExperiment(id="young", started_at=at(-1), settings={}))
    log.save_experiment(StoredExperiment(id="old and empty", started_at=at(-9), settings={}))
    assert log._deletion.older(at(-1), batch=2).runs == 3
    assert ids(log) == ["4", "5"], "the one that began at this very moment stays"
    assert [one.id for one in log.experiments()] == ["young"]
    assert len(log.votes()) == 1
    assert log.delete_older(NOON - timedelta(hours=1)) == Deleted(runs=0)
    assert log.page(RunFilter(text=MARKER), Order()).total == 2


def test_everything_goes_but_what_is_under_way(log: RunLog) -> None:
    fill(log)
    log.keep_open([talkative("under way")])
    log._open_runs.keep([talkative("of a dead process")], writer="elsewhere/1/gone", now_s=0.0)
    assert log.delete_all() == Deleted(runs=5)
    assert (ids(log), log.experiments(), log.votes(), log.models()) == ([], [], [], [])
    assert log.recover() == 0
    with log._database.reading() as connection:
        assert list(connection.execute(sa.text("SELECT run_id FROM open_runs")).scalars()) == ["under way"]
    assert log.add(talkative("under way"))
    assert log.page(RunFilter(text=MARKER), Order()).total == 1
    assert log.delete_all() == Deleted(runs=1)
    assert log.delete_all() == Deleted(runs=0)


# --- traces -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["each", "older", "all"])
def test_no_trace_of_a_text_is_left(log: RunLog, way: str) -> None:
    """S24, in every byte of SQLite's files."""
    fill(log)
    log.add(record("6", prompt="It stays"))
    assert MARKER.encode() in leftovers(log)
    match way:
        case "each":
            for run_id in "12345":
                assert log.delete([run_id]).left == ""
        case "older":
            assert log.delete_older(NOON + timedelta(hours=1)).left == ""
        case _:
            assert log.delete_all().left == ""
    left = leftovers(log)
    assert MARKER.encode() not in left
    assert MARKER[4:].encode() not in left, "the index keeps beginnings of words apart"


def test_runs_of_all_lengths_leave_no_trace(sqlite_log: RunLog) -> None:
    """Rows move between pages when others are deleted, and long ones lie on pages of their own."""
    rng, marks = random.Random(3), {}
    for n in range(60):
        mark = marks[str(n)] = "".join(rng.choices(string.ascii_lowercase, k=24))
        said = {"prompt": f"Say {mark} " * rng.choice([1, 50]), "response": f"So {mark} " * rng.choice([1, 9, 900])}
        run = record(str(n), system_prompt=mark, reasoning=mark * rng.choice([1, 300]), **said)
        sqlite_log.keep_open([run])
        sqlite_log.add(run)
    gone = rng.sample(sorted(marks), 40)
    for run_id in gone:
        sqlite_log.delete([run_id])
    left = leftovers(sqlite_log)
    assert [run_id for run_id in gone if marks[run_id][6:].encode() in left] == []
    assert [run_id for run_id in marks.keys() - set(gone) if marks[run_id].encode() not in left] == []
    with sqlite_log._database.writing() as connection:
        connection.execute(sa.text("INSERT INTO run_search (run_search) VALUES ('integrity-check')"))


def test_what_an_older_version_left_in_the_file_goes_with_all_runs(sqlite_log: RunLog, path: Path) -> None:
    """It did not overwrite what it deleted."""
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA secure_delete=OFF")
    raw.execute("CREATE TABLE scratch (text)")
    raw.executemany("INSERT INTO scratch VALUES (?)", [(f"{MARKER} {n}",) for n in range(500)])
    raw.execute("DROP TABLE scratch")
    raw.commit()
    raw.close()
    sqlite_log.add(record())
    assert MARKER.encode() in leftovers(sqlite_log)
    sqlite_log.delete_all()
    assert MARKER.encode() not in leftovers(sqlite_log)


@pytest.mark.parametrize("then", ["next pass", "clear", "another run", "all"])
def test_a_pass_that_was_cut_is_finished_by_the_next_one(sqlite_log: RunLog, path: Path, then: str) -> None:
    """Its rows are gone, so that nothing but the file says what is left to do; another process finds it."""
    fill(sqlite_log)
    sqlite_log.add(record("6", prompt="It stays", started_at=at(2)))
    sqlite_log.add(record("7", prompt="It goes", started_at=at(2)))

    def cut(*given: Any) -> None:
        if given[2].startswith("DELETE FROM experiments WHERE experiments.started_at"):
            raise RunLogError("The process ends here.")

    sa.event.listen(sqlite_log._database.engine, "before_cursor_execute", cut)
    with pytest.raises(RunLogError, match="ends here"):
        sqlite_log.delete_older(NOON + timedelta(hours=1))
    sqlite_log.close()
    with RunLog(f"sqlite:///{path}") as later:
        assert ids(later) == ["6", "7"]
        assert MARKER[4:].encode() in leftovers(later), "there is nothing to finish"
        match then:
            case "next pass":
                assert later.delete_older(NOON + timedelta(hours=1)) == Deleted(runs=0)
            case "clear":
                assert later.clear_traces() == ""
            case "another run":
                assert later.delete(["7"]) == Deleted(runs=1)
            case _:
                assert later.delete_all() == Deleted(runs=2)
        assert MARKER[4:].encode() not in leftovers(later)


def test_a_pass_that_finds_nothing_writes_nothing(sqlite_log: RunLog, path: Path) -> None:
    fill(sqlite_log)
    sqlite_log.delete_older(NOON)
    before = path.read_bytes()
    assert sqlite_log.delete_older(NOON) == Deleted(runs=0)
    assert path.read_bytes() == before


def test_an_old_experiment_without_runs_leaves_no_trace_either(log: RunLog) -> None:
    log.save_experiment(StoredExperiment(id="e", started_at=at(-4), settings=SETTINGS, note=MARKER))
    assert MARKER.encode() in leftovers(log)
    assert log.delete_older(NOON) == Deleted(runs=0)
    assert log.experiments() == []
    assert MARKER.encode() not in leftovers(log)


def test_what_cannot_be_cleared_now_says_so(path: Path) -> None:
    with RunLog(f"sqlite:///{path}") as log:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with log._database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=1")
        assert "another program has locked it" in log.clear_traces()
        other.close()
        assert log.clear_traces() == ""


def test_room_is_given_back_when_much_is_free(sqlite_log: RunLog, path: Path) -> None:
    for n in range(40):
        sqlite_log.add(record(str(n), response="long " * 5000, started_at=at(n)))
    sqlite_log.clear_traces()
    before = path.stat().st_size
    sqlite_log.delete_older(NOON + timedelta(hours=1))
    assert path.stat().st_size > before * 0.95, "writing it anew for little holds writers up"
    sqlite_log.delete_older(NOON + timedelta(hours=30))
    assert path.stat().st_size < before / 2


# --- others have it open ----------------------------------------------------------------------------------------------


def test_a_locked_log_says_so_and_nothing_is_half_done(path: Path) -> None:
    with RunLog(f"sqlite:///{path}") as log:
        fill(log)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with log._database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=1")
        locked = pytest.raises(RunLogError, match="another program has locked it")
        with locked:
            log.delete(["1"])
        with locked:
            log.delete_all()
        with locked:
            log.delete_older(NOON)
        other.execute("ROLLBACK")
        other.close()
        assert ids(log) == ["1", "2", "3", "4", "5"]
        assert len(log.experiments()) == len(log.votes()) == 1
        assert log.page(RunFilter(text=MARKER), Order()).total == 5


def test_another_program_that_reads_holds_the_traces_not_the_rows(path: Path) -> None:
    with RunLog(f"sqlite:///{path}") as log:
        fill(log)
        with log._database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=1")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM runs").fetchone()
        deleted = log.delete_all()
        assert (deleted.runs, ids(log)) == (5, [])
        assert "Another program is reading the log" in deleted.left
        other.execute("COMMIT")
        other.close()
        assert log.clear_traces() == ""
        assert MARKER.encode() not in leftovers(log)


def test_rows_are_written_while_others_are_deleted(log: RunLog) -> None:
    for n in range(300):
        log.add(record(f"old-{n}", started_at=at(-1)))
    writer = threading.Thread(target=lambda: [log.add(record(f"new-{n}", started_at=at(1))) for n in range(30)])
    writer.start()
    assert log.delete_older(NOON).runs == 300
    writer.join(20)
    assert log.count() == 30


def test_a_log_in_memory_forgets_too() -> None:
    with RunLog("sqlite://") as log:
        fill(log)
        assert log.delete(["1"]) == Deleted(runs=1)
        assert log.delete_all() == Deleted(runs=4)
        assert (log.where, ids(log)) == ("", [])


# --- a new log --------------------------------------------------------------------------------------------------------


def test_a_log_knows_whether_it_was_made_now(new_url: str) -> None:
    with RunLog(new_url) as first:
        assert first.is_new
        assert first.where
    with RunLog(new_url) as second:
        assert not second.is_new


@pytest.mark.parametrize("place", ["before the host", "behind the question mark"])
def test_where_a_server_is_is_told_without_a_password(postgresql_log: str, place: str) -> None:
    """libpq takes it from either place (its manual, Connection URIs)."""
    url = sa.make_url(postgresql_log)
    who = {"user": url.username or "postgres", "password": "test-secret"}
    if place == "before the host":
        given = url.set(username=who["user"], password=who["password"])
    else:
        given = url.set(username=None, password=None).update_query_dict(who)
    with RunLog(given.render_as_string(hide_password=False)) as log:
        assert "test-secret" not in log.where
        assert "?" not in log.where
        assert log.where.startswith("postgresql")
        assert log.where.endswith(f"/{url.database}")


def test_where_it_lies_is_told_without_a_password(sqlite_log: RunLog, path: Path) -> None:
    assert sqlite_log.where == str(path)
    assert path in files(sqlite_log)
