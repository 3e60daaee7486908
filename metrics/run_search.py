"""Search of the log by words: what is indexed of a run, and how a question becomes a condition.

A scan of every prompt and answer with LIKE took 0.3 s of 50,000 rows on SQLite and 0.5 s on PostgreSQL (measured
2026-11, 2 cores), and grows with the log. So every run's words stand in an index of their own, which the migrations
make: FTS5 on SQLite, a `tsvector` under GIN on PostgreSQL. Both get the same words from here and cut nothing up
themselves, so that both find the same runs, with one exception below.

What is typed is read as terms with spaces between; a run fits when it has all of them, each as the beginning of a word
or, for `nova-lite` and 東京, of words that follow each other. A single letter stands for itself. Capitals and accents
make no difference. Scripts without spaces count every letter as a word. Of a prompt and of an answer the first 100,000
characters each are searched.

PostgreSQL knows the places of a run's first 16,383 words alone, and of each word the first 256 (its manual, chapter
Full Text Search, Limitations; measured with PostgreSQL 18, 2026-11). Words that follow each other are not found there
beyond that, by either count; a single word is found wherever it stands.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

INDEXED_CHARS = 100_000
"""Of each text. PostgreSQL holds at most 1 MB of words of one row and refuses the row otherwise; a letter takes up to 4
bytes."""
PLACES = 16_383
"""PostgreSQL would give every later word this place, and take it for the follower of the word before."""
WORD_CHARS = 64
_MERGED, _TO_MERGE = 0, 1
"""SQLite keeps a number for its user in the file, which is written in transactions as rows are."""
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Thai, Lao, Burmese, Khmer, kana and Han."""
_WORD = re.compile(rf"[{_SPACELESS}\U00020000-\U0003ffff]|[^\W_{_SPACELESS}\U00020000-\U0003ffff]{{1,{WORD_CHARS}}}")


def words(text: str) -> list[str]:
    """The words of the beginning of a text in the order in which they stand, folded: letters and digits only."""
    text = text[:INDEXED_CHARS]
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text)
        text = unicodedata.normalize("NFC", "".join(c for c in apart if unicodedata.category(c) != "Mn"))
    return _WORD.findall(text.casefold()[:INDEXED_CHARS])  # folding makes up to 18 letters of one


def index_run(connection: sa.Connection, row_id: int, run: Mapping[str, Any]) -> None:
    """Makes a run findable by model, prompt and answer; `run` is by attributes of the record."""
    found = _words_of(run)
    if connection.dialect.name == "sqlite":
        insert = sa.text("INSERT INTO run_search (rowid, words) VALUES (:id, :words)")
        connection.execute(insert, {"id": row_id, "words": " ".join(found)})
    else:
        insert = sa.text("INSERT INTO run_search (id, words) VALUES (:id, CAST(:words AS tsvector))")
        placed = [f"'{word}':{place}" for place, word in enumerate(found[:PLACES], start=1)]
        placed += [f"'{word}'" for word in found[PLACES:]]
        connection.execute(insert, {"id": row_id, "words": " ".join(placed)})


def forget_run(connection: sa.Connection, row_id: int, run: Mapping[str, Any]) -> None:
    """Takes a run out of the index; `run` as it was given to `index_run`. FTS5 keeps no texts of its own and must be
    told the very words that it was given: other ones would stay behind, and break it. So a version that finds other
    words in a text must index all runs anew. Their traces go with `merge`."""
    if connection.dialect.name == "sqlite":
        delete = sa.text("INSERT INTO run_search (run_search, rowid, words) VALUES ('delete', :id, :words)")
        connection.execute(delete, {"id": row_id, "words": " ".join(_words_of(run))})
    else:
        connection.execute(sa.text("DELETE FROM run_search WHERE id = :id"), {"id": row_id})


def forget_all(connection: sa.Connection) -> None:
    """Empties the index."""
    everything = "INSERT INTO run_search (run_search) VALUES ('delete-all')"
    connection.execute(sa.text(everything if connection.dialect.name == "sqlite" else "DELETE FROM run_search"))
    _note(connection, _MERGED)


def merge(connection: sa.Connection) -> None:
    """Writes FTS5's index as one piece, without the words that are marked as deleted. PostgreSQL needs none of it."""
    if connection.dialect.name == "sqlite":
        connection.execute(sa.text("INSERT INTO run_search (run_search) VALUES ('optimize')"))
        _note(connection, _MERGED)


def merge_later(connection: sa.Connection) -> None:
    """Notes in the file, in the transaction that forgets runs, that their words are to be merged away: who does not
    come to it, whatever ends them, leaves it to the next one."""
    _note(connection, _TO_MERGE)


def merge_is_due(connection: sa.Connection) -> bool:
    """Whether words that were forgotten are still in the index."""
    if connection.dialect.name != "sqlite":
        return False
    return bool(connection.exec_driver_sql("PRAGMA user_version").scalar_one() == _TO_MERGE)


def _note(connection: sa.Connection, state: int) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version={state}")


def has_words(row_id: sa.ColumnElement[Any], text: str, dialect: str) -> sa.ColumnElement[bool]:
    """The condition that the run of `row_id` fits what was typed. Typed signs without a word in them fit nothing."""
    terms = [found for term in text.split() if (found := words(term))]
    if not terms:
        return sa.false()
    if dialect == "sqlite":
        typed = " ".join(f'"{" ".join(term)}"{"" if _whole(term) else " *"}' for term in terms)
        match = sa.text("SELECT rowid FROM run_search WHERE run_search MATCH :typed")
    else:
        phrases = (" <-> ".join(f"'{word}'" for word in term) + ("" if _whole(term) else ":*") for term in terms)
        typed = " & ".join(f"({phrase})" for phrase in phrases)
        match = sa.text("SELECT id FROM run_search WHERE words @@ CAST(:typed AS tsquery)")
    return row_id.in_(match.bindparams(typed=typed).columns(sa.column("id", sa.BigInteger)))


def _words_of(run: Mapping[str, Any]) -> list[str]:
    return [word for text in ("request_model", "prompt", "response") for word in words(run[text])]


def _whole(term: list[str]) -> bool:
    """A single letter stands for itself: the words that begin with it are no answer, and many."""
    return len(term[-1]) == 1
