"""What is asked of the log for a table: which runs, in which order, which page. Queries only; `run_log.py` runs them.

Filtering, sorting and paging happen in the database, over the whole log, and read only the columns that a table shows.
On SQLite these stand together in one index, so that the answers beside them are never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from metrics.record import Mode, RunStatus, clean_text
from metrics.run_search import has_words
from metrics.run_table import LIGHT, runs

Row = Mapping[str, Any]
Answerer = Literal["aws", "local", "simulated"]
Columns = sa.FromClause
Expression = sa.ColumnElement[Any]

NEWEST_FIRST = "bench.started_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs: those that fit all that is given. `text` is what was typed into a search box; see `run_search`."""

    model_id: str | None = None
    mode: Mode | None = None
    status: RunStatus | None = None
    backend: Answerer | None = None
    flag: str | None = None
    conversation_id: str | None = None
    experiment_id: str | None = None
    pair_id: str | None = None
    run_id: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """By which figure: a column's name, or for pairs a key of `PAIR_SORTS`. Rows without it come last in either
    direction, and among equals the newest first."""

    by: str = NEWEST_FIRST
    descending: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of the runs that fit, in order, with the columns of a table; and how many fit in all."""

    rows: list[Row]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPage:
    """The same for pairs: (complete, streamed)."""

    pairs: list[tuple[Row, Row]]
    total: int


# --- runs -------------------------------------------------------------------------------------------------------------


def conditions(wanted: RunFilter, dialect: str) -> list[sa.ColumnElement[bool]]:
    """What a run must be."""
    c = runs.c
    equal = {
        c.request_model: wanted.model_id,
        c.mode: wanted.mode,
        c.status: wanted.status,
        c.conversation_id: wanted.conversation_id,
        c.experiment_id: wanted.experiment_id,
        c.pair_id: wanted.pair_id,
        c.run_id: wanted.run_id,
    }
    found = [column == clean_text(value) for column, value in equal.items() if value]
    if wanted.backend == "simulated":
        found.append(c.simulated)
    elif wanted.backend:
        found += [c.backend == wanted.backend, sa.not_(c.simulated)]
    if wanted.flag:
        found.append(sa.cast(c.flags, sa.Text).contains(f'"{clean_text(wanted.flag)}"', autoescape=True))
    if wanted.text and wanted.text.strip():
        found.append(has_words(c.id, wanted.text, dialect))
    return found


def count_runs(wanted: RunFilter, dialect: str) -> sa.Select[int]:
    """How many fit."""
    return sa.select(sa.func.count()).select_from(runs).where(*conditions(wanted, dialect))


def page_of_runs(wanted: RunFilter, order: Order, dialect: str, limit: int, offset: int) -> sa.Select[*tuple[Any, ...]]:
    """The columns of a table, under their public names."""
    query = sa.select(*_light(runs)).where(*conditions(wanted, dialect))
    return query.order_by(*run_order(order, dialect)).limit(limit).offset(offset)


def run_order(order: Order, dialect: str) -> list[Expression]:
    """What runs are sorted by. Raises `KeyError` for a column that no table shows."""
    c = runs.c
    by = {c[attribute].name: c[attribute] for attribute in LIGHT} | {
        "gen_ai.usage.output_tokens": sa.func.coalesce(c.output_tokens, c.tokens_estimated)
    }
    return _ordered(by[order.by], order.descending, dialect, runs)


# --- pairs ------------------------------------------------------------------------------------------------------------


def _tokens(c: Any) -> Expression:
    return sa.func.coalesce(c.output_tokens, c.tokens_estimated)


def _earlier(one: Expression, other: Expression) -> Expression:
    return sa.case((one < other, one), else_=other)


def _sooner(complete: Any, streamed: Any) -> Expression:
    both = sa.and_(complete.status == "completed", streamed.status == "completed")
    return sa.case((both, complete.time_to_visible_s - streamed.time_to_visible_s))


PAIR_SORTS: Mapping[str, Callable[[Any, Any], Expression]] = {
    NEWEST_FIRST: lambda complete, streamed: _earlier(complete.started_at, streamed.started_at),
    "gen_ai.request.model": lambda _, streamed: streamed.request_model,
    "complete total": lambda complete, _: complete.duration_s,
    "streamed first text": lambda _, streamed: streamed.time_to_first_visible_s,
    "streamed total": lambda _, streamed: streamed.duration_s,
    "sooner": _sooner,
    "complete tokens": lambda complete, _: _tokens(complete),
    "streamed tokens": lambda _, streamed: _tokens(streamed),
}
"""What pairs can be sorted by, from the columns of the complete and of the streamed run."""


def _members(wanted: RunFilter, dialect: str) -> sa.Subquery:
    """Complete and streamed run of each pair that has both among what fits; of several of one mode the latest."""
    latest = {mode: sa.func.max(sa.case((runs.c.mode == mode, runs.c.id))) for mode in ("sync", "stream")}
    return (
        sa.select(latest["sync"].label("complete"), latest["stream"].label("streamed"))
        .where(runs.c.pair_id.is_not(None), *conditions(wanted, dialect))
        .group_by(runs.c.pair_id)
        .having(sa.func.count(runs.c.mode.distinct()) == 2)
        .subquery()
    )


def count_pairs(wanted: RunFilter, dialect: str) -> sa.Select[int]:
    """How many pairs have both members among what fits."""
    return sa.select(sa.func.count()).select_from(_members(wanted, dialect))


def page_of_pairs(
    wanted: RunFilter, order: Order, dialect: str, limit: int | None, offset: int
) -> sa.Select[*tuple[Any, ...]]:
    """The columns of the complete run, then those of the streamed one. Raises `KeyError` for an unknown order."""
    pair = _members(wanted, dialect)
    complete, streamed = runs.alias("complete_run"), runs.alias("streamed_run")
    query = (
        sa.select(*_light(complete), *(column.label(f"streamed {column.name}") for column in _light(streamed)))
        .join_from(pair, complete, complete.c.id == pair.c.complete)
        .join(streamed, streamed.c.id == pair.c.streamed)
    )
    by = PAIR_SORTS[order.by](complete.c, streamed.c)
    return query.order_by(*_ordered(by, order.descending, dialect, streamed)).limit(limit).offset(offset)


# --- both -------------------------------------------------------------------------------------------------------------


def _light(table: Columns) -> list[sa.ColumnElement[Any]]:
    return [table.c[attribute] for attribute in LIGHT]


def _ordered(by: Expression, descending: bool, dialect: str, table: Columns) -> list[Expression]:
    c = table.c
    newest: list[Expression] = [c.started_at.desc(), c.id.desc()]
    if by is c.started_at:  # as it stands in the index: stamps are of one width, and digits sort alike in any language
        return newest if descending else [c.started_at, c.id]
    if dialect == "postgresql" and isinstance(by.type, sa.Text):
        by = sa.collate(by, "C")  # by code points, as SQLite does, whatever the database's language
    return [by.desc().nulls_last() if descending else by.asc().nulls_last(), *newest]
