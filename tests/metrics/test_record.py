"""Names, units and plain values of a run's row."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.record import BULKY, COLUMNS, UNITS, RunRecord, chunks_since, clean_text, plain, timestamp
from metrics.timing import RunMetrics, measure
from tests.metrics.records import record

GROUPS = {
    "bench": "schema_version run_id experiment_id pair_id mode order_in_pair phase seed started_at usage_raw"
    " time_to_first_visible time_to_visible time_to_last_chunk time_to_headers tpot tpot_visible"
    " output_tokens_per_second decode_tokens_per_second chunk_count inter_chunk_p50 inter_chunk_p95 inter_chunk_max"
    " chunks server_latency tokens_source tokens_estimated estimator_version progress_trace cost_usd price_model"
    " price_source error_message service_tier performance_config flags client status backend simulated",
    "gen_ai": "operation.name provider.name conversation.id client.operation.duration",
    "gen_ai.request": "model stream max_tokens temperature top_p stop_sequences",
    "gen_ai.response": "model id finish_reasons time_to_first_chunk",
    "gen_ai.usage": "input_tokens output_tokens cache_read.input_tokens cache_creation.input_tokens"
    " reasoning.output_tokens",
    "aws": "request_id bedrock.guardrail.id",
    "http": "response.status_code request.resend_count",
    "error": "type",
    "server": "address",
    "cloud": "region",
}
PROMISED = {f"{group}.{name}" for group, names in GROUPS.items() for name in names.split()}


def test_promised_columns_are_there_once() -> None:
    names = list(COLUMNS.values())
    assert set(names) >= PROMISED
    assert len(names) == len(set(names))
    assert {"bench.chunks", "bench.progress_trace"} == BULKY


def test_units_follow_the_attributes_names() -> None:
    for attribute, name in COLUMNS.items():
        endings = {"tpot_s": "s/token", "tpot_visible_s": "s/token", "_per_s": "token/s", "_s": "s", "_usd": "USD"}
        unit = next((unit for ending, unit in endings.items() if attribute.endswith(ending)), None)
        assert UNITS.get(name) == unit, attribute


def test_every_figure_of_a_run_has_its_column() -> None:
    """So that `RunRecord(**dataclasses.asdict(metrics), ...)` works."""
    assert {f.name for f in dataclasses.fields(RunMetrics)} <= COLUMNS.keys()
    metrics = measure(stream=True, sent_at_ns=0, ended_at_ns=10**9, chunks=[(5 * 10**8, "text", 3)])
    row = record(**dataclasses.asdict(metrics)).to_row()
    assert row["gen_ai.client.operation.duration"] == 1.0
    assert row["bench.time_to_visible"] == row["gen_ai.response.time_to_first_chunk"] == 0.5


def test_row_is_json_and_leaves_out_what_was_not_read() -> None:
    full = record(chunks=((1, "text", 2),), progress_trace=((0.5, 10.0),), usage_raw={"a": [1, {"b": None}]})
    row = json.loads(json.dumps(full.to_row(), allow_nan=False))
    assert row["bench.chunks"] == [[1, "text", 2]]
    assert row["bench.usage_raw"] == {"a": [1, {"b": None}]}
    assert row["gen_ai.response.finish_reasons"] == []
    assert row["bench.pair_id"] is None
    assert list(row) == list(COLUMNS.values())
    assert BULKY.isdisjoint(record().to_row())


def test_timestamps_are_utc_with_microseconds() -> None:
    moment = datetime(2026, 11, 22, 9, 0, tzinfo=timezone(timedelta(hours=2)))
    assert timestamp(moment) == "2026-11-22T07:00:00.000000Z"
    assert timestamp(datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)) == "2026-01-02T03:04:05.000678Z"


def test_chunks_are_kept_since_the_call() -> None:
    assert chunks_since(100, [(150, "reasoning", 3), (170, "text", 1)]) == ((50, "reasoning", 3), (70, "text", 1))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain", "plain"),
        ("a\0b", "a\ufffdb"),
        ("é\0", "é\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("half \ud83d", "half \ufffd"),
        ("😀 ok", "😀 ok"),
    ],
)
def test_text_that_databases_refuse_is_made_clean(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@given(st.text(st.characters(exclude_categories=[])))
def test_clean_text_can_always_be_written(text: str) -> None:
    assert "\0" not in clean_text(text)
    clean_text(text).encode("utf-8")


def test_plain_reaches_the_inside() -> None:
    assert plain({"a": ("\0", float("nan"), [float("inf"), 1.5])}) == {"a": ["\ufffd", None, [None, 1.5]]}


def test_records_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        record().status = "failed"  # type: ignore[misc]
    assert isinstance(record(), RunRecord)
