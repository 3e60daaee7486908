"""Rows of the run log as files: CSV, JSON and Parquet. Rows are taken one after the other, so that a log of any length
fits.

A row is column name -> value, as `RunRecord.to_row` gives it, or a line of a table. The formats say the same: the same
names, times in seconds, missing values missing. In Parquet and CSV lists and objects are JSON texts. Parquet is written
by pandas and fastparquet, which are imported with the first such file: half a second.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

import sqlalchemy as sa

from metrics.record import BULKY, COLUMNS, plain
from metrics.run_table import runs

Row = Mapping[str, Any]
Format = Literal["csv", "json", "parquet"]
Kind = Literal["string", "Int64", "Float64", "boolean"]
"""What a column holds, in pandas' words for columns in which values may be missing."""

FORMATS: tuple[Format, ...] = get_args(Format)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\0")
ROW_GROUP = 5000
"""How many rows of a Parquet file are in memory at once."""


def _kind(sql_type: sa.types.TypeEngine[Any]) -> Kind:
    match sql_type:
        case sa.BigInteger():
            return "Int64"
        case sa.Double():
            return "Float64"
        case sa.Boolean():
            return "boolean"
        case _:
            return "string"


RUN_COLUMNS: Mapping[str, Kind] = {
    name: _kind(runs.c[attribute].type) for attribute, name in COLUMNS.items() if name not in BULKY
}
"""The columns of `RunLog.rows`."""


def write_file(path: Path, wanted: Format, rows: Iterable[Row], columns: Mapping[str, Kind], *, of: str) -> None:
    """Writes a new file. `of` is the plural under which JSON has the rows. Raises `OSError`."""
    match wanted:
        case "csv":
            with path.open("w", encoding="utf-8", newline="") as file:
                file.writelines(csv_lines(rows, tuple(columns)))
        case "json":
            with path.open("w", encoding="utf-8") as file:
                file.writelines(json_lines(rows, of))
        case "parquet":
            _write_parquet(path, rows, columns)


# --- CSV --------------------------------------------------------------------------------------------------------------


def to_csv(rows: Iterable[Row], columns: Sequence[str] | None = None) -> str:
    """All of `csv_lines`, by default of those columns that the rows have."""
    lines = list(rows)
    names = list(dict.fromkeys(name for line in lines for name in line) if columns is None else columns)
    return "".join(csv_lines(lines, names))


def csv_lines(rows: Iterable[Row], columns: Sequence[str]) -> Iterator[str]:
    """RFC 4180, one line a row under a header of `columns`.

    Texts are quoted, and guarded against being run as formulas by a spreadsheet (OWASP ASVS 5.0, 1.2.10). Numbers stay
    numbers, lists and objects are JSON, missing values are empty.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([guarded(name) for name in columns])
    yield out.getvalue()
    for row in rows:
        out.seek(0)
        out.truncate()
        writer.writerow([_cell(row.get(name)) for name in columns])
        yield out.getvalue()


def guarded(text: str) -> str:
    """`text` with an apostrophe before it where a spreadsheet would run it."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _cell(value: Any) -> str | int | float:
    match plain(value):
        case None:
            return ""
        case bool(flag):
            return "true" if flag else "false"
        case int() | float() as number:
            return number
        case str(text):
            return guarded(text)
        case other:
            return guarded(json.dumps(other, ensure_ascii=False))


# --- JSON and Parquet -------------------------------------------------------------------------------------------------


def json_lines(rows: Iterable[Row], of: str) -> Iterator[str]:
    """`{"runs": [row, …]}` as the API answers, one row a line; `of` is the word for the rows."""
    yield f'{{"{of}": ['
    before = "\n"
    for row in rows:
        yield before + json.dumps(plain(row), ensure_ascii=False)
        before = ",\n"
    yield "\n]}\n"


def _write_parquet(path: Path, rows: Iterable[Row], columns: Mapping[str, Kind]) -> None:
    import fastparquet
    import pandas as pd

    left = iter(rows)
    some = list(islice(left, ROW_GROUP))
    is_first = True
    while some or is_first:
        cells = {name: [_typed(row.get(name), kind) for row in some] for name, kind in columns.items()}
        frame = pd.DataFrame({name: pd.array(cells[name], dtype=kind) for name, kind in columns.items()})
        fastparquet.write(str(path), frame, compression="SNAPPY", write_index=False, append=not is_first)
        some, is_first = list(islice(left, ROW_GROUP)), False


def _typed(value: Any, kind: Kind) -> Any:
    """`value` as its column holds it; lists and objects have no type of their own in a table."""
    value = plain(value)
    return json.dumps(value, ensure_ascii=False) if kind == "string" and isinstance(value, (list, dict)) else value
