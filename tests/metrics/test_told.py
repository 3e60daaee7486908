"""A deleted turn stands in no later row of its conversation, and nothing else is cut out of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from metrics.record import RunRecord, timestamp
from metrics.run_log import RunLog
from metrics.texts import fingerprint, reduced
from metrics.told import without
from tests.metrics.leftovers import leftovers
from tests.metrics.records import record

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
QUESTION, ANSWER = "heliotropeandceladon?", "vermilionandochre."


def said(*texts: str) -> tuple[dict[str, str], ...]:
    return tuple({"role": "assistant" if n % 2 else "user", "text": text} for n, text in enumerate(texts))


def row(number: int, prompt: str, response: str, *told: str, **given: Any) -> RunRecord:
    """The turn of a conversation that began `number` hours before noon, and what its model was told."""
    values = {"conversation_id": "c", "conversation": said(*told), **given}
    started_at = timestamp(NOON - timedelta(hours=number))
    return record(str(number), prompt=prompt, response=response, started_at=started_at, **values)


def fill(log: RunLog) -> None:
    """Three turns; the question of the first one is that of another conversation, too."""
    log.add(row(9, QUESTION, ANSWER))
    log.add(row(8, "And then?", "Blue.", QUESTION, ANSWER))
    log.add(row(7, "At last?", "Green.", QUESTION, ANSWER, "And then?", "Blue."))


def told(log: RunLog, number: int) -> tuple[str, ...]:
    found = log.get(str(number))
    assert found is not None
    return tuple(turn["text"] for turn in found.conversation)


# --- in the log -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["one", "older"])
def test_a_deleted_turn_is_in_no_byte_of_what_stays(log: RunLog, way: str) -> None:
    fill(log)
    assert ANSWER.encode() in leftovers(log)
    deleted = log.delete(["9"]) if way == "one" else log.delete_older(NOON - timedelta(hours=8, minutes=30))
    assert (deleted.runs, deleted.left) == (1, "")
    left = leftovers(log)
    assert (QUESTION.encode() in left, ANSWER.encode() in left) == (False, False)
    assert (told(log, 8), told(log, 7)) == ((), ("And then?", "Blue."))


def test_many_old_turns_go_some_at_a_time(log: RunLog) -> None:
    fill(log)
    log.add(row(1, "Now?", "Red.", QUESTION, ANSWER, "And then?", "Blue.", "At last?", "Green."))
    assert log._deletion.older(timestamp(NOON - timedelta(hours=6)), batch=2).runs == 3
    assert told(log, 1) == ()


def test_rows_of_another_conversation_and_of_none_are_left_alone(log: RunLog) -> None:
    fill(log)
    log.add(row(6, "Here?", "Yes.", QUESTION, ANSWER, conversation_id="another"))
    log.add(row(5, "Here?", "Yes.", QUESTION, ANSWER, conversation_id=None))
    log.add(row(4, QUESTION, ANSWER, conversation_id=None))
    log.delete(["9", "4"])
    assert told(log, 6) == told(log, 5) == (QUESTION, ANSWER)


def test_what_another_row_said_in_the_same_words_stays_as_long_as_that_row(log: RunLog) -> None:
    fill(log)
    log.add(row(10, QUESTION, ANSWER))
    log.delete(["9"])
    assert told(log, 8) == (QUESTION, ANSWER)
    log.delete(["10"])
    assert told(log, 8) == ()
    assert ANSWER.encode() not in leftovers(log)


def test_a_turn_whose_texts_were_hashed_later_is_cut_out_too(log: RunLog) -> None:
    log.add(row(9, QUESTION, ANSWER))
    log.add(reduced(row(8, "And then?", "Blue.", QUESTION, ANSWER), "hash"))
    log.delete(["9"])
    assert told(log, 8) == ()


# --- what is cut ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Why?", "So."),
        ("Be brief.\n\nWhy?", "So."),
        ("Why?", fingerprint("So.")),
        (fingerprint("Why?"), fingerprint("So.")),
    ],
)
def test_a_turn_is_known_by_its_words(question: str, answer: str) -> None:
    others = said("Who?", "I.", question, answer, "When?", "So.")
    assert without(others, [("Why?", "So.")]) == [*said("Who?", "I.", "When?", "So.")]
    assert without(said("Why?", "So."), [(question, answer)]) == []


def test_a_system_prompt_that_stood_before_the_deleted_question(log: RunLog) -> None:
    """The model was changed: the next one takes a system prompt."""
    log.add(row(9, f"Be brief.\n\n{QUESTION}", ANSWER))
    log.add(row(8, "And then?", "Blue.", QUESTION, ANSWER, system_prompt="Be brief."))
    log.delete(["9"])
    assert told(log, 8) == ()


def test_line_ends_and_control_characters_are_not_the_same_on_the_way_to_a_model(log: RunLog) -> None:
    log.add(row(9, "one\r\ntwo", "a\x07b\x00c\r\nd"))
    log.add(row(8, "And then?", "Blue.", "one\ntwo", "abc\nd"))
    log.delete(["9"])
    assert told(log, 8) == ()


def test_other_turns_stay() -> None:
    turns = said("Why?", "No.", "Is it why?", "So.", "Why?")
    assert without(turns, [("Why?", "So.")]) == [*turns]
    assert without([], [("Why?", "So.")]) == []
