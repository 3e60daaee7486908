"""Tab Runs: what the table shows, what a row opens, what the files hold."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from app.services import make_services
from app.ui.run_details import details
from app.ui.runs import _Runs, as_cells
from app.ui.runs_form import ANY, NEWEST, PAGE_ROWS, read_form, sort_choices
from metrics.experiment_log import StoredExperiment
from metrics.run_log import Order, RunFilter, RunLog
from metrics.tables import runs_table
from providers.connect import Backends
from providers.local.launch import LocalEndpoint
from tests.app.ui.make import a_record

FIELDS = ("view", "text", "model", "mode", "status", "backend", "note", "experiment", "sort", "page")
SHOWN = (
    "count",
    "table",
    "pager",
    "previous",
    "next",
    "page",
    "model",
    "experiment",
    "sort",
    "clear",
    "delete_all",
    "told",
)
BELOW = ("chosen", "details", "replay_run", "replay")
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def runs(run_log: RunLog, endpoint: LocalEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Runs:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    pair = {"pair_id": "p", "prompt": "Tell me about the sea"}
    run_log.add(a_record(run_id="a", mode="sync", time_to_visible_s=7.4, time_to_first_visible_s=None, **pair))
    run_log.add(a_record(run_id="b", started_at="2026-11-22T10:01:00.000000Z", response="Deep.", **pair))
    run_log.add(
        a_record(
            run_id="c",
            started_at="2026-11-22T10:02:00.000000Z",
            request_model="simulated.swift",
            simulated=True,
            backend="local",
            status="cancelled",
            decode_tokens_per_s=None,
            duration_s=1.0,
            response="Half of it",
            prompt="=cmd|' /C calc'!A0",
            flags=("cold",),
            experiment_id="e",
        )
    )
    return _Runs(make_services(Backends("local", local_url=endpoint.url), run_log))


def form(**changed: Any) -> list[Any]:
    return [({"view": "Runs", "text": "", "sort": NEWEST, "page": 1} | changed).get(name, ANY) for name in FIELDS]


def read(runs: _Runs, chosen: str = "", **changed: Any) -> dict[str, Any]:
    return dict(zip((*SHOWN, *BELOW), runs.read(chosen, *form(**changed)), strict=True))


def shown(table: dict[str, Any], column: str) -> list[str]:
    at = table["headers"].index(column)
    return [row[at] for row in table["metadata"]["display_value"]] if table["data"] else []


def ids(found: dict[str, Any]) -> list[str]:
    return shown(found["table"], "Run" if "Run" in found["table"]["headers"] else "Pair")


def click(value: Any) -> gr.EventData:
    return gr.EventData(None, value)


def row_of(*cells: str) -> gr.SelectData:
    return gr.SelectData(None, {"index": [0, 1], "value": "x", "row_value": list(cells)})


# --- the form ---------------------------------------------------------------------------------------------------------


def test_the_form_as_it_stands_asks_for_the_newest_of_all() -> None:
    asked = read_form(*form())
    assert (asked.view, asked.wanted, asked.order, asked.page) == ("Runs", RunFilter(), Order(), 1)
    assert not asked.filtered


@pytest.mark.parametrize("odd", [None, 7, -1, 2**40, float("nan"), [], {"a": 1}, "\0", EVIL, "Any", True])
def test_odd_values_are_as_good_as_none_chosen(odd: Any) -> None:
    asked = read_form(*[odd] * 10)
    assert asked.view == "Runs"
    assert asked.order == Order()
    assert asked.page >= 1
    assert (asked.wanted.mode, asked.wanted.status, asked.wanted.backend, asked.wanted.flag) == (None,) * 4


def test_pairs_have_no_mode_and_no_status() -> None:
    asked = read_form(*form(view="Pairs", mode="Stream", status="failed", note="cold", model="m"))
    assert asked.wanted == RunFilter(model_id="m")


def test_every_order_in_the_list_is_one_of_the_log() -> None:
    for view in ("Runs", "Pairs"):
        for choice in sort_choices(view):
            asked = read_form(*form(view=view, sort=choice))
            assert asked.order.descending is choice.endswith("↓")


def test_a_second_click_on_a_header_turns_the_order() -> None:
    asked = read_form(*form(page=7))
    assert [asked.sorted_by("Total (s)").sort, asked.sorted_by("Model").sort] == ["Total (s) ↓", "Model ↑"]
    assert asked.sorted_by("Total (s)").sorted_by("Total (s)").sort == "Total (s) ↑"
    assert asked.sorted_by("Total (s)").page == 1
    assert asked.sorted_by("Notes") == asked


# --- the table --------------------------------------------------------------------------------------------------------


def test_the_newest_run_comes_first_and_simulated_ones_say_so(runs: _Runs) -> None:
    found = read(runs)
    assert ids(found) == ["c", "b", "a"]
    assert shown(found["table"], "Backend") == ["Simulated", "AWS", "AWS"]
    assert shown(found["table"], "Decode (tokens/s)")[0] == "–"
    assert "3 runs" in found["count"]
    assert [value for _, value in found["model"].choices] == [ANY, "simulated.swift", "us.amazon.nova-micro-v1:0"]
    assert not found["pager"].visible
    assert not found["clear"].visible


@pytest.mark.parametrize(
    ("changed", "left"),
    [
        ({"text": "SEA"}, ["b", "a"]),
        ({"model": "simulated.swift"}, ["c"]),
        ({"mode": "Complete"}, ["a"]),
        ({"status": "cancelled"}, ["c"]),
        ({"backend": "AWS"}, ["b", "a"]),
        ({"backend": "Simulated"}, ["c"]),
        ({"backend": "Local"}, []),
        ({"note": "cold"}, ["c"]),
        ({"experiment": "e"}, ["c"]),
        ({"text": "nothing like it"}, []),
        ({"text": None, "model": None, "mode": None, "status": None}, ["c", "b", "a"]),
        ({"sort": "Total (s) ↑"}, ["c", "b", "a"]),
        ({"sort": "Total (s) ↓"}, ["b", "a", "c"]),
    ],
)
def test_the_filter_and_the_order(runs: _Runs, changed: dict[str, Any], left: list[str]) -> None:
    assert ids(read(runs, **changed)) == left


def test_what_is_left_out_is_told(runs: _Runs) -> None:
    found = read(runs, text="sea")
    assert "2 of 3 runs" in found["count"]
    assert found["clear"].visible
    assert "0 of 3 runs. Nothing fits" in read(runs, text="nothing like it")["count"]


def test_a_click_on_a_header_sorts(runs: _Runs) -> None:
    found = dict(zip((*SHOWN, *BELOW), runs.resort(click("Total (s)"), "", *form()), strict=True))
    assert ids(found) == ["b", "a", "c"]
    assert found["sort"].value == "Total (s) ↓"
    assert 'data-sort="Total (s) ↓"' in found["count"]
    assert ids(dict(zip((*SHOWN, *BELOW), runs.resort(click({"x": 1}), "", *form()), strict=True))) == ["c", "b", "a"]


def test_pages(runs: _Runs, run_log: RunLog) -> None:
    for n in range(PAGE_ROWS + 20):
        run_log.add(a_record(run_id=f"n{n}", started_at=f"2026-11-21T10:00:00.{n:06}Z"))
    first, second = read(runs), read(runs, page=2)
    assert ("1–100 of 123 runs" in first["count"], "101–123 of 123 runs" in second["count"]) == (True, True)
    assert (len(ids(first)), len(ids(second))) == (PAGE_ROWS, 23)
    assert (first["previous"].interactive, first["next"].interactive) == (False, True)
    assert (second["previous"].interactive, second["next"].interactive) == (True, False)
    assert first["pager"].visible
    assert ids(read(runs, page=99)) == ids(second)
    assert runs.next("", *form())[1] == second["table"]
    assert runs.previous("", *form(page=2))[1] == runs.refilter("", *form(page=2))[1] == first["table"]
    assert "1–100 of 122 that fit, of 123 runs" in read(runs, backend="AWS")["count"]


def test_pairs_stand_in_one_row_with_their_tokens(runs: _Runs) -> None:
    found = read(runs, view="Pairs", status="cancelled")
    assert shown(found["table"], "First text sooner by (s)") == ["6.988"]
    assert shown(found["table"], "Complete (tokens)") != ["–"]
    assert "1 pair of" in found["count"]
    assert "Nothing fits" in read(runs, view="Pairs", model="simulated.swift")["count"]


def test_cells_are_numbers_and_beside_them_what_is_read(runs: _Runs) -> None:
    table = read(runs)["table"]
    at = table["headers"].index("Total (s)")
    assert [row[at] for row in table["data"]] == [1.0, 7.4, 7.4]
    assert shown(table, "Total (s)") == ["1.000", "7.400", "7.400"]


def test_an_empty_log_says_what_will_be_here(run_log: RunLog, endpoint: LocalEndpoint) -> None:
    empty = _Runs(make_services(Backends("local", local_url=endpoint.url), run_log))
    for view in ("Runs", "Pairs"):
        found = read(empty, view=view)
        assert found["table"]["data"] == []
        assert "Every question that you ask becomes a row here" in found["count"]
    assert as_cells(runs_table([]))["headers"] == read(empty)["table"]["headers"]


def test_experiments_can_be_chosen_by_when_and_what(runs: _Runs, run_log: RunLog) -> None:
    run_log.save_experiment(StoredExperiment(id="e", started_at="2026-11-22T10:02:00.0Z", settings={}, note="baseline"))
    assert read(runs)["experiment"].choices[1:] == [("2026-11-22 10:02 baseline", "e")]


# --- a row ------------------------------------------------------------------------------------------------------------


def choose(runs: _Runs, view: str, *cells: str) -> dict[str, Any]:
    return dict(zip(BELOW, runs.choose(row_of(*cells), view), strict=True))


def test_a_row_opens_its_run(runs: _Runs) -> None:
    opened = choose(runs, "Runs", "2026", "m", "c")
    assert (opened["chosen"], opened["replay_run"].interactive) == ("c", True)
    assert "simulated.swift" in opened["details"]
    nothing = choose(runs, "Runs", "no such run")
    assert (nothing["chosen"], nothing["details"], nothing["replay_run"].interactive) == ("", "", False)


def test_a_run_without_text_says_why_it_is_not_played(runs: _Runs, run_log: RunLog) -> None:
    run_log.add(a_record(run_id="silent", response="", status="failed"))
    opened = choose(runs, "Runs", "2026", "silent")
    assert (opened["chosen"], opened["replay_run"].interactive) == ("silent", False)
    assert "No text came in this run" in opened["replay"]


def test_a_pair_opens_both_runs(runs: _Runs) -> None:
    opened = choose(runs, "Pairs", "2026", "p")
    assert opened["details"].count('<section class="run"') == 2
    assert opened["details"].index("Complete") < opened["details"].index("Stream")


@pytest.mark.parametrize(
    ("chosen", "changed", "stays"),
    [
        ("c", {}, True),
        ("c", {"status": "cancelled"}, True),
        ("c", {"status": "completed"}, False),
        ("c", {"text": "sea"}, False),
        ("c", {"view": "Pairs"}, False),
        ("p", {"view": "Pairs"}, True),
        ("p", {"view": "Pairs", "text": "nothing like it"}, False),
    ],
)
def test_an_open_row_closes_when_the_filter_leaves_it_out(
    runs: _Runs, chosen: str, changed: dict[str, Any], stays: bool
) -> None:
    found = read(runs, chosen, **changed)
    if stays:
        assert [found[name] for name in BELOW] == [gr.skip()] * 4
    else:
        assert (found["chosen"], found["details"], found["replay"]) == ("", "", "")
        assert not found["replay_run"].interactive


def test_replay(runs: _Runs) -> None:
    assert "simulated.swift" in runs.replay("Runs", "c")
    assert runs.replay("Pairs", "p").count("data-replay") == 1
    assert runs.replay("Runs", "") == runs.replay("Runs", None) == ""


def test_the_details_of_a_run_are_escaped() -> None:
    html = details(a_record(prompt=EVIL, response=EVIL, request_model=EVIL, error_message=EVIL, flags=("cold",)))
    assert "<img" not in html
    assert html.count("&lt;img") >= 4
    assert "412 ms" in html
    assert ">cold<" in html


# --- deleting ---------------------------------------------------------------------------------------------------------


def act(runs: _Runs, said: str, chosen: str, **changed: Any) -> dict[str, Any]:
    return dict(zip((*SHOWN, *BELOW), runs.act(click(said), chosen, *form(**changed)), strict=True))


def test_the_open_run_is_deleted_when_that_is_said(runs: _Runs, run_log: RunLog) -> None:
    assert "Delete this run" in choose(runs, "Runs", "c")["details"]
    found = act(runs, "delete", "c")
    assert ids(found) == ["b", "a"]
    assert "1 run deleted." in found["told"]
    assert (found["chosen"], found["details"]) == ("", "")
    assert "Delete 2 runs" in found["delete_all"]
    assert run_log.get("c") is None
    assert "not in the log any more" in act(runs, "delete", "c")["told"]


@pytest.mark.parametrize("odd", [None, 7, [], {"a": 1}, "", "no such run", EVIL])
def test_an_odd_choice_deletes_nothing(runs: _Runs, run_log: RunLog, odd: Any) -> None:
    assert "Nothing was deleted" in act(runs, "delete", odd)["told"]
    assert run_log.count() == 3


def test_whatever_else_is_said_closes_the_row(runs: _Runs, run_log: RunLog) -> None:
    for said in ("close", None, 7, EVIL):
        found = act(runs, said, "c")  # type: ignore[arg-type]  # what a browser may send
        assert (found["chosen"], found["details"], found["table"]) == ("", "", gr.skip())
    assert run_log.count() == 3


def test_both_runs_of_an_open_pair_are_deleted(runs: _Runs) -> None:
    assert "Delete these 2 runs" in choose(runs, "Pairs", "p")["details"]
    found = act(runs, "delete", "p", view="Pairs")
    assert "2 runs deleted." in found["told"]
    assert ids(read(runs)) == ["c"]


def test_all_runs_are_deleted_whatever_the_filter_shows(runs: _Runs, run_log: RunLog) -> None:
    drawn = read(runs, text="sea")["delete_all"]
    assert "Delete 3 runs" in drawn
    assert "whatever the filter shows" in drawn
    found = dict(zip((*SHOWN, *BELOW), runs.delete_all("a", *form(text="sea", page=2)), strict=True))
    assert (run_log.count(), found["delete_all"], found["chosen"]) == (0, "", "")
    assert "3 runs deleted." in found["told"]
    assert "No runs yet" in found["count"]


def test_what_stays_in_the_file_is_told(runs: _Runs, tmp_path: Path, run_log: RunLog) -> None:
    with run_log._database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=1")
    other = sqlite3.connect(tmp_path / "runs.db", isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM runs").fetchone()
    told = act(runs, "delete", "c")["told"]
    other.close()
    assert "1 run deleted." in told
    assert "Another program is reading the log." in told


# --- files ------------------------------------------------------------------------------------------------------------


def export(runs: _Runs, wanted: str = "CSV", **changed: Any) -> Path:
    button, _ = runs.export(wanted, *form(**changed))
    path = Path(button.value["path"] if isinstance(button.value, dict) else button.value)
    assert button.label == path.name
    return path


def test_the_file_is_named_by_time_lies_apart_and_is_no_formula(runs: _Runs, tmp_path: Path) -> None:
    first, second = (export(runs) for _ in range(2))
    assert first.is_relative_to(tmp_path / "served")
    assert re.fullmatch(r"runs-\d{8}T\d{6}Z\.csv", first.name)
    assert first.parent != second.parent
    with first.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["bench.run_id"] for row in rows] == ["c", "b", "a"]
    assert [row["bench.simulated"] for row in rows] == ["true", "false", "false"]
    assert rows[0]["bench.prompt"] == "'=cmd|' /C calc'!A0"
    assert float(rows[0]["gen_ai.client.operation.duration"]) == 1.0


def test_the_file_holds_all_that_the_filter_lets_through_in_its_order(runs: _Runs) -> None:
    assert len(export(runs, text="sea", page=5).read_text("utf-8").splitlines()) == 3
    rows = json.loads(export(runs, "JSON", sort="Total (s) ↓").read_text("utf-8"))["runs"]
    assert [row["bench.run_id"] for row in rows] == ["b", "a", "c"]
    [pair] = json.loads(export(runs, "JSON", view="Pairs").read_text("utf-8"))["pairs"]
    assert (pair["Pair"], pair["Complete total (s)"]) == ("p", 7.4)
    for view in ("Runs", "Pairs"):
        path = export(runs, "Parquet", view=view)
        assert (path.suffix, path.read_bytes()[:4]) == (".parquet", b"PAR1")
    assert export(runs, [], view="Pairs").suffix == ".csv"  # type: ignore[arg-type]  # what a browser may send


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_log_that_cannot_be_read_says_so_where_it_was_asked_for(runs: _Runs, tmp_path: Path) -> None:
    raw = sqlite3.connect(tmp_path / "runs.db")
    raw.execute("DROP TABLE runs")
    raw.commit()
    raw.close()
    sentence = "The run log could not be read: no such table"
    assert sentence in read(runs)["count"]
    assert sentence in choose(runs, "Runs", "c")["details"]
    assert sentence in runs.export("CSV", *form())[1]
    assert sentence in runs.replay("Runs", "c")
    assert sentence in act(runs, "delete", "c")["told"]
    assert "The run log could not be emptied: no such table" in runs.delete_all("", *form())[len(SHOWN) - 1]
