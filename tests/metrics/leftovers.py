"""What can be found of a log by somebody who looks at its database from outside."""

from __future__ import annotations

import json
from pathlib import Path

import sqlalchemy as sa

from metrics.run_log import RunLog
from metrics.run_table import open_runs

TABLES = ("runs", "run_search", "experiments", "votes", "open_runs")


def leftovers(log: RunLog) -> bytes:
    """Every byte of SQLite's files, or every row of PostgreSQL's tables as text; packed records unpacked."""
    with log._database.reading() as connection:
        packed = json.dumps(list(connection.execute(sa.select(open_runs.c.record)).scalars())).encode()
        if log._dialect == "sqlite":
            return packed + b"".join(path.read_bytes() for path in files(log))
        rows = (connection.execute(sa.text(f"SELECT CAST({name}.* AS text) FROM {name}")).scalars() for name in TABLES)
        return packed + "\n".join(row for found in rows for row in found).encode()


def files(log: RunLog) -> list[Path]:
    """The files of a log in SQLite: its own, -wal, -shm."""
    return sorted(Path(log.where).parent.glob(Path(log.where).name + "*"))
