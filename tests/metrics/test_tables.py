"""Tables for people."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from metrics import run_query
from metrics.run_table import LIGHT, runs
from metrics.tables import MISSING, PAIR_SORTS, RUN_SORTS, for_display, pairs_table, rows_of, runs_table
from tests.metrics.records import record


def row(run_id: str = "run-1", *, second: int = 0, **given_: Any) -> dict[str, Any]:
    return record(run_id, started_at=f"2026-11-22T07:15:{second:02}.500000Z", **given_).to_row()


def pair(
    *, second: int = 0, pair_id: str = "p", complete: Any = (), streamed: Any = ()
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    two = [
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
    return [(two[0], two[1])]


# --- runs -------------------------------------------------------------------------------------------------------------


def test_runs_as_they_are_given_with_units_in_headers() -> None:
    table = runs_table([row("new", second=9, mode="sync", duration_s=1.25, output_tokens=7, cost_usd=1e-5), row("old")])
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


# --- pairs ------------------------------------------------------------------------------------------------------------


def test_pair_says_how_much_sooner_the_first_text_came() -> None:
    line = pairs_table(pair()).iloc[0]
    assert line["Complete total (s)"] == 4.0
    assert line["Streamed first text (s)"] == 0.5
    assert line["Streamed total (s)"] == 4.5
    assert line["First text sooner by (s)"] == 3.5
    assert line["Notes"] == ""


def test_pairs_as_they_are_given() -> None:
    assert pairs_table([*pair(pair_id="new"), *pair(pair_id="old")])["Pair"].tolist() == ["new", "old"]


def test_pairs_tell_their_tokens_and_which_are_estimated() -> None:
    table = pairs_table(pair(complete={"output_tokens": 1200}, streamed={"tokens_estimated": 90}))
    assert (table["Complete (tokens)"][0], table["Streamed (tokens)"][0]) == (1200, 90)
    assert table["Notes"][0] == "stream: tokens estimated"
    assert for_display(table)["Complete (tokens)"][0] == "1,200"


def test_a_failed_member_is_named_and_gives_no_difference() -> None:
    line = pairs_table(pair(streamed={"status": "failed", "flags": ("retried",)})).iloc[0]
    assert pd.isna(line["First text sooner by (s)"])
    assert line["Notes"] == "stream: failed, stream: retried"


def test_an_answer_without_text_gives_no_difference() -> None:
    [(complete, streamed)] = pair()
    assert (
        pairs_table([(complete, streamed | {"bench.time_to_visible": None})])["First text sooner by (s)"].isna().all()
    )


def test_simulated_pairs_are_labelled() -> None:
    rows = pair(complete={"simulated": True}, streamed={"simulated": True})
    assert pairs_table(rows)["Backend"].tolist() == ["Simulated"]


# --- with the log -----------------------------------------------------------------------------------------------------


def test_a_table_needs_no_more_than_the_log_reads_for_it() -> None:
    line = row(duration_s=2.0, flags=("cold",), phase="warmup", simulated=True, tokens_estimated=3, cost_usd=0.1)
    light = {runs.c[attribute].name: line[runs.c[attribute].name] for attribute in LIGHT}
    assert runs_table([light]).equals(runs_table([line]))
    assert pairs_table([(light, light | {"bench.pair_id": "p"})]).equals(
        pairs_table([(line, line | {"bench.pair_id": "p"})])
    )


def test_the_log_knows_every_order_that_a_title_stands_for() -> None:
    assert set(PAIR_SORTS.values()) == set(run_query.PAIR_SORTS)
    assert set(RUN_SORTS.values()) <= {runs.c[attribute].name for attribute in LIGHT}
    assert list(runs_table([]).columns)[: len(RUN_SORTS)] == list(RUN_SORTS)
    assert list(pairs_table([]).columns)[: len(PAIR_SORTS)] == list(PAIR_SORTS)


def test_rows_of_a_table() -> None:
    [line] = rows_of(runs_table([row(duration_s=2.0)]))
    assert (line["Total (s)"], line["Cost (USD)"], line["Run"]) == (2.0, None, "run-1")
