"""Rows of the run log as tables for people. Rows are those of `RunRecord.to_row` or of a page of the log: column name
-> value. Which rows, and in which order, the log has decided.

pandas is imported inside the functions: it takes half a second.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]

MISSING = "–"
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
RUN_SORTS: Mapping[str, str] = {
    "Started (UTC)": "bench.started_at",
    "Model": "gen_ai.request.model",
    "Mode": "bench.mode",
    "Status": "bench.status",
    **_RUN_NUMBERS,
    "Input (tokens)": "gen_ai.usage.input_tokens",
    "Output (tokens)": "gen_ai.usage.output_tokens",
}
"""Title of a column -> what the log sorts runs by."""
PAIR_SORTS: Mapping[str, str] = {
    "Started (UTC)": "bench.started_at",
    "Model": "gen_ai.request.model",
    "Complete total (s)": "complete total",
    "Streamed first text (s)": "streamed first text",
    "Streamed total (s)": "streamed total",
    "First text sooner by (s)": "sooner",
    "Complete (tokens)": "complete tokens",
    "Streamed (tokens)": "streamed tokens",
}
"""Title of a column -> what the log sorts pairs by."""
_RUN_COLUMNS = tuple(RUN_SORTS)
_PAIR_COLUMNS = tuple(PAIR_SORTS)
_DECIMALS = {"(s)": 3, "(tokens/s)": 1, "(USD)": 6, "(tokens)": 0}


# --- tables for people ------------------------------------------------------------------------------------------------


def runs_table(rows: Iterable[Row]) -> pd.DataFrame:
    """One line a run, in the order given. Units stand in the headers, missing numbers stay missing."""
    return _frame([_run_line(row) for row in rows], [*_RUN_COLUMNS, "Backend", "Notes", "Run"])


def pairs_table(pairs: Iterable[tuple[Row, Row]]) -> pd.DataFrame:
    """One line for each pair of a complete and a streamed run, in the order given.

    The difference is missing where a member did not complete, or showed no text.
    """
    return _frame([_pair_line(*pair) for pair in pairs], [*_PAIR_COLUMNS, "Backend", "Notes", "Pair"])


def for_display(table: pd.DataFrame) -> pd.DataFrame:
    """The same table as text: rounded by unit, a dash for what is missing."""
    shown = table.astype(object)
    for name in shown.columns:
        decimals = next((count for unit, count in _DECIMALS.items() if str(name).endswith(unit)), None)
        shown[name] = [_shown(value, decimals) for value in shown[name]]
    return shown


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The lines of a table as rows, for a file."""
    values = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in line.items()} for line in values.to_dict("records")]


# --- lines ------------------------------------------------------------------------------------------------------------


def _run_line(row: Row) -> dict[str, Any]:
    tokens, is_estimate = _tokens(row)
    notes = [*_notes(row), *(["tokens estimated"] if is_estimate else [])]
    return {
        "Started (UTC)": _moment(row),
        "Model": row.get("gen_ai.request.model"),
        "Mode": MODE_NAMES.get(row.get("bench.mode", ""), row.get("bench.mode")),
        "Status": row.get("bench.status"),
        **{title: row.get(name) for title, name in _RUN_NUMBERS.items()},
        "Input (tokens)": row.get("gen_ai.usage.input_tokens"),
        "Output (tokens)": tokens,
        "Backend": _backend(row),
        "Notes": ", ".join(notes),
        "Run": row.get("bench.run_id"),
    }


def _pair_line(complete: Row, streamed: Row) -> dict[str, Any]:
    notes = [
        f"{title}: {note}"
        for title, row in (("complete", complete), ("stream", streamed))
        for note in (row.get("bench.status"), *_notes(row), "tokens estimated" if _tokens(row)[1] else None)
        if note and note != "completed"
    ]
    return {
        "Started (UTC)": _moment(min(complete, streamed, key=_started)),
        "Model": streamed.get("gen_ai.request.model"),
        "Complete total (s)": complete.get("gen_ai.client.operation.duration"),
        "Streamed first text (s)": streamed.get("bench.time_to_first_visible"),
        "Streamed total (s)": streamed.get("gen_ai.client.operation.duration"),
        "First text sooner by (s)": _sooner_s(complete, streamed),
        "Complete (tokens)": _tokens(complete)[0],
        "Streamed (tokens)": _tokens(streamed)[0],
        "Backend": _backend(streamed),
        "Notes": ", ".join(notes),
        "Pair": streamed["bench.pair_id"],
    }


def _tokens(row: Row) -> tuple[int | None, bool]:
    """Output tokens as reported, else as estimated, and whether it is an estimate."""
    reported, estimated = row.get("gen_ai.usage.output_tokens"), row.get("bench.tokens_estimated")
    return (estimated, estimated is not None) if reported is None else (reported, False)


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


def _frame(lines: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(lines, columns=columns)
    kinds = dict.fromkeys(columns, "string")
    kinds |= {name: "Float64" for name in columns if name.endswith(tuple(_DECIMALS))}
    kinds |= {name: "Int64" for name in columns if name.endswith("(tokens)")}
    return frame.astype(kinds)


def _shown(value: Any, decimals: int | None) -> str:
    import pandas as pd

    if value is pd.NA or value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    return str(value) if decimals is None else f"{value:,.{decimals}f}"
