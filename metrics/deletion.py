"""Deleting from the log so that the texts are gone: rows, their words, what was left beside them, and the traces in the
database.

SQLite overwrites what it deletes (`PRAGMA secure_delete`), but keeps earlier copies in its write-ahead log until that
is emptied, and its index of words marks a word as deleted without removing it (sqlite.org, pragma.html and fts5.html,
read 2026-11). FTS5's own setting `secure-delete` came with SQLite 3.42; merging the index into one piece (`optimize`)
drops what is marked in all versions, so that this is done here: once for many rows, as it takes most of a second in a
long log (deleting 5,000 of 50,000 rows took 3 s, and 18 s with a merge after every 200; measured 2026-11). The file
says that it is still to be done, so that a program that ends before it leaves it to the next one. What was written by a
version that did not overwrite goes with `VACUUM`, which writes the file anew.

PostgreSQL's `VACUUM` frees the room of deleted rows; its own write-ahead log and backups are its keeper's business.

Runs that have not ended are left alone: they will have their rows. `RunLog` is the way in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from metrics.database import BUSY_TIMEOUT_MS, Database, RunLogError, translate_errors
from metrics.open_runs import dead_runs
from metrics.record import clean_text
from metrics.run_search import forget_all, forget_run, merge, merge_is_due, merge_later
from metrics.run_table import experiments, open_runs, runs, votes
from metrics.told import forget_told

BATCH = 200
"""Rows in one transaction: those who write meanwhile wait for some 0.3 s, and for 0.9 s where turns are cut out of long
conversations (measured 2026-11, 50,000 rows, 2 cores)."""
WORTH_A_VACUUM = 0.1
"""Share of the file that is free. Writing it anew takes seconds in a long log and holds all writers up; little room is
left for new rows."""
STILL_READ = "Another program is reading the log. What was deleted leaves the file when that program has ended."
TABLES = "runs, run_search, experiments, votes, open_runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """`runs` rows are gone for everybody who reads. `left` says why their texts may still be found in unused parts of
    the file; empty where they are not."""

    runs: int
    left: str = ""


class Deletion:
    """Deletes from an open database. Every method raises `RunLogError`; then nothing, or of many rows only the oldest
    ones, was deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sqlite = database.engine.dialect.name == "sqlite"

    def runs(self, run_ids: Iterable[str]) -> Deleted:
        """Deletes these runs, at once or not at all."""
        wanted = [clean_text(run_id) for run_id in run_ids]
        count = self._delete(sa.select(runs.c.id).where(runs.c.run_id.in_(wanted)))
        return Deleted(runs=count, left=self._cleared(anew=False) if count else "")

    def older(self, than: str, *, batch: int = BATCH) -> Deleted:
        """Deletes runs that began before this moment, written as `record.timestamp` does, and experiments and votes
        that have no runs left. Oldest first, some at a time."""
        some = sa.select(runs.c.id).where(runs.c.started_at < than).order_by(runs.c.started_at).limit(batch)
        count = 0
        while deleted := self._delete(some, staying=runs.c.started_at >= than, merged=False):
            count += deleted
        more = self._forget_what_is_left_of(experiments.c.started_at < than, votes.c.voted_at < than)
        return Deleted(runs=count, left=self._cleared(anew=self._much_is_free()) if count or more else "")

    def all(self) -> Deleted:
        """Deletes every run, experiment and vote, at once or not at all."""
        with translate_errors("emptied"), self._database.writing() as connection:
            dead = dead_runs(connection)
            connection.execute(sa.delete(open_runs).where(open_runs.c.run_id.in_(dead)))
            count = connection.execute(sa.delete(runs)).rowcount
            for table in (experiments, votes):
                connection.execute(sa.delete(table))
            forget_all(connection)
        return Deleted(runs=count, left=self._cleared(anew=True))

    def clear(self) -> str:
        """Removes what deleted rows left in the index of words and in the file; why it could not, if so."""
        try:
            with translate_errors("tidied up"), self._database.writing() as connection:
                merge(connection)
        except RunLogError as error:
            return str(error)
        return self._cleared(anew=True)

    # --- rows ---

    def _delete(
        self, ids: sa.Select[Any], *, staying: sa.ColumnElement[bool] | None = None, merged: bool = True
    ) -> int:
        c = runs.c
        read = sa.select(*(c[name] for name in _READ)).where(c.id.in_(ids))
        with translate_errors("changed"), self._database.writing() as connection:
            found = [dict(zip(_READ, row, strict=True)) for row in connection.execute(read)]
            for row in found:
                forget_run(connection, row["id"], row)
            count = connection.execute(sa.delete(runs).where(c.id.in_([row["id"] for row in found]))).rowcount
            connection.execute(sa.delete(open_runs).where(open_runs.c.run_id.in_([row["run_id"] for row in found])))
            _forget_orphans(connection, found)
            forget_told(connection, found, sa.true() if staying is None else staying)
            if found:
                (merge if merged else merge_later)(connection)
        return count

    def _forget_what_is_left_of(self, *conditions: sa.ColumnElement[bool]) -> bool:
        """Rows beside the runs, and words in the index: also those of a pass before this one that came to no end.
        Whether there were any."""
        with translate_errors("changed"), self._database.writing() as connection:
            count = sum(
                connection.execute(sa.delete(table).where(condition, ~_has_runs(table))).rowcount
                for table, condition in zip((experiments, votes), conditions, strict=True)
            )
            if due := merge_is_due(connection):
                merge(connection)
        return due or count > 0

    # --- traces ---

    def _cleared(self, *, anew: bool) -> str:
        if not self._sqlite:
            return self._tried(_vacuum_server, anew)
        left = self._tried(_write_anew) if anew else ""
        return self._tried(_empty_wal) or left

    def _tried(self, clear: Callable[..., str], *how: bool) -> str:
        try:
            with self._database.maintaining() as connection:
                return clear(connection, *how)
        except RunLogError as error:
            return str(error)

    def _much_is_free(self) -> bool:
        if not self._sqlite:
            return False
        with self._database.reading() as connection:
            free, pages = (connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in _SIZES)
        return bool(free > pages * WORTH_A_VACUUM)


_READ = ("id", "run_id", "request_model", "prompt", "response", "conversation_id", "experiment_id", "comparison_id")
_SIZES = ("freelist_count", "page_count")


def _write_anew(connection: sa.Connection) -> str:
    connection.exec_driver_sql("VACUUM")
    return ""


def _empty_wal(connection: sa.Connection) -> str:
    busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    return STILL_READ if busy else ""


def _vacuum_server(connection: sa.Connection, anew: bool) -> str:
    connection.exec_driver_sql(f"SET lock_timeout = {BUSY_TIMEOUT_MS}")
    try:
        connection.exec_driver_sql(f"VACUUM {'(FULL) ' if anew else ''}{TABLES}")
    finally:
        connection.exec_driver_sql("RESET lock_timeout")
    return ""


def _forget_orphans(connection: sa.Connection, deleted: Sequence[Mapping[str, Any]]) -> None:
    """Experiments and votes that had runs, and have none left."""
    for table, name in ((experiments, "experiment_id"), (votes, "comparison_id")):
        ids = {row[name] for row in deleted if row[name]}
        if ids:
            connection.execute(sa.delete(table).where(_id_of(table).in_(ids), ~_has_runs(table)))


def _has_runs(table: sa.Table) -> sa.ColumnElement[bool]:
    belongs = runs.c.experiment_id if table is experiments else runs.c.comparison_id
    return sa.exists().where(belongs == _id_of(table))


def _id_of(table: sa.Table) -> sa.Column[Any]:
    return table.c.id if table is experiments else table.c.comparison_id
