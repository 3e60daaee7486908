"""The database under the run log: an engine for a URL, SQLite tuned for several writers, errors as sentences.

What stands in it: `run_table.py`. Shared by threads. No connection is held between calls.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError, StatementError

BUSY_TIMEOUT_MS = 5000
CONNECT_TIMEOUT_S = 5
KINDS = ("sqlite", "postgresql")
"""The databases whose words the log speaks, by SQLAlchemy's names."""
REASONS = {
    "database is locked": "another program has locked it. Close that program, or try again.",
    "canceling statement due to lock timeout": "another program has locked it. Close that program, or try again.",
    "database or disk is full": "the disk is full. Make room, then try again.",
    "attempt to write a readonly database": "its file may only be read. Change its permissions.",
}
"""The databases' words, and what they mean to a person."""


class RunLogError(RuntimeError):
    """The run log could not be opened, read or written. The message is a sentence for the person."""


class Database:
    """An open database. Raises `RunLogError` as `open_engine` does."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        # One connection serves a database in memory, so its threads take turns; a file has a pool.
        self._turn = threading.RLock() if isinstance(self.engine.pool, sa.StaticPool) else nullcontext()

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection to read from. Raises `RunLogError` for what goes wrong inside."""
        with translate_errors("read"), self._turn, self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A connection in a transaction that is kept where nothing is raised. The errors are SQLAlchemy's: some mean
        something to the writer, who translates the others."""
        engine = self.engine.execution_options(writes=True)
        with self._turn, engine.begin() as connection:
            yield connection

    @contextmanager
    def maintaining(self) -> Iterator[sa.Connection]:
        """A connection outside of any transaction, for what is refused inside one. Raises `RunLogError`."""
        how: dict[str, Any] = (
            {"transactions": False} if self.engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
        )
        with translate_errors("tidied up"), self._turn, self.engine.execution_options(**how).connect() as connection:
            yield connection


def open_engine(url: str) -> sa.Engine:
    """An engine for `url`. A SQLite file is made first, readable by its owner alone. Errors and logs of the engine do
    not show parameters, because these hold people's prompts.

    Raises `RunLogError` where the URL is none, its database is neither SQLite nor PostgreSQL, its driver is missing, or
    the file cannot be made.
    """
    try:
        parsed = _parse(url)
        if parsed.get_backend_name() != "sqlite":
            return _server_engine(parsed)
        in_memory = parsed.database in (None, "", ":memory:")
        if in_memory:
            threads = {"check_same_thread": False}
            engine = sa.create_engine(parsed, hide_parameters=True, poolclass=sa.StaticPool, connect_args=threads)
        else:
            engine = sa.create_engine(parsed, hide_parameters=True)
    except (ArgumentError, ImportError) as exc:
        raise RunLogError(f"The run log's address cannot be used: {exc}") from exc
    if not in_memory:
        _make_private_file(Path(str(parsed.database)))
    _tune_sqlite(engine)
    return engine


def _parse(url: str) -> sa.URL:
    parsed = sa.make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")  # the driver that is installed; another one is named
    kind = parsed.get_backend_name()
    if kind not in KINDS:
        raise RunLogError(
            f"The run log's address cannot be used: it names {kind}, but the log lies in SQLite or PostgreSQL. "
            "Write sqlite:///file or postgresql://user@host/database."
        )
    return parsed


@contextmanager
def patient(connection: sa.Connection, timeout_ms: int) -> Iterator[None]:
    """Makes this one connection to SQLite wait so long for other writers; to be entered before its transaction begins.
    On PostgreSQL a lock is waited for in any case."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.dbapi_connection  # through SQLAlchemy the pragma would begin a transaction
    driver.execute(f"PRAGMA busy_timeout={timeout_ms}")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


def _server_engine(url: sa.URL) -> sa.Engine:
    """An engine that waits a few seconds for its server, not minutes, and outlives the server's restart."""
    if url.drivername == "postgresql+psycopg":
        url = url.update_query_dict({"connect_timeout": url.query.get("connect_timeout", str(CONNECT_TIMEOUT_S))})
    return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)


@contextmanager
def translate_errors(doing: str) -> Iterator[None]:
    """Turns SQLAlchemy's errors into `RunLogError`, without the statement."""
    try:
        yield
    except StatementError as exc:
        raise RunLogError(f"The run log could not be {doing}: {_reason(exc.orig)}") from exc
    except (SQLAlchemyError, OverflowError, TypeError) as exc:
        # OverflowError: SQLite's driver, on integers beyond 64 bits. TypeError: PostgreSQL's, on what is no JSON.
        raise RunLogError(f"The run log could not be {doing}: {_reason(exc)}") from exc


def _reason(error: BaseException | None) -> str:
    """What a driver says, in one line: the further ones of PostgreSQL may quote the row."""
    said = next(iter(str(error).splitlines()), "") or type(error).__name__
    return REASONS.get(said, said)


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
            connection.execute("PRAGMA secure_delete=ON")  # what is deleted or moved is overwritten with zeros
        except sqlite3.Error as exc:  # SQLAlchemy does not wrap what happens in here
            raise RunLogError(f"The run log could not be opened: {exc}") from exc

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        # A deferred transaction that reads and then writes fails at once when another one wrote in between, whatever
        # the timeout; an immediate one waits for its turn.
        options = connection.get_execution_options()
        if not options.get("transactions", True):
            return
        immediate = options.get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
