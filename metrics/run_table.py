"""The run log's one table, as SQLAlchemy sees it, and the engine that reaches it. What is in it: `record.py`."""

from __future__ import annotations

import json
import os
import sqlite3
import time
import types
import typing
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError, StatementError

from metrics.record import RunRecord

BUSY_TIMEOUT_MS = 5000


class RunLogError(RuntimeError):
    """The run log could not be opened, read or written. The message is a sentence for the person."""


class PackedJson(sa.types.TypeDecorator[Any]):
    """Any JSON value, compressed. Integers come back exactly."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> bytes | None:
        """The value's bytes; `None` stays NULL."""
        return None if value is None else zlib.compress(json.dumps(value, separators=(",", ":")).encode())

    def process_result_value(self, value: bytes | None, dialect: sa.Dialect) -> Any:
        """The value of those bytes."""
        return None if value is None else json.loads(zlib.decompress(value))


def _sql_type(annotation: Any, *, bulky: bool) -> sa.types.TypeEngine[Any]:
    if bulky:
        return PackedJson()
    if types.NoneType in typing.get_args(annotation):
        annotation = next(kind for kind in typing.get_args(annotation) if kind is not types.NoneType)
    if typing.get_origin(annotation) is typing.Literal:
        return sa.Text()
    simple: dict[Any, sa.types.TypeEngine[Any]] = {
        str: sa.Text(),
        bool: sa.Boolean(),
        int: sa.BigInteger(),
        float: sa.Double(),
    }
    return simple.get(annotation, sa.JSON(none_as_null=True))


def _columns() -> Iterator[sa.Column[Any]]:
    """One column per attribute of the record; code speaks of it by the attribute's name."""
    hints = typing.get_type_hints(RunRecord)
    for f in fields(RunRecord):
        sql_type = _sql_type(hints[f.name], bulky=f.metadata["bulky"])
        optional = types.NoneType in typing.get_args(hints[f.name])
        yield sa.Column(f.metadata["column"], sql_type, key=f.name, nullable=optional)


metadata = sa.MetaData()
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    *_columns(),
)
sa.Index("ix_runs_run_id", runs.c.run_id, unique=True)
sa.Index("ix_runs_started_at", runs.c.started_at)
sa.Index("ix_runs_model", runs.c.request_model)
sa.Index("ix_runs_status", runs.c.status)
sa.Index("ix_runs_pair_id", runs.c.pair_id)


def open_engine(url: str) -> sa.Engine:
    """An engine for `url`. A SQLite file is made first, readable by its owner alone. Errors and logs of the engine do
    not show parameters, because these hold people's prompts.

    Raises `RunLogError` where the URL is none, its driver is missing, or the file cannot be made.
    """
    try:
        parsed = sa.make_url(url)
        is_sqlite = parsed.get_backend_name() == "sqlite"
        in_memory = is_sqlite and parsed.database in (None, "", ":memory:")
        if in_memory:
            threads = {"check_same_thread": False}
            engine = sa.create_engine(parsed, hide_parameters=True, poolclass=sa.StaticPool, connect_args=threads)
        else:
            engine = sa.create_engine(parsed, hide_parameters=True)
    except (ArgumentError, ImportError) as exc:
        raise RunLogError(f"The run log's address cannot be used: {exc}") from exc
    if is_sqlite:
        if not in_memory:
            _make_private_file(Path(str(parsed.database)))
        _tune_sqlite(engine)
    return engine


@contextmanager
def translate_errors(doing: str) -> Iterator[None]:
    """Turns SQLAlchemy's errors into `RunLogError`, without the statement."""
    try:
        yield
    except StatementError as exc:
        raise RunLogError(f"The run log could not be {doing}: {exc.orig}") from exc
    except (SQLAlchemyError, OverflowError) as exc:  # the second: SQLite's driver, on integers beyond 64 bits
        raise RunLogError(f"The run log could not be {doing}: {exc}") from exc


def _make_private_file(path: Path) -> None:
    """SQLite itself would make the file readable by everybody; its -wal and -shm files follow the file's mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as exc:
        raise RunLogError(f"The run log could not be opened: {exc.strerror}: {path}") from exc


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Two processes that switch a new file at once lock each other out, and SQLite does not apply its timeout there."""
    for wait_s in (*[0.02] * (BUSY_TIMEOUT_MS // 20), None):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as exc:
            if wait_s is None or exc.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(wait_s)
        else:
            return


def _tune_sqlite(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # `on_begin` begins transactions, the driver does not
        try:
            connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            _switch_to_wal(connection)
            connection.execute("PRAGMA synchronous=NORMAL")
        except sqlite3.Error as exc:  # SQLAlchemy does not wrap what happens in here
            raise RunLogError(f"The run log could not be opened: {exc}") from exc

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        # A deferred transaction that reads and then writes fails at once when another one wrote in between, whatever
        # the timeout; an immediate one waits for its turn.
        immediate = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
