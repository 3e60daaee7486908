"""Tables for people, and CSV that says the same as the rows."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.record import COLUMNS
from metrics.tables import MISSING, filter_rows, for_display, guarded, pairs_table, rows_of, runs_table, to_csv
from tests.metrics.records import record


def row(run_id: str = "run-1", *, second: int = 0, **given_: Any) -> dict[str, Any]:
    return record(run_id, started_at=f"2026-11-22T07:15:{second:02}.500000Z", **given_).to_row()


def pair(*, second: int = 0, pair_id: str = "p", complete: Any = (), streamed: Any = ()) -> list[dict[str, Any]]:
    return [
        row("c", second=second, pair_id=pair_id, mode="sync", duration_s=4.0, time_to_visible_s=4.0, **dict(complete)),
        row(
            "s",
            second=second + 1,
            pair_id=pair_id,
            duration_s=4.5,
            time_to_first_visible_s=0.5,
            time_to_visible_s=0.5,
            **dict(streamed),
        ),
    ]


# --- runs -------------------------------------------------------------------------------------------------------------


def test_runs_newest_first_with_units_in_headers() -> None:
    table = runs_table([row("old"), row("new", second=9, mode="sync", duration_s=1.25, output_tokens=7, cost_usd=1e-5)])
    assert list(table["Run"]) == ["new", "old"]
    assert list(table["Mode"]) == ["Complete", "Stream"]
    newest = table.iloc[0]
    assert (newest["Total (s)"], newest["Output (tokens)"], newest["Cost (USD)"]) == (1.25, 7, 1e-5)
    assert newest["Started (UTC)"] == "2026-11-22 07:15:09"
    assert {"First chunk (s)", "First text (s)", "Decode (tokens/s)", "Overall (tokens/s)"} <= set(table.columns)


def test_missing_stays_missing_and_is_shown_as_a_dash() -> None:
    table = runs_table([row(), row("other", duration_s=0.0, output_tokens=0)])
    assert table["Total (s)"].isna().tolist() == [True, False]
    shown = for_display(table)
    assert shown["Total (s)"].tolist() == [MISSING, "0.000"]
    assert shown["Output (tokens)"].tolist() == [MISSING, "0"]
    assert pd.isna(table["Cost (USD)"].mean()), "a missing price is never counted as free"


def test_estimates_and_marks_are_said() -> None:
    line = runs_table([row(tokens_estimated=40, flags=("buffered_stream", "cold"), phase="warmup")]).iloc[0]
    assert line["Output (tokens)"] == 40
    assert line["Notes"] == "warm-up, buffered stream, cold, tokens estimated"
    reported = runs_table([row(tokens_estimated=40, output_tokens=44)]).iloc[0]
    assert (reported["Output (tokens)"], reported["Notes"]) == (44, "")


@pytest.mark.parametrize(
    ("given_", "label"),
    [({}, "AWS"), ({"backend": "local"}, "Local"), ({"backend": "local", "simulated": True}, "Simulated")],
)
def test_simulated_is_labelled(given_: dict[str, Any], label: str) -> None:
    assert runs_table([row(**given_)])["Backend"].tolist() == [label]


def test_display_rounds_by_unit() -> None:
    line = row(duration_s=12.34567, decode_tokens_per_s=61.28, cost_usd=0.0000123, output_tokens=12345)
    shown = for_display(runs_table([line])).iloc[0]
    assert shown["Total (s)"] == "12.346"
    assert shown["Decode (tokens/s)"] == "61.3"
    assert shown["Cost (USD)"] == "0.000012"


def test_empty_log() -> None:
    assert len(runs_table([])) == len(pairs_table([])) == 0
    assert "Total (s)" in for_display(runs_table([])).columns
    assert to_csv([]) == "\r\n"
    assert to_csv([], ["a", "b"]) == '"a","b"\r\n'


# --- pairs ------------------------------------------------------------------------------------------------------------


def test_pair_says_how_much_sooner_the_first_text_came() -> None:
    line = pairs_table(pair()).iloc[0]
    assert line["Complete total (s)"] == 4.0
    assert line["Streamed first text (s)"] == 0.5
    assert line["Streamed total (s)"] == 4.5
    assert line["First text sooner by (s)"] == 3.5
    assert line["Notes"] == ""


def test_pairs_newest_first_and_only_whole_ones() -> None:
    rows = [*pair(pair_id="old"), *pair(second=30, pair_id="new"), *pair(pair_id="half")[:1], row("single")]
    assert pairs_table(rows)["Pair"].tolist() == ["new", "old"]


def test_a_failed_member_is_named_and_gives_no_difference() -> None:
    line = pairs_table(pair(streamed={"status": "failed", "flags": ("retried",)})).iloc[0]
    assert pd.isna(line["First text sooner by (s)"])
    assert line["Notes"] == "stream: failed, stream: retried"


def test_an_answer_without_text_gives_no_difference() -> None:
    rows = pair()
    rows[1]["bench.time_to_visible"] = None
    assert pairs_table(rows)["First text sooner by (s)"].isna().all()


def test_simulated_pairs_are_labelled() -> None:
    rows = pair(complete={"simulated": True}, streamed={"simulated": True})
    assert pairs_table(rows)["Backend"].tolist() == ["Simulated"]


# --- filter -----------------------------------------------------------------------------------------------------------


def test_filter() -> None:
    rows = [row("a", prompt="Why RAIN?"), row("b", mode="sync", response="rain"), row("c", status="failed")]
    found = {
        "all": filter_rows(rows),
        "mode": filter_rows(rows, mode="sync"),
        "status": filter_rows(rows, status="failed"),
        "text": filter_rows(rows, text="Rain"),
        "both": filter_rows(rows, text="rain", mode="stream"),
        "model": filter_rows(rows, model_id="other"),
    }
    names = {key: "".join(line["bench.run_id"] for line in lines) for key, lines in found.items()}
    assert names == {"all": "abc", "mode": "b", "status": "c", "text": "ab", "both": "a", "model": ""}


# --- CSV --------------------------------------------------------------------------------------------------------------


def parsed(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_csv_has_the_rows_columns_and_plain_numbers() -> None:
    text = to_csv([row(duration_s=1.5, resends=2, flags=("cold",), simulated=True, seed=-3)])
    header, line = parsed(text)
    cells = dict(zip(header, line, strict=True))
    assert header == [name for name in COLUMNS.values() if name in cells]
    assert cells["gen_ai.client.operation.duration"] == "1.5"
    assert cells["bench.seed"] == "-3"
    assert cells["bench.flags"] == '["cold"]'
    assert cells["bench.simulated"] == "true"
    assert cells["bench.cost_usd"] == ""
    assert ",1.5," in text
    assert ",-3," in text


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_formulas_are_guarded(start: str) -> None:
    assert parsed(to_csv([{"prompt": f"{start}cmd"}]))[1] == [f"'{start}cmd"]


def test_a_table_can_be_exported() -> None:
    header, line = parsed(to_csv(rows_of(runs_table([row(duration_s=2.0, prompt="=1")]))))
    cells = dict(zip(header, line, strict=True))
    assert cells["Total (s)"] == "2.0"
    assert cells["Cost (USD)"] == ""


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.sampled_from(
    ['"', "a,b", "\r\n", "=1+1", "'x", "- item", "ünï"]
)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts


@given(st.lists(st.fixed_dictionaries({"a": values, "b": values, "c": texts}), min_size=1, max_size=5))
def test_csv_round_trip(rows: list[dict[str, Any]]) -> None:
    header, *lines = parsed(to_csv(rows))
    assert sorted(header) == ["a", "b", "c"]
    for given_, line in zip(rows, lines, strict=True):
        for name, cell in zip(header, line, strict=True):
            value = given_[name]
            match value:
                case None:
                    assert cell == ""
                case bool():
                    assert cell == str(value).lower()
                case int() | float():
                    assert type(value)(cell) == value
                case str():
                    assert cell == guarded(value)
                    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_csv_does_not_need_pandas() -> None:
    code = "import sys\nfrom metrics.tables import to_csv\nto_csv([{'a': 1}])\nassert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
