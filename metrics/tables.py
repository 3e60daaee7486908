"""Rows of the run log as tables for people and as CSV. Rows are those of `RunRecord.to_row`: column name -> value.

pandas is imported inside the functions that make tables: it takes half a second, and the CSV does without.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from metrics.record import plain

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]

MISSING = "–"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\0")
MODE_NAMES = {"stream": "Stream", "sync": "Complete"}

_RUN_NUMBERS = {
    "First chunk (s)": "gen_ai.response.time_to_first_chunk",
    "First text (s)": "bench.time_to_first_visible",
    "Visible after (s)": "bench.time_to_visible",
    "Total (s)": "gen_ai.client.operation.duration",
    "Decode (tokens/s)": "bench.decode_tokens_per_second",
    "Overall (tokens/s)": "bench.output_tokens_per_second",
    "Cost (USD)": "bench.cost_usd",
}
_RUN_COLUMNS = ("Started (UTC)", "Model", "Mode", "Status", *_RUN_NUMBERS, "Input (tokens)", "Output (tokens)")
_PAIR_NUMBERS = (
    "Complete total (s)",
    "Streamed first text (s)",
    "Streamed total (s)",
    "First text sooner by (s)",
)
_DECIMALS = {"(s)": 3, "(tokens/s)": 1, "(USD)": 6}


# --- tables for people ------------------------------------------------------------------------------------------------


def runs_table(rows: Iterable[Row]) -> pd.DataFrame:
    """One line a run, newest first. Units stand in the headers, missing numbers stay missing."""
    lines = [_run_line(row) for row in sorted(rows, key=_started, reverse=True)]
    return _frame(lines, [*_RUN_COLUMNS, "Backend", "Notes", "Run"])


def pairs_table(rows: Iterable[Row]) -> pd.DataFrame:
    """One line for each pair of a complete and a streamed run, newest first; a pair with one member is left out.

    The difference is missing where a member did not complete, or showed no text.
    """
    pairs: dict[str, dict[str, Row]] = {}
    for row in sorted(rows, key=_started):
        if row.get("bench.pair_id"):
            pairs.setdefault(row["bench.pair_id"], {})[row["bench.mode"]] = row
    whole = [(pair["sync"], pair["stream"]) for pair in pairs.values() if {"sync", "stream"} <= pair.keys()]
    whole.sort(key=lambda pair: max(_started(pair[0]), _started(pair[1])), reverse=True)
    lines = [_pair_line(complete, streamed) for complete, streamed in whole]
    return _frame(lines, ["Started (UTC)", "Model", *_PAIR_NUMBERS, "Backend", "Notes", "Pair"])


def for_display(table: pd.DataFrame) -> pd.DataFrame:
    """The same table as text: rounded by unit, a dash for what is missing."""
    shown = table.astype(object)
    for name in shown.columns:
        decimals = next((count for unit, count in _DECIMALS.items() if str(name).endswith(unit)), None)
        shown[name] = [_shown(value, decimals) for value in shown[name]]
    return shown


def filter_rows(
    rows: Iterable[Row],
    *,
    model_id: str | None = None,
    mode: str | None = None,
    status: str | None = None,
    text: str | None = None,
) -> list[Row]:
    """The rows that fit all that is given; `text` is looked for in model, prompt and answer, in any case."""
    wanted = {"gen_ai.request.model": model_id, "bench.mode": mode, "bench.status": status}
    fits = [row for row in rows if all(not value or row.get(name) == value for name, value in wanted.items())]
    return [row for row in fits if not text or text.casefold() in _searchable(row)]


# --- CSV --------------------------------------------------------------------------------------------------------------


def to_csv(rows: Iterable[Row], columns: Sequence[str] | None = None) -> str:
    """RFC 4180, one line a row under a header of `columns`, by default those that the rows have.

    Texts are quoted, and guarded against being run as formulas by a spreadsheet (OWASP ASVS 5.0, 1.2.10). Numbers stay
    numbers, lists and objects are JSON, missing values are empty.
    """
    lines = list(rows)
    names = list(dict.fromkeys(name for line in lines for name in line) if columns is None else columns)
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([guarded(name) for name in names])
    writer.writerows([_cell(line.get(name)) for name in names] for line in lines)
    return out.getvalue()


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The lines of a table as `to_csv` takes them."""
    values = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in line.items()} for line in values.to_dict("records")]


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


# --- lines ------------------------------------------------------------------------------------------------------------


def _run_line(row: Row) -> dict[str, Any]:
    reported = row.get("gen_ai.usage.output_tokens")
    estimated = row.get("bench.tokens_estimated") if reported is None else None
    notes = [*_notes(row), *(["tokens estimated"] if estimated is not None else [])]
    return {
        "Started (UTC)": _moment(row),
        "Model": row.get("gen_ai.request.model"),
        "Mode": MODE_NAMES.get(row.get("bench.mode", ""), row.get("bench.mode")),
        "Status": row.get("bench.status"),
        **{title: row.get(name) for title, name in _RUN_NUMBERS.items()},
        "Input (tokens)": row.get("gen_ai.usage.input_tokens"),
        "Output (tokens)": estimated if reported is None else reported,
        "Backend": _backend(row),
        "Notes": ", ".join(notes),
        "Run": row.get("bench.run_id"),
    }


def _pair_line(complete: Row, streamed: Row) -> dict[str, Any]:
    notes = [
        f"{title}: {note}"
        for title, row in (("complete", complete), ("stream", streamed))
        for note in (row.get("bench.status"), *_notes(row))
        if note and note != "completed"
    ]
    return {
        "Started (UTC)": _moment(min(complete, streamed, key=_started)),
        "Model": streamed.get("gen_ai.request.model"),
        "Complete total (s)": complete.get("gen_ai.client.operation.duration"),
        "Streamed first text (s)": streamed.get("bench.time_to_first_visible"),
        "Streamed total (s)": streamed.get("gen_ai.client.operation.duration"),
        "First text sooner by (s)": _sooner_s(complete, streamed),
        "Backend": _backend(streamed),
        "Notes": ", ".join(notes),
        "Pair": streamed["bench.pair_id"],
    }


def _sooner_s(complete: Row, streamed: Row) -> float | None:
    if any(row.get("bench.status") != "completed" for row in (complete, streamed)):
        return None
    waited_s, streamed_s = complete.get("bench.time_to_visible"), streamed.get("bench.time_to_visible")
    return None if waited_s is None or streamed_s is None else waited_s - streamed_s


def _notes(row: Row) -> Iterator[str]:
    """What keeps a row out of plain averages."""
    if row.get("bench.phase") == "warmup":
        yield "warm-up"
    for flag in row.get("bench.flags") or ():
        yield flag.replace("_", " ")


def _backend(row: Row) -> str:
    if row.get("bench.simulated"):
        return "Simulated"
    return "AWS" if row.get("bench.backend") == "aws" else "Local"


def _started(row: Row) -> str:
    return row.get("bench.started_at") or ""


def _moment(row: Row) -> str:
    return _started(row)[:19].replace("T", " ")


def _searchable(row: Row) -> str:
    names = ("gen_ai.request.model", "bench.prompt", "bench.response")
    return "\n".join(str(row.get(name) or "") for name in names).casefold()


def _frame(lines: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(lines, columns=columns)
    kinds = dict.fromkeys(columns, "string")
    kinds |= {name: "Int64" for name in columns if name.endswith("(tokens)")}
    kinds |= {name: "Float64" for name in columns if name.endswith(tuple(_DECIMALS))}
    return frame.astype(kinds)


def _shown(value: Any, decimals: int | None) -> str:
    import pandas as pd

    if value is pd.NA or value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    return str(value) if decimals is None else f"{value:,.{decimals}f}"
