"""Runs that have not ended, as far as they were seen: what is left of them where their process dies.

A run stands here from before its request leaves until its row is written, which happens in one transaction. Whoever
opens the log next finds what a dead process left, and writes those rows in its place.
"""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from metrics.database import Database, translate_errors
from metrics.record import BULKY, COLUMNS, RunRecord, plain
from metrics.run_table import open_runs, runs
from metrics.texts import Texts, reduced

SILENT_AFTER_S = 60.0
"""A process on another machine that has not been heard of for so long is taken for dead."""


_LIFE = uuid.uuid4().hex
"""A process that is started anew may have the number of the one before: in a container it mostly has."""


def this_process() -> str:
    """Machine, process and this life of it: who writes."""
    return f"{platform.node()}/{os.getpid()}/{_LIFE}"


class OpenRuns:
    """Open runs in an open database. Every method raises `RunLogError`."""

    def __init__(self, database: Database, texts: Texts = "full") -> None:
        self._database = database
        self._texts = texts

    def keep(self, records: Iterable[RunRecord], *, writer: str | None = None, now_s: float | None = None) -> None:
        """Writes how far these runs are, as the rows that they would have if nothing more came; without chunk times,
        which are many. All runs of the writer count as seen."""
        writer, now_s = writer or this_process(), datetime.now(UTC).timestamp() if now_s is None else now_s
        kept: list[str] = []
        with translate_errors("written"), self._database.writing() as connection:
            for record in records:
                values = {"writer": writer, "seen_at": now_s, "record": _packed(reduced(record, self._texts))}
                known = sa.update(open_runs).where(open_runs.c.run_id == record.run_id).values(values)
                if not connection.execute(known).rowcount:
                    connection.execute(sa.insert(open_runs).values(run_id=record.run_id, **values))
                kept.append(record.run_id)
            # One that ended while this was on its way has its row by now.
            written = sa.select(runs.c.run_id).where(runs.c.run_id.in_(kept))
            connection.execute(sa.delete(open_runs).where(open_runs.c.run_id.in_(written)))
            connection.execute(sa.update(open_runs).where(open_runs.c.writer == writer).values(seen_at=now_s))

    def left_behind(self, *, now_s: float | None = None) -> list[Mapping[str, Any]]:
        """The records of runs whose process is gone, by attribute, oldest first."""
        with self._database.reading() as connection:
            dead = dead_runs(connection, now_s=now_s)
            query = sa.select(open_runs.c.record).where(open_runs.c.run_id.in_(dead)).order_by(open_runs.c.seen_at)
            return list(connection.execute(query).scalars())

    def forget(self, run_ids: Iterable[str]) -> None:
        """Takes runs off the list whose rows were there already."""
        with translate_errors("written"), self._database.writing() as connection:
            for run_id in run_ids:
                ended(connection, run_id)


def ended(connection: sa.Connection, run_id: str) -> None:
    """Takes a run off the list, in the transaction that writes its row."""
    connection.execute(sa.delete(open_runs).where(open_runs.c.run_id == run_id))


def dead_runs(connection: sa.Connection, *, now_s: float | None = None) -> list[str]:
    """The ids of runs whose process is gone."""
    now_s = datetime.now(UTC).timestamp() if now_s is None else now_s
    found = connection.execute(sa.select(open_runs.c.run_id, open_runs.c.writer, open_runs.c.seen_at)).all()
    return [run_id for run_id, writer, seen_at in found if _is_dead(writer, now_s - seen_at)]


def _packed(record: RunRecord) -> dict[str, Any]:
    return {attribute: plain(getattr(record, attribute)) for attribute, name in COLUMNS.items() if name not in BULKY}


def _is_dead(writer: str, silent_s: float) -> bool:
    machine, process, life = writer.rsplit("/", 2)
    if machine == platform.node() and os.name == "posix":
        if int(process) == os.getpid():
            return life != _LIFE
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # there is one, of somebody else
            return False
        return False  # however silent: it may be suspended, or wait for a log that is locked
    return silent_s > SILENT_AFTER_S
