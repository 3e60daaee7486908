"""Files that say the same as the rows."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fastparquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics import exports
from metrics.exports import FORMATS, RUN_COLUMNS, guarded, to_csv, write_file
from metrics.record import BULKY, COLUMNS
from metrics.tables import rows_of, runs_table
from tests.metrics.records import record


def row(run_id: str = "run-1", *, second: int = 0, **given_: Any) -> dict[str, Any]:
    return record(run_id, started_at=f"2026-11-22T07:15:{second:02}.500000Z", **given_).to_row()


def read_parquet(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        table = fastparquet.ParquetFile(file).to_pandas()
    lines: list[dict[str, Any]] = table.astype(object).where(table.notna(), None).to_dict("records")
    return lines


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


def test_no_rows() -> None:
    assert to_csv([]) == "\r\n"
    assert to_csv([], ["a", "b"]) == '"a","b"\r\n'


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


# --- all formats ------------------------------------------------------------------------------------------------------

ROWS = [
    row("a", duration_s=1.5, output_tokens=2**53 + 1, flags=("cold",), simulated=True, prompt="=1+1 é 😀", seed=-3),
    row("b", usage_raw={"n": [1, None]}, conversation=({"role": "user", "text": "x"},)),
]


def test_json_is_what_the_api_answers(tmp_path: Path) -> None:
    write_file(tmp_path / "runs.json", "json", iter(ROWS), RUN_COLUMNS, of="runs")
    assert json.loads((tmp_path / "runs.json").read_text("utf-8")) == {"runs": ROWS}


def test_parquet_keeps_types_and_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "ROW_GROUP", 1)  # the second group holds nothing but gaps in some columns
    write_file(tmp_path / "runs.parquet", "parquet", iter(ROWS), RUN_COLUMNS, of="runs")
    first, second = read_parquet(tmp_path / "runs.parquet")
    assert list(first) == [name for name in COLUMNS.values() if name not in BULKY] == list(RUN_COLUMNS)
    assert (first["gen_ai.usage.output_tokens"], first["bench.simulated"]) == (2**53 + 1, True)
    assert (first["bench.prompt"], first["bench.flags"]) == ("=1+1 é 😀", '["cold"]')
    assert second["gen_ai.client.operation.duration"] is second["gen_ai.usage.output_tokens"] is None
    assert json.loads(second["bench.usage_raw"]) == {"n": [1, None]}


@pytest.mark.parametrize("wanted", FORMATS)
def test_an_empty_log_makes_a_file_that_can_be_read(tmp_path: Path, wanted: exports.Format) -> None:
    path = tmp_path / f"runs.{wanted}"
    write_file(path, wanted, [], RUN_COLUMNS, of="pairs")
    match wanted:
        case "csv":
            assert parsed(path.read_text("utf-8")) == [list(RUN_COLUMNS)]
        case "json":
            assert json.loads(path.read_text("utf-8")) == {"pairs": []}
        case "parquet":
            assert read_parquet(path) == []


@pytest.mark.parametrize("wanted", ["csv", "json"])
def test_rows_are_taken_one_by_one(tmp_path: Path, wanted: exports.Format) -> None:
    """A row that comes while the file is being written is in it; nothing waits for the last one."""
    path = tmp_path / "runs"

    def coming() -> Any:
        yield row("a" * 100_000)
        assert path.stat().st_size > 100_000
        yield row("b")

    write_file(path, wanted, coming(), RUN_COLUMNS, of="runs")


def test_csv_does_not_need_pandas() -> None:
    code = "import sys\nfrom metrics.exports import to_csv\nto_csv([{'a': 1}])\nassert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
