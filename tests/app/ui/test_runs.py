"""Tab Runs: what the table shows, what a row opens, what the file holds."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from app.services import make_services
from app.ui.run_details import details
from app.ui.runs import ANY, _Runs, as_cells
from metrics.run_log import RunLog
from metrics.tables import runs_table
from providers.connect import Backends
from providers.local.launch import LocalEndpoint
from tests.app.ui.make import a_record


@pytest.fixture
def runs(run_log: RunLog, endpoint: LocalEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Runs:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    pair = {"pair_id": "p", "prompt": "Tell me about the sea"}
    run_log.add(a_record(run_id="a", mode="sync", time_to_visible_s=7.4, time_to_first_visible_s=None, **pair))
    run_log.add(a_record(run_id="b", started_at="2026-11-22T10:01:00.000000Z", **pair))
    run_log.add(
        a_record(
            run_id="c",
            started_at="2026-11-22T10:02:00.000000Z",
            request_model="simulated.swift",
            simulated=True,
            backend="local",
            status="cancelled",
            decode_tokens_per_s=None,
            prompt="=cmd|' /C calc'!A0",
        )
    )
    return _Runs(make_services(Backends("local", local_url=endpoint.url), run_log))


def shown(table: dict[str, Any], column: str) -> list[str]:
    at = table["headers"].index(column)
    return [row[at] for row in table["metadata"]["display_value"]]


def test_the_newest_run_comes_first_and_simulated_ones_say_so(runs: _Runs) -> None:
    table, count, models = runs.read("Runs", "", ANY, ANY, ANY)
    assert shown(table, "Run") == ["c", "b", "a"]
    assert shown(table, "Backend") == ["Simulated", "AWS", "AWS"]
    assert shown(table, "Decode (tokens/s)")[0] == "–"
    assert "3 runs" in count
    assert models["choices"] == [ANY, "simulated.swift", "us.amazon.nova-micro-v1:0"]


@pytest.mark.parametrize(
    ("changed", "left"),
    [
        ({"text": "SEA"}, ["b", "a"]),
        ({"model": "simulated.swift"}, ["c"]),
        ({"mode": "Complete"}, ["a"]),
        ({"status": "cancelled"}, ["c"]),
        ({"text": "nothing like it"}, []),
        ({"text": None, "model": None, "mode": None, "status": None}, ["c", "b", "a"]),
    ],
)
def test_the_filter(runs: _Runs, changed: dict[str, Any], left: list[str]) -> None:
    fields = {"view": "Runs", "text": "", "model": ANY, "mode": ANY, "status": ANY} | changed
    table, _, _ = runs.read(**fields)
    assert (shown(table, "Run") if table["data"] else []) == left


def test_pairs_stand_in_one_row(runs: _Runs) -> None:
    table, count, _ = runs.read("Pairs", "", ANY, ANY, "cancelled")
    assert shown(table, "First text sooner by (s)") == ["6.988"]
    assert "1 pair of" in count


def test_columns_sort_as_numbers(runs: _Runs) -> None:
    table, _, _ = runs.read("Runs", "", ANY, ANY, ANY)
    at = table["headers"].index("Total (s)")
    assert [row[at] for row in table["data"]] == [7.4, 7.4, 7.4]
    assert shown(table, "Total (s)") == ["7.400"] * 3


def test_an_empty_log_says_what_will_be_here(run_log: RunLog, endpoint: LocalEndpoint) -> None:
    table, count, _ = _Runs(make_services(Backends("local", local_url=endpoint.url), run_log)).read(
        "Runs", "", ANY, ANY, ANY
    )
    assert table["data"] == []
    assert "Every question that you ask becomes a row here" in count
    assert as_cells(runs_table([]))["headers"] == table["headers"]


def test_a_row_opens_its_run(runs: _Runs) -> None:
    event = gr.SelectData(None, {"index": [0, 1], "value": "x", "row_value": ["2026", "m", "c"]})
    assert "simulated.swift" in runs.details(event)
    assert runs.details(gr.SelectData(None, {"index": [0, 1], "value": "x", "row_value": ["no such run"]})) == ""


def test_the_file_is_named_by_time_lies_apart_and_is_no_formula(runs: _Runs, tmp_path: Path) -> None:
    first, second = (Path(runs.export("Runs", "", ANY, ANY, ANY)) for _ in range(2))
    assert first.is_relative_to(tmp_path / "served")
    assert re.fullmatch(r"runs-\d{8}T\d{6}Z\.csv", first.name)
    assert first.parent != second.parent
    with first.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["bench.run_id"] for row in rows] == ["c", "b", "a"]
    assert rows[0]["bench.prompt"] == "'=cmd|' /C calc'!A0"
    assert float(rows[0]["gen_ai.client.operation.duration"]) == 7.4


def test_the_file_holds_what_the_filter_lets_through(runs: _Runs) -> None:
    assert len(Path(runs.export("Runs", "sea", ANY, ANY, ANY)).read_text("utf-8").splitlines()) == 3
    assert "First text sooner by (s)" in Path(runs.export("Pairs", "", ANY, ANY, ANY)).read_text("utf-8")


def test_the_details_of_a_run_are_escaped() -> None:
    evil = "<img src=x onerror=alert(1)>"
    html = details(a_record(prompt=evil, response=evil, request_model=evil, error_message=evil, flags=("cold",)))
    assert "<img" not in html
    assert html.count("&lt;img") == 4
    assert "412 ms" in html
    assert ">cold<" in html
