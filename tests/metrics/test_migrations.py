"""The schema: what the migrations make, and how a log of any age gets there."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
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
from metrics.database import BUSY_TIMEOUT_MS, open_engine
from metrics.run_log import RunFilter, RunLog, RunLogError
from metrics.run_query import Order
from metrics.run_table import metadata
from tests.metrics.records import record

FOLDER = Path(migrations.__file__).parent


def execute(url: str, statement: str) -> None:
    engine = open_engine(url)
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


@contextlib.contextmanager
def migrating(url: str) -> Iterator[tuple[sa.Connection, Config]]:
    """A connection that writes, and what Alembic's commands need to work on it."""
    engine = open_engine(url)
    with engine.execution_options(writes=True).begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(FOLDER))
        yield connection, config
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


OLD_ROW: dict[str, Any] = {
    "bench.schema_version": "1",
    "bench.run_id": "run-1",
    "bench.experiment_id": "e",
    "bench.status": "completed",
    "bench.mode": "stream",
    "bench.started_at": "2026-11-22T07:15:00.000000Z",
    "bench.backend": "aws",
    "bench.simulated": False,
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "aws.bedrock",
    "gen_ai.request.model": "us.amazon.nova-lite-v1:0",
    "gen_ai.request.stream": True,
    "gen_ai.request.stop_sequences": [],
    "bench.conversation": [],
    "bench.prompt": "Why is the sea salty?",
    "bench.response": "Élan, 東京タワー.",
    "bench.reasoning": "",
    "gen_ai.response.finish_reasons": ["end_turn"],
    "bench.usage_raw": {},
    "gen_ai.client.operation.duration": 1.5,
    "http.request.resend_count": 0,
    "bench.flags": ["cold"],
    "bench.client": {},
}
"""What the first version wrote. It is not made from the record of today; the columns without a value are left out."""
OLD_WORDS = {
    "sqlite": "INSERT INTO run_search (rowid, words) SELECT id, 'sea' || (id - 1) || ' tokyo' FROM runs",
    "postgresql": "INSERT INTO run_search SELECT id, CAST('sea' || (id - 1) || ':1 tokyo:2' AS tsvector) FROM runs",
}
"""What the third wrote beside it."""


def insert_old_rows(connection: sa.Connection, version: str) -> None:
    kinds = {name: sa.JSON() if isinstance(value, list | dict) else None for name, value in OLD_ROW.items()}
    old_runs = sa.table("runs", *(sa.column(name, kind) for name, kind in kinds.items()))
    for number in range(3):
        own = {"bench.run_id": f"run-{number}", "bench.prompt": f"Why is the sea{number} salty?"}
        connection.execute(sa.insert(old_runs).values(OLD_ROW | own))
    if version >= "0003":
        connection.exec_driver_sql(OLD_WORDS[connection.dialect.name])


@pytest.mark.parametrize("version", ["0001", "0002", "0003"])
def test_an_older_log_keeps_its_rows_and_learns_what_is_new(new_url: str, version: str) -> None:
    with migrating(new_url) as (connection, config):
        command.upgrade(config, version)
        insert_old_rows(connection, version)
    with RunLog(new_url) as log:
        kept = log.of_experiment("e")
        assert [found.run_id for found in kept] == ["run-0", "run-1", "run-2"]
        assert (kept[0].flags, kept[0].duration_s, kept[0].cost_usd) == (("cold",), 1.5, None)
        found = log.page(RunFilter(text="sea1"), Order())
        assert [row["bench.run_id"] for row in found.rows] == ["run-1"]
        assert log.add(record("after"))
        assert log.experiments() == []


def test_keys_of_conversations_that_stood_in_rows_are_digests_now(new_url: str) -> None:
    with migrating(new_url) as (connection, config):
        command.upgrade(config, "0001")
        insert_old_rows(connection, "0001")
        connection.exec_driver_sql(
            """UPDATE runs SET "gen_ai.conversation.id" = 'key' WHERE "bench.run_id" = 'run-1'"""
        )
    digest = hashlib.sha256(b"conversation key").hexdigest()[:32]
    with RunLog(new_url) as log:
        assert [found.conversation_id for found in log.of_experiment("e")] == [None, digest, None]
        assert [found.run_id for found in log.recent(conversation_id=digest)] == ["run-1"]


def test_a_run_that_a_crash_left_does_not_bring_the_key_back(new_url: str) -> None:
    """It was written ahead by the version before."""
    with RunLog(new_url) as log:
        log._open_runs.keep([record(conversation_id="key"), record("2")], writer="elsewhere/1/gone", now_s=0.0)
    with migrating(new_url) as (_, config):
        command.downgrade(config, "0005")
    digest = hashlib.sha256(b"conversation key").hexdigest()[:32]
    with RunLog(new_url) as log:
        assert log.recover() == 2
        assert {found.run_id: found.conversation_id for found in log.recent()} == {"run-1": digest, "2": None}


def test_keys_are_found_by_the_index_that_comes_first(tmp_path: Path) -> None:
    """Without it every key reads the whole table: 37 s instead of 0.6 s for 20,000 conversations (2026-11)."""
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    with RunLog(url) as log:
        log.add(record(conversation_id="key"))
    said: list[str] = []
    with migrating(url) as (connection, config):
        command.downgrade(config, "0005")
        sa.event.listen(connection, "before_cursor_execute", lambda *given: said.append(given[2].split(" ", 1)[0]))
        command.upgrade(config, "head")
    assert "UPDATE" in said
    assert said.index("CREATE") < said.index("UPDATE")


def test_rows_from_before_the_search_are_found_as_new_ones_are(new_url: str) -> None:
    with migrating(new_url) as (connection, config):
        command.upgrade(config, "0002")
        insert_old_rows(connection, "0002")
    with RunLog(new_url) as log:
        log.add(record("new", prompt="Why is the sea3 salty?", response=OLD_ROW["bench.response"]))
        for typed in ("nova-lite", "salt", "elan", "東京", "タワー", "SEA3 why"):
            assert log.page(RunFilter(text=typed), Order()).total == (1 if "SEA3" in typed else 4)


def test_an_upgrade_waits_for_another_longer_than_a_write_does(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'runs.db'}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=1")  # as if the wait of a write were over at once
    other = sqlite3.connect(tmp_path / "runs.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    ending = threading.Timer(0.2, other.execute, ["COMMIT"])
    ending.start()
    migrations.upgrade(engine)
    ending.join()
    other.close()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == BUSY_TIMEOUT_MS
    engine.dispose()


def test_all_the_way_down_and_up_again(new_url: str) -> None:
    with RunLog(new_url) as log:
        log.add(record())
    for direction, version in ((command.downgrade, "0001"), (command.upgrade, "head")):
        with migrating(new_url) as (_, config):
            direction(config, version)
    with RunLog(new_url) as log:
        assert log.page(RunFilter(text="nova"), Order()).total == 1


def test_a_log_from_the_future_is_left_alone(new_url: str) -> None:
    RunLog(new_url).close()
    execute(new_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(RunLogError, match="newer version"):
        RunLog(new_url)
    gc.collect()  # a connection that was left open would complain here
