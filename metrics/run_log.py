"""The log of runs: one row for every run, however it ended, in SQLite or PostgreSQL.

Shared by threads. No connection is held between calls. Where the log lies is the caller's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from types import TracebackType
from typing import Any, Self, cast

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from metrics.database import Database, RunLogError, translate_errors
from metrics.deletion import Deleted, Deletion
from metrics.experiment_log import ExperimentLog, StoredExperiment, Vote
from metrics.migrations import is_made, upgrade
from metrics.open_runs import OpenRuns, ended
from metrics.record import BULKY, COLUMNS, Mode, RunRecord, RunStatus, clean_text, plain, timestamp
from metrics.run_query import (
    Order,
    Page,
    PairPage,
    Row,
    RunFilter,
    conditions,
    count_pairs,
    count_runs,
    page_of_pairs,
    page_of_runs,
    run_order,
)
from metrics.run_search import index_run
from metrics.run_table import LIGHT, runs
from metrics.texts import REDUCED, Texts, reduced
from metrics.tokens import Script, TextSize

__all__ = ["Order", "RunFilter", "RunLog", "RunLogError", "StoredExperiment", "Vote"]

UNCLEAN_FLAGS = frozenset({"reasoning", "retried", "no_visible"})
_ALL = tuple(runs.c[attribute] for attribute in COLUMNS)
_WITHOUT_BULK = tuple(column for column in _ALL if column.name not in BULKY)
_TEXTS = frozenset({"prompt", "system_prompt", "conversation", "response", "reasoning"})
_WITHOUT_TEXTS = tuple(column for column in _WITHOUT_BULK if column.key not in _TEXTS)
_NAMES_WITHOUT_BULK = tuple(column.name for column in _WITHOUT_BULK)
_NAMES_LIGHT = tuple(runs.c[attribute].name for attribute in LIGHT)


class RunLog:
    """An open log. Raises `RunLogError` from the constructor and every method; `close` it at the end.

    `url` is a SQLAlchemy URL of one of these. Its tables are made or brought up to date here. `texts`: what is kept of
    what people and models wrote, from now on. `is_new`: there was no log there before.
    """

    def __init__(self, url: str, *, texts: Texts = "full") -> None:
        self._database = Database(url)
        self._dialect = self._database.engine.dialect.name
        self._texts = texts
        self._experiments = ExperimentLog(self._database, texts)
        self._open_runs = OpenRuns(self._database, texts)
        self._deletion = Deletion(self._database)
        try:
            with translate_errors("opened"):
                self.is_new = not is_made(self._database.engine)
                upgrade(self._database.engine)
        except RunLogError:
            self._database.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    @property
    def where(self) -> str:
        """The file of the log, or its address without password and options, where one may be, too; empty in memory."""
        url = self._database.engine.url
        if self._dialect == "sqlite":
            return "" if url.database in (None, "", ":memory:") else str(url.database)
        return url.set(query={}).render_as_string(hide_password=True)

    def close(self) -> None:
        """Closes all connections."""
        self._database.close()

    def add(self, record: RunRecord) -> bool:
        """Writes one row. False where the run was there already: the first row stands."""
        record = reduced(record, self._texts)
        values = {attribute: plain(getattr(record, attribute)) for attribute in COLUMNS}
        with translate_errors("written"):
            try:
                with self._database.writing() as connection:
                    added = connection.execute(sa.insert(runs).values(values).returning(runs.c.id)).scalar_one()
                    index_run(connection, added, values)
                    ended(connection, values["run_id"])
            except IntegrityError:
                with self._database.reading() as connection:
                    if connection.execute(sa.select(runs.c.id).where(runs.c.run_id == values["run_id"])).first():
                        return False
                raise
        return True

    def keep_open(self, records: Iterable[RunRecord]) -> None:
        """Writes how far these runs are, as the rows that they would have if this process died now."""
        self._open_runs.keep(records)

    def recover(self) -> int:
        """Writes the rows of runs whose process died before it could; how many there were."""
        left = self._open_runs.left_behind()
        for values in left:
            self.add(_record(values))
        self._open_runs.forget(values["run_id"] for values in left)
        return len(left)

    def get(self, run_id: str) -> RunRecord | None:
        """The whole record of one run, chunks included."""
        found = self._records(sa.select(*_ALL).where(runs.c.run_id == clean_text(run_id)))
        return found[0] if found else None

    def recent(
        self,
        limit: int = 100,
        *,
        model_id: str | None = None,
        mode: Mode | None = None,
        status: RunStatus | None = None,
        conversation_id: str | None = None,
        bulky: bool = False,
    ) -> list[RunRecord]:
        """The newest runs, newest first, that fit all that is given. `bulky`: with chunks and progress trace."""
        wanted = RunFilter(model_id=model_id, mode=mode, status=status, conversation_id=conversation_id)
        newest = run_order(Order(), self._dialect)
        # The rows are found in an index alone; only those that were asked for are read.
        found = sa.select(runs.c.id).where(*conditions(wanted, self._dialect)).order_by(*newest).limit(limit).subquery()
        query = sa.select(*(_ALL if bulky else _WITHOUT_BULK)).where(runs.c.id.in_(sa.select(found.c.id)))
        return self._records(query.order_by(*newest))

    def count(self, *, model_id: str | None = None, mode: Mode | None = None, status: RunStatus | None = None) -> int:
        """How many runs fit."""
        wanted = RunFilter(model_id=model_id, mode=mode, status=status)
        return int(self._rows(count_runs(wanted, self._dialect))[0][0])

    def page(self, wanted: RunFilter, order: Order, *, limit: int = 100, offset: int = 0) -> Page:
        """Some of the runs that fit, with the columns of a table alone. Raises `KeyError` for an unknown order."""
        rows = self._rows(page_of_runs(wanted, order, self._dialect, limit, offset))
        [(total,)] = self._rows(count_runs(wanted, self._dialect))
        return Page(rows=[dict(zip(_NAMES_LIGHT, row, strict=True)) for row in rows], total=total)

    def pair_page(self, wanted: RunFilter, order: Order, *, limit: int | None = 100, offset: int = 0) -> PairPage:
        """The same for pairs of which both members fit; without a limit all that follow."""
        rows = self._rows(page_of_pairs(wanted, order, self._dialect, limit, offset))
        [(total,)] = self._rows(count_pairs(wanted, self._dialect))
        names, half = _NAMES_LIGHT, len(_NAMES_LIGHT)
        pairs = [tuple(dict(zip(names, side, strict=True)) for side in (row[:half], row[half:])) for row in rows]
        return PairPage(pairs=cast(list[tuple[Row, Row]], pairs), total=total)

    def rows(self, wanted: RunFilter, order: Order, *, batch: int = 500) -> Iterator[Row]:
        """Every run that fits, in order, as `RunRecord.to_row` gives it without bulky columns. The order is that of
        the moment in which it begins; no connection is held between two batches."""
        query = sa.select(runs.c.id).where(*conditions(wanted, self._dialect))
        ids = [row_id for (row_id,) in self._rows(query.order_by(*run_order(order, self._dialect)))]
        for start in range(0, len(ids), batch):
            some = ids[start : start + batch]
            read = self._rows(sa.select(runs.c.id, *_WITHOUT_BULK).where(runs.c.id.in_(some)))
            by_id = {row_id: dict(zip(_NAMES_WITHOUT_BULK, values, strict=True)) for row_id, *values in read}
            yield from (by_id[row_id] for row_id in some if row_id in by_id)

    def models(self) -> list[str]:
        """Every model that was asked, by name."""
        return sorted(model for (model,) in self._rows(sa.select(runs.c.request_model).distinct()))

    def of_experiment(self, experiment_id: str, *, bulky: bool = False) -> list[RunRecord]:
        """The runs of an experiment, oldest first, warm-up included. `bulky`: with chunks and progress trace."""
        return self._together(runs.c.experiment_id == clean_text(experiment_id), bulky=bulky)

    def of_comparison(self, comparison_id: str, *, bulky: bool = False) -> list[RunRecord]:
        """The runs of a comparison, oldest first. `bulky`: with chunks and progress trace."""
        return self._together(runs.c.comparison_id == clean_text(comparison_id), bulky=bulky)

    def of_comparisons(self, comparison_ids: Iterable[str]) -> dict[str, list[RunRecord]]:
        """The runs of several comparisons by its id, oldest first, in one question. Those that have none are left out;
        texts, chunks and traces are not read."""
        wanted = {clean_text(comparison_id) for comparison_id in comparison_ids}
        query = sa.select(*_WITHOUT_TEXTS).where(runs.c.comparison_id.in_(wanted))
        found: dict[str, list[RunRecord]] = {}
        for record in self._records(query.order_by(runs.c.started_at, runs.c.id)):
            found.setdefault(record.comparison_id or "", []).append(record)
        return found

    def finished_lengths(self, limit: int = 1000) -> list[tuple[str, Mode, str | None, int, bool]]:
        """Completed answers, oldest first, as `LengthHistory.add` takes them: model id, mode, system prompt, visible
        characters, whether the token limit ended it. A text that was not kept has no length."""
        c = runs.c
        query = sa.select(c.request_model, c.mode, c.system_prompt, sa.func.length(c.response), c.flags)
        rows = self._rows(query.where(c.status == "completed").order_by(c.id.desc()).limit(limit))
        return [
            (model, mode, system, chars, "truncated" in flags)
            for model, mode, system, chars, flags in rows[::-1]
            if REDUCED.isdisjoint(flags)
        ]

    def longest_silences(self, limit: int = 1000) -> list[tuple[str, float]]:
        """Completed streams, oldest first, as `StallHistory.add` takes them: model id, longest gap in seconds."""
        c = runs.c
        query = sa.select(c.request_model, c.inter_chunk_max_s).where(
            c.status == "completed", c.inter_chunk_max_s.is_not(None), c.resends == 0
        )
        return [(model, longest_s) for model, longest_s in self._rows(query.order_by(c.id.desc()).limit(limit))[::-1]]

    def token_counts(self, limit: int = 1000) -> list[tuple[str, TextSize, int]]:
        """Clean runs with reported usage, oldest first, as `TokenEstimator.restore` takes them."""
        c = runs.c
        query = sa.select(c.request_model, c.text_units, c.text_script, c.output_tokens, c.flags).where(
            c.status == "completed",
            c.tokens_source == "usage",
            c.text_units.is_not(None),
            c.output_tokens.is_not(None),
        )
        rows = self._rows(query.order_by(c.id.desc()).limit(limit))
        return [
            (model, TextSize(units, cast(Script, script or "latin")), tokens)
            for model, units, script, tokens, flags in rows[::-1]
            if UNCLEAN_FLAGS.isdisjoint(flags)
        ]

    # --- deleting ---

    def delete(self, run_ids: Iterable[str]) -> Deleted:
        """Deletes these runs and their texts, at once or not at all. What has no runs left goes with them."""
        return self._deletion.runs(run_ids)

    def delete_all(self) -> Deleted:
        """Deletes all runs, experiments and votes, at once or not at all. Runs that have not ended will be rows."""
        return self._deletion.all()

    def delete_older(self, than: datetime) -> Deleted:
        """Deletes runs that began before this moment, which knows its zone, some at a time."""
        return self._deletion.older(timestamp(than))

    def clear_traces(self) -> str:
        """Tries once more to remove what deleted rows left in the file; why it could not, if so."""
        return self._deletion.clear()

    # --- experiments and votes ---

    def save_experiment(self, experiment: StoredExperiment) -> None:
        """Writes an experiment, or writes it anew."""
        self._experiments.save(experiment)

    def experiment(self, experiment_id: str) -> StoredExperiment | None:
        """The experiment of this id."""
        return self._experiments.find(experiment_id)

    def experiments(self, limit: int = 50) -> list[StoredExperiment]:
        """The newest experiments, newest first."""
        return self._experiments.newest(limit)

    def pin(self, experiment_id: str, *, pinned: bool = True) -> bool:
        """Marks an experiment to be kept in view. False where there is none of this id."""
        return self._experiments.pin(experiment_id, pinned=pinned)

    def add_vote(self, vote: Vote) -> bool:
        """Writes a vote. False where the comparison has one: the first stands."""
        return self._experiments.add_vote(vote)

    def votes(self) -> list[Vote]:
        """All votes, oldest first."""
        return self._experiments.votes()

    # --- reading ---

    def _together(self, condition: sa.ColumnElement[bool], *, bulky: bool) -> list[RunRecord]:
        query = sa.select(*(_ALL if bulky else _WITHOUT_BULK)).where(condition)
        return self._records(query.order_by(runs.c.started_at, runs.c.id))

    def _records(self, query: sa.Select[*tuple[Any, ...]]) -> list[RunRecord]:
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def _rows(self, query: sa.Select[*tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        with self._database.reading() as connection:
            return [tuple(row) for row in connection.execute(query)]


_TUPLES = frozenset(f.name for f in fields(RunRecord) if str(f.type).startswith("tuple"))


def _record(row: Mapping[Any, Any]) -> RunRecord:
    """A record from one row of columns. A column that was not read, or is NULL, has the attribute's default."""
    values = {attribute: row[attribute] for attribute in COLUMNS if row.get(attribute) is not None}
    for attribute in _TUPLES & values.keys():
        values[attribute] = tuple(tuple(item) if isinstance(item, list) else item for item in values[attribute])
    return RunRecord(**values)
