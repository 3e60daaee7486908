"""Filtering, sorting and paging in the database: the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from metrics.database import open_engine
from metrics.record import BULKY, COLUMNS, RunRecord
from metrics.run_log import Order, RunFilter, RunLog
from metrics.run_query import PAIR_SORTS, page_of_runs
from metrics.run_table import LIGHT, runs
from tests.metrics.records import record

EVERYTHING = RunFilter()


def at(second: int, **given: Any) -> RunRecord:
    return record(f"run-{second}", started_at=f"2026-11-22T07:15:{second:02}.000000Z", **given)


def fill(log: RunLog, *records: RunRecord) -> None:
    for one in records:
        log.add(one)


def ids(log: RunLog, wanted: RunFilter = EVERYTHING, order: Order | None = None, **page: int) -> list[int]:
    rows = log.page(wanted, order or Order(), **page).rows
    return [int(str(row["bench.run_id"]).removeprefix("run-")) for row in rows]


# --- runs -------------------------------------------------------------------------------------------------------------


def test_pages_and_how_many_there_are(log: RunLog) -> None:
    fill(log, *(at(n) for n in range(7)))
    assert ids(log, limit=3) == [6, 5, 4]
    assert ids(log, limit=3, offset=6) == [0]
    assert ids(log, limit=3, offset=9) == []
    assert log.page(EVERYTHING, Order(), limit=3, offset=6).total == 7


def test_a_row_has_what_a_table_shows_and_no_texts(log: RunLog) -> None:
    log.add(at(1, prompt="p", response="r", flags=("cold",), simulated=True, duration_s=1.5))
    [row] = log.page(EVERYTHING, Order()).rows
    assert list(row) == [COLUMNS[attribute] for attribute in LIGHT]
    assert (row["bench.flags"], row["bench.simulated"], row["gen_ai.client.operation.duration"]) == (
        ["cold"],
        True,
        1.5,
    )


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (RunFilter(model_id="other"), [2]),
        (RunFilter(mode="sync"), [3]),
        (RunFilter(status="failed"), [4]),
        (RunFilter(backend="aws"), [7, 4, 3, 2, 1]),
        (RunFilter(backend="local"), [5]),
        (RunFilter(backend="simulated"), [6]),
        (RunFilter(flag="cold"), [1]),
        (RunFilter(flag='col_" %'), []),
        (RunFilter(experiment_id="e"), [7]),
        (RunFilter(text="salty"), [4, 3]),
        (RunFilter(text="salty", mode="sync"), [3]),
        (RunFilter(model_id="\ud83d", experiment_id="\0"), []),
    ],
)
def test_filters(log: RunLog, wanted: RunFilter, found: list[int]) -> None:
    fill(
        log,
        at(1, flags=("cold", "truncated")),
        at(2, request_model="other"),
        at(3, mode="sync", prompt="salty"),
        at(4, status="failed", prompt="salty"),
        at(5, backend="local"),
        at(6, backend="local", simulated=True),
        at(7, experiment_id="e", flags=("warm_cold",)),
    )
    assert ids(log, wanted) == found
    assert log.page(wanted, Order(), limit=1).total == len(found)


def test_missing_figures_come_last_in_either_direction(log: RunLog) -> None:
    fill(log, at(1, duration_s=2.0), at(2), at(3, duration_s=10.0), at(4, duration_s=2.0), at(5))
    assert ids(log, order=Order(by="gen_ai.client.operation.duration")) == [3, 4, 1, 5, 2]
    assert ids(log, order=Order(by="gen_ai.client.operation.duration", descending=False)) == [4, 1, 3, 5, 2]


def test_estimated_tokens_sort_among_reported_ones(log: RunLog) -> None:
    fill(log, at(1, output_tokens=5), at(2, tokens_estimated=7), at(3, output_tokens=9, tokens_estimated=1))
    assert ids(log, order=Order(by="gen_ai.usage.output_tokens")) == [3, 2, 1]


def test_names_sort_by_code_points_whatever_the_language_of_the_database(log: RunLog) -> None:
    fill(log, *(at(n, request_model=name) for n, name in enumerate(("b", "B", "a-c", "ab", "é", "a"))))
    found = log.page(EVERYTHING, Order(by="gen_ai.request.model", descending=False)).rows
    names = [row["gen_ai.request.model"] for row in found]
    assert names == sorted(names) == log.models() == ["B", "a", "a-c", "ab", "b", "é"]


def test_time_stamps_sort_by_time(log: RunLog) -> None:
    stamps = ["2026-09-30T23:59:59.999999Z", "2026-10-01T00:00:00.000000Z", "2026-10-01T00:00:00.000001Z"]
    fill(log, *(record(f"run-{n}", started_at=stamps[n]) for n in (1, 0, 2)))
    assert ids(log) == [2, 1, 0]
    assert ids(log, order=Order(descending=False)) == [0, 1, 2]


def test_runs_of_the_same_moment_turn_round_with_the_order(log: RunLog) -> None:
    fill(log, *(record(f"run-{n}") for n in (1, 2, 3)))
    assert ids(log) == [3, 2, 1]
    assert ids(log, order=Order(descending=False)) == [1, 2, 3]


def test_the_newest_page_comes_from_the_index_of_times(log_url: str) -> None:
    RunLog(log_url).close()
    engine = open_engine(log_url)
    on_sqlite = engine.dialect.name == "sqlite"
    for descending in (True, False):
        newest = page_of_runs(EVERYTHING, Order(descending=descending), engine.dialect.name, 100, 0)
        words = str(newest.compile(engine, compile_kwargs={"literal_binds": True}))
        with engine.connect() as connection:
            if not on_sqlite:  # an empty table is quicker to read than any index
                connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = connection.exec_driver_sql(f"EXPLAIN {'QUERY PLAN ' * on_sqlite}{words}").all()
        assert any("ix_runs_started_at" in str(step) for step in plan)
    engine.dispose()


def test_every_column_of_a_table_can_be_sorted_by(log: RunLog) -> None:
    fill(log, at(1), at(2))
    for attribute in set(LIGHT) - {"flags"}:
        for descending in (True, False):
            assert len(ids(log, order=Order(by=COLUMNS[attribute], descending=descending))) == 2
    with pytest.raises(KeyError):
        ids(log, order=Order(by="bench.response"))


def test_sqlite_reads_no_rows_for_a_page(log_url: str) -> None:
    RunLog(log_url).close()
    engine = open_engine(log_url)
    if engine.dialect.name == "sqlite":
        by_cost = page_of_runs(RunFilter(status="failed"), Order(by="bench.cost_usd"), "sqlite", 100, 0)
        with engine.connect() as connection:
            words = str(by_cost.compile(engine, compile_kwargs={"literal_binds": True}))
            plan = connection.execute(sa.text(f"EXPLAIN QUERY PLAN {words}")).all()
        assert "COVERING INDEX ix_runs_light" in plan[0][3]
    engine.dispose()


def test_all_rows_in_batches(log: RunLog) -> None:
    fill(log, *(at(n, duration_s=float(n % 3), chunks=((1, "text", 2),)) for n in range(7)))
    order = Order(by="gen_ai.client.operation.duration")
    rows = list(log.rows(EVERYTHING, order, batch=2))
    assert [row["bench.run_id"] for row in rows] == [f"run-{n}" for n in ids(log, order=order)]
    assert list(rows[0]) == [name for name in COLUMNS.values() if name not in BULKY]
    assert {key: rows[0][key] for key in ("bench.flags", "bench.usage_raw")} == {
        "bench.flags": [],
        "bench.usage_raw": {},
    }


def test_rows_that_come_while_others_are_read_do_not_disturb(log: RunLog) -> None:
    fill(log, *(at(n) for n in range(4)))
    reading = log.rows(EVERYTHING, Order(), batch=2)
    first = next(reading)
    log.add(at(9))
    assert [row["bench.run_id"] for row in (first, *reading)] == ["run-3", "run-2", "run-1", "run-0"]


# --- pairs ------------------------------------------------------------------------------------------------------------


def pair(name: str, second: int, *, model: str = "m", complete_s: float = 4.0, first_s: float = 0.5) -> list[RunRecord]:
    common = {"pair_id": name, "request_model": model}
    return [
        at(second, mode="sync", duration_s=complete_s, time_to_visible_s=complete_s, output_tokens=second, **common),
        at(second + 1, duration_s=complete_s, time_to_visible_s=first_s, time_to_first_visible_s=first_s, **common),
    ]


def names(log: RunLog, wanted: RunFilter = EVERYTHING, order: Order | None = None, **page: int) -> list[str]:
    return [streamed["bench.pair_id"] for _, streamed in log.pair_page(wanted, order or Order(), **page).pairs]


def test_pairs_newest_first_and_only_whole_ones(log: RunLog) -> None:
    fill(log, *pair("old", 1), *pair("new", 30), pair("half", 40)[0], at(50))
    found = log.pair_page(EVERYTHING, Order())
    assert [(complete["bench.run_id"], streamed["bench.run_id"]) for complete, streamed in found.pairs] == [
        ("run-30", "run-31"),
        ("run-1", "run-2"),
    ]
    assert found.total == 2
    assert names(log, limit=1, offset=1) == ["old"]
    assert len(log.pair_page(EVERYTHING, Order(), limit=None).pairs) == 2


def test_a_pair_begins_with_its_earlier_member(log: RunLog) -> None:
    late_complete = [at(9, mode="sync", pair_id="turned"), at(2, pair_id="turned")]
    fill(log, *late_complete, at(4, mode="sync", pair_id="early"), at(5, pair_id="early"))
    fill(log, at(1, mode="sync", pair_id="split"), at(8, pair_id="split"))
    assert names(log) == ["early", "turned", "split"]
    assert names(log, order=Order(descending=False)) == ["split", "turned", "early"]


def test_of_several_members_of_one_mode_the_latest_counts(log: RunLog) -> None:
    fill(log, *pair("p", 1), at(9, mode="sync", pair_id="p"))
    [(complete, _)] = log.pair_page(EVERYTHING, Order()).pairs
    assert complete["bench.run_id"] == "run-9"


def test_pairs_fit_where_both_members_do(log: RunLog) -> None:
    fill(
        log, *pair("a", 1, model="x"), *pair("b", 3), at(5, mode="sync", pair_id="c", prompt="sea"), at(6, pair_id="c")
    )
    assert names(log, RunFilter(model_id="x")) == ["a"]
    assert names(log, RunFilter(text="sea")) == []


def test_pairs_sort_by_every_figure(log: RunLog) -> None:
    fill(log, *pair("a", 1, complete_s=9.0, first_s=8.0), *pair("b", 3), *pair("c", 5, complete_s=6.0, first_s=0.1))
    assert names(log, order=Order(by="complete total")) == ["a", "c", "b"]
    assert names(log, order=Order(by="sooner")) == ["c", "b", "a"]
    assert names(log, order=Order(by="streamed first text", descending=False)) == ["c", "b", "a"]
    assert names(log, order=Order(by="complete tokens")) == ["c", "b", "a"]
    for by in PAIR_SORTS:
        assert sorted(names(log, order=Order(by=by))) == ["a", "b", "c"]
    with pytest.raises(KeyError):
        names(log, order=Order(by="bench.response"))


def test_a_pair_that_failed_has_no_difference_to_sort_by(log: RunLog) -> None:
    fill(log, *pair("good", 1, complete_s=1.0, first_s=0.9))
    failed = pair("failed", 3, complete_s=9.0)
    fill(log, failed[0], at(4, pair_id="failed", status="interrupted", time_to_visible_s=0.1))
    assert names(log, order=Order(by="sooner")) == ["good", "failed"]
    assert names(log, order=Order(by="sooner", descending=False)) == ["good", "failed"]


def test_the_light_columns_are_columns_of_the_table() -> None:
    assert set(LIGHT) <= set(runs.c.keys())
