"""The same words find the same runs on both databases."""

from __future__ import annotations

import pytest

from metrics.run_log import Order, RunFilter, RunLog
from metrics.run_search import PLACES, WORD_CHARS, words
from tests.metrics.records import record


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Why is the sea salty?", ["why", "is", "the", "sea", "salty"]),
        ("us.amazon.nova-lite-v1:0", ["us", "amazon", "nova", "lite", "v1", "0"]),
        ("snake_case 1e5 3.14", ["snake", "case", "1e5", "3", "14"]),
        ("ÉLAN naïve Straße ﬁne", ["elan", "naive", "strasse", "fine"]),
        ("東京タワー 서울", ["東", "京", "タ", "ワ", "ー", "서울"]),
        ('\'; DROP "TABLE" :* <-> & | !', ["drop", "table"]),
        ("a\0b \ud83d \u202ex", ["a", "b", "x"]),
        ("", []),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_endless_words_are_cut() -> None:
    assert [len(word) for word in words("x" * 150)] == [WORD_CHARS, WORD_CHARS, 150 - 2 * WORD_CHARS]


@pytest.fixture
def full(log: RunLog) -> RunLog:
    log.add(record("sea", prompt="Why is the SEA salty?", response="Rivers bring minerals."))
    log.add(record("tower", prompt="東京タワーの高さは？", request_model="amazon.titan-text-express-v1"))
    log.add(record("odd", prompt="'=cmd|' snake_case O'Neill", response="naïve\0 \ud83d"))
    return log


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("sea", ["sea"]),
        ("SALT", ["sea"]),
        ("salty minerals", ["sea"]),
        ("miner sea", ["sea"]),
        ("alty", []),  # the middle of a word is not looked for
        ("s", []),  # nor are all words with this letter
        ("nova-lite", ["odd", "sea"]),
        ("lite-nova", []),
        ("amazon", ["odd", "sea", "tower"]),
        ("東京", ["tower"]),
        ("京東", []),
        ("高さ", ["tower"]),
        ("naive", ["odd"]),
        ("o'neill", ["odd"]),
        ("'=cmd|'", ["odd"]),
        ("\" ' * : & | ! ( ) <-> \\ %", []),
        ("sea OR tower", []),
        ("NOT sea", []),
        ("   ", ["odd", "sea", "tower"]),
        ("\0", []),
        ("sea\0salty", ["sea"]),
    ],
)
def test_what_is_typed_finds(full: RunLog, typed: str, found: list[str]) -> None:
    page = full.page(RunFilter(text=typed), Order())
    assert (sorted(str(row["bench.run_id"]) for row in page.rows), page.total) == (found, len(found))


def test_enormous_texts_are_kept_and_found_by_the_beginning_of_each(log: RunLog) -> None:
    many = [" ".join(f"{name}{n}" for n in range(50_000)) for name in ("ask", "answer")]
    log.add(record("many words", prompt=many[0], response=many[1]))
    log.add(record("one word", response="0123456789abcdef" * 20_000))
    log.add(record("four bytes a letter", prompt="𓀀" * 150_000, response="𠀀" * 150_000))
    log.add(record("letters that fold to many", prompt="ﷺ" * 50_000, response="㌀" * 50_000))
    for term, total in {"ask7": 1, "answer7": 1, "ask49999": 0, "answer49999": 0, "𠀀": 1}.items():
        assert log.page(RunFilter(text=term), Order()).total == total
    assert log.count() == 4


def test_postgresql_loses_the_places_of_late_words_but_not_the_words(log: RunLog) -> None:
    before = " ".join(f"x{n % 999}" for n in range(PLACES - 2))  # with the model's name one word less than has places
    log.add(record("late", request_model="m", response=f"{before} last-placed"))
    log.add(record("often", request_model="m", response=f"{'的' * 256}確的"))
    everywhere = int(log._database.engine.dialect.name == "sqlite")
    found = {"last": 1, "placed": 1, f"x{(PLACES - 3) % 999}-last": 1, "last-placed": everywhere}
    found |= {"的": 1, "的確": 1, "確的": everywhere}
    assert {term: log.page(RunFilter(text=term), Order()).total for term in found} == found


def test_a_late_word_follows_only_the_one_before_it(log: RunLog) -> None:
    before = " ".join(f"x{n % 999}" for n in range(PLACES - 3))
    log.add(record(request_model="m", response=f"{before} edge one two"))
    assert log.page(RunFilter(text="edge-one"), Order()).total == 1
    assert log.page(RunFilter(text="edge-two"), Order()).total == 0


def test_long_questions_are_no_fault(log: RunLog) -> None:
    log.add(record())
    assert log.page(RunFilter(text="word " * 2000), Order()).total == 0
