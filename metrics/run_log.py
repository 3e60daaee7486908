"""The log of runs: one row for every run, however it ended, in SQLite or any database that SQLAlchemy reaches.

Shared by threads. No connection is held between calls. Where the log lies is the caller's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import TracebackType
from typing import Any, Self, cast

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from metrics.database import Database, RunLogError, translate_errors
from metrics.experiment_log import ExperimentLog, StoredExperiment, Vote
from metrics.migrations import upgrade
from metrics.record import BULKY, COLUMNS, Mode, RunRecord, RunStatus, plain
from metrics.run_table import runs
from metrics.tokens import Script, TextSize

__all__ = ["RunLog", "RunLogError", "StoredExperiment", "Vote"]

UNCLEAN_FLAGS = frozenset({"reasoning", "retried", "no_visible"})
_ALL = tuple(runs.c[attribute] for attribute in COLUMNS)
_LIGHT = tuple(column for column in _ALL if column.name not in BULKY)


class RunLog:
    """An open log. Raises `RunLogError` from the constructor and every method; `close` it at the end.

    `url` is a SQLAlchemy URL. Its tables are made or brought up to date here.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._experiments = ExperimentLog(self._database)
        with translate_errors("opened"):
            upgrade(self._database.engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections."""
        self._database.close()

    def add(self, record: RunRecord) -> bool:
        """Writes one row. False where the run was there already: the first row stands."""
        values = {attribute: plain(getattr(record, attribute)) for attribute in COLUMNS}
        with translate_errors("written"):
            try:
                with self._database.writing() as connection:
                    connection.execute(sa.insert(runs).values(values))
            except IntegrityError:
                with self._database.reading() as connection:
                    if connection.execute(sa.select(runs.c.id).where(runs.c.run_id == values["run_id"])).first():
                        return False
                raise
        return True

    def get(self, run_id: str) -> RunRecord | None:
        """The whole record of one run, chunks included."""
        found = self._records(sa.select(*_ALL).where(runs.c.run_id == run_id))
        return found[0] if found else None

    def recent(
        self,
        limit: int = 100,
        *,
        model_id: str | None = None,
        mode: Mode | None = None,
        status: RunStatus | None = None,
        bulky: bool = False,
    ) -> list[RunRecord]:
        """The newest runs, newest first, that fit all that is given. `bulky`: with chunks and progress trace."""
        query = sa.select(*(_ALL if bulky else _LIGHT)).where(*_conditions(model_id, mode, status))
        return self._records(query.order_by(runs.c.started_at.desc(), runs.c.id.desc()).limit(limit))

    def count(self, *, model_id: str | None = None, mode: Mode | None = None, status: RunStatus | None = None) -> int:
        """How many runs fit."""
        query = sa.select(sa.func.count()).select_from(runs).where(*_conditions(model_id, mode, status))
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one()

    def pairs(self, limit: int = 100) -> list[tuple[RunRecord, RunRecord]]:
        """The newest pairs as (complete, streamed), newest first. A pair with one member is none; of several members
        of one mode the latest counts."""
        newest = (
            sa.select(runs.c.pair_id)
            .where(runs.c.pair_id.is_not(None))
            .group_by(runs.c.pair_id)
            .having(sa.func.count(runs.c.mode.distinct()) == 2)
            .order_by(sa.func.max(runs.c.id).desc())
            .limit(limit)
            .subquery()
        )
        query = sa.select(*_LIGHT).where(runs.c.pair_id.in_(sa.select(newest.c.pair_id))).order_by(runs.c.id)
        members: dict[str | None, dict[Mode, RunRecord]] = {}
        for record in self._records(query):
            modes = members.pop(record.pair_id, {})
            members[record.pair_id] = {**modes, record.mode: record}
        return [(modes["sync"], modes["stream"]) for modes in reversed(members.values())]

    def of_experiment(self, experiment_id: str, *, bulky: bool = False) -> list[RunRecord]:
        """The runs of an experiment, oldest first, warm-up included. `bulky`: with chunks and progress trace."""
        return self._together(runs.c.experiment_id == experiment_id, bulky=bulky)

    def of_comparison(self, comparison_id: str, *, bulky: bool = False) -> list[RunRecord]:
        """The runs of a comparison, oldest first. `bulky`: with chunks and progress trace."""
        return self._together(runs.c.comparison_id == comparison_id, bulky=bulky)

    def finished_lengths(self, limit: int = 1000) -> list[tuple[str, Mode, str | None, int, bool]]:
        """Completed answers, oldest first, as `LengthHistory.add` takes them: model id, mode, system prompt, visible
        characters, whether the token limit ended it."""
        c = runs.c
        query = sa.select(c.request_model, c.mode, c.system_prompt, sa.func.length(c.response), c.flags)
        rows = self._rows(query.where(c.status == "completed").order_by(c.id.desc()).limit(limit))
        return [(model, mode, system, chars, "truncated" in flags) for model, mode, system, chars, flags in rows[::-1]]

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
        query = sa.select(*(_ALL if bulky else _LIGHT)).where(condition)
        return self._records(query.order_by(runs.c.started_at, runs.c.id))

    def _records(self, query: sa.Select[*tuple[Any, ...]]) -> list[RunRecord]:
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def _rows(self, query: sa.Select[*tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        with self._database.reading() as connection:
            return [tuple(row) for row in connection.execute(query)]


def _conditions(model_id: str | None, mode: Mode | None, status: RunStatus | None) -> list[sa.ColumnElement[bool]]:
    wanted = {"request_model": model_id, "mode": mode, "status": status}
    return [runs.c[attribute] == value for attribute, value in wanted.items() if value is not None]


_TUPLES = frozenset(f.name for f in fields(RunRecord) if str(f.type).startswith("tuple"))


def _record(row: Mapping[Any, Any]) -> RunRecord:
    """A record from one row of columns. A column that was not read, or is NULL, has the attribute's default."""
    values = {attribute: row[attribute] for attribute in COLUMNS if row.get(attribute) is not None}
    for attribute in _TUPLES & values.keys():
        values[attribute] = tuple(tuple(item) if isinstance(item, list) else item for item in values[attribute])
    return RunRecord(**values)
