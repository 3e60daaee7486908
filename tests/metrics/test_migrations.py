"""The schema: what the migrations make, and how a log of any age gets there."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from metrics import migrations
from metrics.database import open_engine
from metrics.record import COLUMNS, plain
from metrics.run_log import RunFilter, RunLog, RunLogError
from metrics.run_query import Order
from metrics.run_table import metadata, runs
from tests.metrics.records import record

FOLDER = Path(migrations.__file__).parent


def execute(url: str, statement: str) -> None:
    engine = open_engine(url)
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


def test_migrations_make_the_tables_that_the_code_uses(new_url: str) -> None:
    RunLog(new_url).close()
    engine = open_engine(new_url)

    def compared(_: Any, name: str | None, kind: str, *__: Any) -> bool:
        if kind == "table":
            return not str(name).startswith("run_search")  # written in each database's own words
        return name != "ix_runs_light" or engine.dialect.name == "sqlite"

    with engine.connect() as connection:
        options = {"compare_type": True, "include_object": compared}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == migrations.HEAD
    engine.dispose()


def test_head_is_the_latest_migration() -> None:
    assert ScriptDirectory(str(FOLDER)).get_current_head() == migrations.HEAD


def test_opening_a_current_log_does_not_load_alembic(tmp_path: Path) -> None:
    RunLog(f"sqlite:///{tmp_path / 'runs.db'}").close()
    code = f"""
import sys
from metrics.run_log import RunLog
RunLog("sqlite:///{tmp_path / "runs.db"}").close()
assert "alembic" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_database_with_tables_of_somebody_else(new_url: str) -> None:
    execute(new_url, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    execute(new_url, "CREATE TABLE notes (text TEXT)")
    with RunLog(new_url) as log:
        assert log.add(record())


@pytest.mark.parametrize("version", ["0001", "0002"])
def test_an_older_log_keeps_its_rows_and_learns_what_is_new(new_url: str, version: str) -> None:
    engine = open_engine(new_url)
    with engine.execution_options(writes=True).begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(FOLDER))
        command.upgrade(config, version)
        for number in range(3):
            old = record(f"run-{number}", prompt=f"Why is the sea{number} salty?", experiment_id="e")
            values = {attribute: plain(getattr(old, attribute)) for attribute in COLUMNS}
            connection.execute(sa.insert(runs).values(values))
    engine.dispose()
    with RunLog(new_url) as log:
        assert [found.run_id for found in log.of_experiment("e")] == ["run-0", "run-1", "run-2"]
        found = log.page(RunFilter(text="sea1"), Order())
        assert [row["bench.run_id"] for row in found.rows] == ["run-1"]
        assert log.add(record("after"))
        assert log.experiments() == []


def test_all_the_way_down_and_up_again(new_url: str) -> None:
    with RunLog(new_url) as log:
        log.add(record())
    engine = open_engine(new_url)
    for direction, version in ((command.downgrade, "0001"), (command.upgrade, "head")):
        with engine.execution_options(writes=True).begin() as connection:
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(FOLDER))
            direction(config, version)
    engine.dispose()
    with RunLog(new_url) as log:
        assert log.page(RunFilter(text="nova"), Order()).total == 1


def test_a_log_from_the_future_is_left_alone(new_url: str) -> None:
    RunLog(new_url).close()
    execute(new_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(RunLogError, match="newer version"):
        RunLog(new_url)
    gc.collect()  # a connection that was left open would complain here
