"""What goes into the log comes out, on SQLite and on PostgreSQL, whoever else has it open."""

from __future__ import annotations

import dataclasses
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from metrics.database import open_engine
from metrics.progress import LengthHistory
from metrics.record import RunRecord
from metrics.run_log import RunLog, RunLogError
from metrics.tokens import TextSize, TokenEstimator
from tests.metrics.records import record


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


def test_numbers_are_exact(log: RunLog) -> None:
    log.add(record(seed=2**63 - 1, duration_s=0.1 + 0.2, usage_raw={"n": 2**53 + 1, "nul": "a\0b", "half": "\ud83d"}))
    found = log.get("run-1")
    assert found is not None
    assert (found.seed, found.duration_s) == (2**63 - 1, 0.1 + 0.2)
    assert found.usage_raw == {"n": 2**53 + 1, "nul": "a\ufffdb", "half": "\ufffd"}


def test_names_that_no_database_takes_are_just_not_found(log: RunLog) -> None:
    for odd in ("a\0b", "\ud83d", "'; DROP TABLE runs; --"):
        assert log.get(odd) is None
        assert log.recent(model_id=odd) == log.of_experiment(odd) == log.of_comparison(odd) == []


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


def test_two_programs_write_to_one_log(log: RunLog, log_url: str) -> None:
    def write(who: RunLog, name: str) -> bool:
        return all(who.add(record(f"{name}-{n}")) for n in range(40))

    with RunLog(log_url) as other, ThreadPoolExecutor(2) as threads:
        assert all(threads.map(write, (log, other), ("one", "two")))
        assert not other.add(record("one-0"))
    assert log.count() == 80


# --- what goes wrong --------------------------------------------------------------------------------------------------


def execute(url: str, *statements: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


REFUSALS = {
    "sqlite": ("CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'the shelf is full'); END",),
    "postgresql": (
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the shelf is full'; END $$",
        "CREATE TRIGGER full_shelf BEFORE INSERT ON runs FOR EACH ROW EXECUTE FUNCTION refuse()",
    ),
}


def test_a_refused_write_says_why_and_nothing_of_the_prompt(new_url: str) -> None:
    with RunLog(new_url) as log:
        execute(new_url, *REFUSALS[new_url.partition(":")[0]])
        with pytest.raises(RunLogError) as raised:
            log.add(record(prompt=SECRET))
        assert str(raised.value) == "The run log could not be written: the shelf is full"
        assert SECRET not in "".join(traceback.format_exception(raised.value))
        assert log.recent() == []


def test_a_run_and_its_words_are_written_together_or_not_at_all(new_url: str) -> None:
    with RunLog(new_url) as log:
        execute(new_url, "DROP TABLE run_search")
        with pytest.raises(RunLogError):
            log.add(record())
        assert log.count() == 0


def test_a_value_that_is_no_json_says_nothing_of_the_prompt(log: RunLog) -> None:
    with pytest.raises(RunLogError) as raised:
        log.add(record(prompt=SECRET, usage_raw={"oops": object()}))
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_a_number_that_no_database_holds(log: RunLog) -> None:
    with pytest.raises(RunLogError, match=r"too large|out of range"):
        log.add(record(seed=2**70))
    assert log.add(record())


def test_a_broken_log_is_told_when_reading(new_url: str) -> None:
    with RunLog(new_url) as log:
        execute(new_url, "DROP TABLE runs")
        with pytest.raises(RunLogError, match=r"could not be read: (no such table|relation)"):
            log.recent()


def test_the_longest_silences_are_those_of_whole_streams(log: RunLog) -> None:
    log.add(record("first", inter_chunk_max_s=0.2))
    log.add(record("cut", status="interrupted", inter_chunk_max_s=9.0))
    log.add(record("again", resends=1, inter_chunk_max_s=8.0))
    log.add(record("complete", mode="sync"))
    log.add(record("last", inter_chunk_max_s=0.3))
    model = record("any").request_model
    assert log.longest_silences() == [(model, 0.2), (model, 0.3)]
    assert log.longest_silences(limit=1) == [(model, 0.3)]
