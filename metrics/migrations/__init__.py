"""Brings the run log's tables up to date through Alembic, without a configuration file.

A change of the table is a new file in `versions/`; `HEAD` names the latest one.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from metrics.database import RunLogError, patient

HEAD = "0006"
LOCK_KEY = 7_203_611
"""An arbitrary number that stands for this upgrade among PostgreSQL's advisory locks."""

TIMEOUT_MS = 300_000
"""How long one process waits for another's upgrade of a SQLite file: 50,000 rows take about ten seconds."""


def upgrade(engine: sa.Engine) -> None:
    """Makes or upgrades the tables. Two processes may start at once: the second waits for the first.

    Raises `RunLogError` where the log was written by a newer version.
    """
    with engine.connect() as connection:
        if _version(connection) == HEAD:
            return  # Alembic costs a tenth of a second to import: only for those who need it
    with (
        engine.connect().execution_options(writes=True) as connection,
        patient(connection, TIMEOUT_MS),
        connection.begin(),
    ):
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_KEY)))
        if _version(connection) != HEAD:
            _run_alembic(connection)


def is_made(engine: sa.Engine) -> bool:
    """Whether there is a log already."""
    with engine.connect() as connection:
        return _version(connection) is not None


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _run_alembic(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    try:
        command.upgrade(config, "head")
    except CommandError as exc:
        raise RunLogError("The run log was written by a newer version of this program.") from exc
