"""An index of words for the search, one of what tables show, and no more those that these make superfluous.

What makes words of a text is a copy of what stood in `run_search.py` at this version: a migration makes the same table
for ever, whatever later versions search.
"""

import re
import unicodedata
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BATCH = 500
INDEXED_CHARS = 100_000
PLACES = 16_383
SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{SPACELESS}\U00020000-\U0003ffff]|[^\W_{SPACELESS}\U00020000-\U0003ffff]{{1,64}}")
TABLE = {
    "sqlite": ("CREATE VIRTUAL TABLE run_search USING fts5(words, content='', columnsize=0)",),
    "postgresql": (
        "CREATE TABLE run_search (id BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)",
        "ALTER TABLE run_search ALTER COLUMN words SET STORAGE MAIN",
    ),
}
"""PostgreSQL keeps long values apart and does not reckon with reading them: it took the whole table to be small, and
read all of it where the index had the answer (1.2 s instead of 0.1 s of 50,000 rows, PostgreSQL 18, 2026-11)."""
INSERT = {
    "sqlite": "INSERT INTO run_search (rowid, words) VALUES (:id, :words)",
    "postgresql": "INSERT INTO run_search (id, words) VALUES (:id, CAST(:words AS tsvector))",
}
LIGHT = (
    "bench.started_at",
    "gen_ai.request.model",
    "bench.mode",
    "bench.status",
    "bench.backend",
    "bench.simulated",
    "bench.phase",
    "bench.flags",
    "gen_ai.response.time_to_first_chunk",
    "bench.time_to_first_visible",
    "bench.time_to_visible",
    "gen_ai.client.operation.duration",
    "bench.decode_tokens_per_second",
    "bench.output_tokens_per_second",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "bench.tokens_estimated",
    "bench.cost_usd",
    "bench.pair_id",
    "bench.experiment_id",
    "bench.run_id",
)


def upgrade() -> None:
    """Makes the indexes, and finds the words of the rows that are there."""
    connection = op.get_bind()
    dialect = connection.dialect.name
    op.drop_index("ix_runs_model", "runs")
    op.drop_index("ix_runs_status", "runs")
    for statement in TABLE[dialect]:
        op.execute(statement)
    _index_rows(connection)
    if dialect == "sqlite":
        op.create_index("ix_runs_light", "runs", list(LIGHT))
    else:  # after the rows: it takes a third of the time
        op.execute("CREATE INDEX ix_run_search_words ON run_search USING gin (words)")


def _index_rows(connection: sa.Connection) -> None:
    query = sa.text(
        'SELECT id, "gen_ai.request.model", "bench.prompt", "bench.response"'
        " FROM runs WHERE id > :after ORDER BY id LIMIT :batch"
    )
    dialect, after = connection.dialect.name, -1
    insert = sa.text(INSERT[dialect])
    while rows := connection.execute(query, {"after": after, "batch": BATCH}).all():
        found = [(row_id, [word for text in texts for word in _words(text)]) for row_id, *texts in rows]
        indexed = [{"id": row_id, "words": " ".join(_places(words, dialect))} for row_id, words in found]
        connection.execute(insert, indexed)
        after = found[-1][0]


def _words(text: str) -> list[str]:
    text = text[:INDEXED_CHARS]
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text)
        text = unicodedata.normalize("NFC", "".join(c for c in apart if unicodedata.category(c) != "Mn"))
    return WORD.findall(text.casefold()[:INDEXED_CHARS])


def _places(words: list[str], dialect: str) -> Iterator[str]:
    if dialect == "sqlite":
        yield from words
    else:
        yield from (f"'{word}':{place}" for place, word in enumerate(words[:PLACES], start=1))
        yield from (f"'{word}'" for word in words[PLACES:])


def downgrade() -> None:
    """Drops them, and makes the old ones."""
    op.execute("DROP TABLE run_search")
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_runs_light", "runs")
    op.create_index("ix_runs_status", "runs", ["bench.status"])
    op.create_index("ix_runs_model", "runs", ["gen_ai.request.model"])
