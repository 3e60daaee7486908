"""Conversations that a process does not know, read back from the run log: only the turns that stood, and never by what
the log tells of them."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest

from app.conversations import Conversation, Conversations, Turn
from app.recall import BEFORE_IT, READ_BACK, recalled
from app.services import Services, make_services
from app.ui.answering import answer
from app.ui.asking import Form, make_request
from metrics.record import RunRecord
from metrics.run_log import RunLog
from metrics.texts import reduced
from providers.connect import Backends
from providers.local.event_stream import chunk_frame
from providers.local.launch import LocalEndpoint
from providers.validation import clean_text
from tests.app.ui.make import a_record
from tests.wire import WireServer, stop_frames, stream, text_frames

TITAN, OTHER = "amazon.titan-text-express-v1", "us.openai.gpt-5.6-luna"
Said = tuple[tuple[str, str], ...]


def row(at: int, question: str, said: str, before: Said = (), **more: Any) -> RunRecord:
    sides = ("user", "assistant")
    told = [{"role": role, "text": pair[side]} for pair in before for side, role in enumerate(sides)]
    values = {"run_id": f"run-{at}", "started_at": f"2026-11-22T10:00:{at:02}.000000Z", "prompt": question}
    return a_record(**values, response=said, conversation=tuple(told), conversation_id="c", **more)


def shown(*rows: RunRecord) -> list[tuple[str, str]]:
    """Questions and answers, from rows in the order in which they were written."""
    return [(turn.question, turn.text) for turn in recalled(rows[::-1])]


ONE, TWO = ("one", "1"), ("two", "2")


def test_turns_come_back_in_order() -> None:
    assert shown(row(1, *ONE), row(2, *TWO, (ONE,)), row(3, "three", "3", (ONE, TWO))) == [ONE, TWO, ("three", "3")]
    assert shown() == []


def test_an_answer_that_was_asked_for_anew_is_the_later_one() -> None:
    assert shown(row(1, *ONE), row(2, "two", "old", (ONE,)), row(3, *TWO, (ONE,))) == [ONE, TWO]


def test_what_came_after_an_edited_question_is_gone() -> None:
    rows = row(1, *ONE), row(2, *TWO, (ONE,)), row(3, "three", "3", (ONE, TWO)), row(4, "one else", "1 else")
    assert shown(*rows) == [("one else", "1 else")]


def test_the_same_words_twice_are_two_turns() -> None:
    assert shown(row(1, *ONE), row(2, *ONE, (ONE,)), row(3, *ONE, (ONE, ONE))) == [ONE] * 3


def test_of_equal_words_the_turn_that_stood_is_found() -> None:
    """The same was said once more, and that question then changed."""
    assert shown(row(1, *ONE), row(2, *ONE, (ONE,)), row(3, *TWO, (ONE,))) == [ONE, TWO]


def test_turns_that_no_longer_fitted_into_the_context_stand_all_the_same() -> None:
    three = ("three", "3")
    assert shown(row(1, *ONE), row(2, *TWO, (ONE,)), row(3, *three, (TWO,))) == [ONE, TWO, three]
    four = row(5, "four", "4", (TWO, three))
    elsewhere = row(4, *three, (("one", "1"), ("zwei", "2")))
    assert shown(row(1, *ONE), row(2, *TWO, (ONE,)), row(3, *three, (ONE, TWO)), elsewhere, four)[:3] == [
        ONE,
        TWO,
        three,
    ]


def test_a_turn_that_the_log_has_lost_is_said() -> None:
    [turn] = recalled([row(2, *TWO, (ONE,))])
    assert turn.notices == (READ_BACK, BEFORE_IT)
    first, second = recalled([row(2, *TWO, (ONE,)), row(1, *ONE)])
    assert (first.notices, second.notices) == ((READ_BACK,), ())


def test_a_model_that_takes_less_hides_nothing_that_another_one_was_told() -> None:
    three, four = ("three", "3"), ("four", "4")
    rows = row(1, *ONE), row(2, *TWO, (ONE,)), row(3, *three), row(4, *four, (ONE, TWO, three))
    assert shown(*rows) == [ONE, TWO, three, four]
    assert [turn.notices for turn in recalled(rows[::-1])] == [(READ_BACK,), (), (), ()]


@pytest.mark.parametrize("answer", ["line\r\ntwo", "a\rb", "bell\x07 and \x1b[1m", "zero\x00", "half \ud83d"])
def test_an_answer_that_could_not_be_sent_as_it_came_stands(run_log: RunLog, answer: str) -> None:
    told = ("one", clean_text(answer))
    for record in (row(1, "one", answer), row(2, *TWO, (told,)), row(3, "three", "3", (told, TWO))):
        run_log.add(record)
    turns = recalled(run_log.recent())
    assert [turn.question for turn in turns] == ["one", "two", "three"]
    assert turns[0].notices == (READ_BACK,)


def test_earlier_rows_that_are_not_shown_are_said() -> None:
    """The last question may have been so long that nothing else fitted, or the first one anew."""
    rows = row(1, *ONE), row(2, *TWO, (ONE,)), row(3, "a very long one", "3")
    [turn] = recalled(rows[::-1])
    assert turn.notices == (READ_BACK, BEFORE_IT)
    failed = row(1, "one", "", status="failed")
    [turn] = recalled([row(2, *TWO), failed])
    assert turn.notices == (READ_BACK,)
    [turn] = recalled([row(2, *TWO), reduced(row(1, *ONE), "off")])
    assert turn.notices == (READ_BACK, BEFORE_IT)
    pair = row(1, "one", "all", pair_id="p", mode="sync"), row(2, *ONE, pair_id="p")
    [turn] = recalled(pair[::-1])
    assert turn.notices == (READ_BACK,)


def test_both_answers_of_a_turn_come_back() -> None:
    rows = row(1, "one", "all", pair_id="p", mode="sync"), row(2, *ONE, pair_id="p"), row(3, *TWO, (ONE,))
    first, _ = recalled(rows[::-1])
    assert first.mode == "both"
    assert [(update.mode, update.text) for update in first.answers] == [("sync", "all"), ("stream", "1")]


@pytest.mark.parametrize("texts", ["off", "hash"])
def test_what_was_not_kept_is_not_made_up(texts: Any) -> None:
    assert recalled([reduced(row(1, *ONE), texts)]) == ()


def test_figures_and_failures_come_with_them() -> None:
    [turn] = recalled([row(1, *ONE, status="interrupted", error_type="StreamInterruptedError", error_message="Cut.")])
    [update] = turn.answers
    assert update.failure is not None
    told = (update.state, update.failure.sentence, update.failure.type)
    assert told == ("failed", "Cut.", "StreamInterruptedError")
    assert (update.elapsed_s, update.first_text_s, update.tokens, update.tokens_reported) == (7.4, 0.412, 412, True)


def test_why_an_answer_ended_is_told_in_the_same_words_as_before() -> None:
    """The row has the service's own word; one without a word is of a stream that ended as it should."""
    words = {"length": "max_tokens", "FINISH": "end_turn", "end_turn": "end_turn", "wonder": "other"}
    for word, reason in words.items():
        [turn] = recalled([row(1, *ONE, finish_reasons=(word,))])
        assert turn.answers[0].stop_reason == reason
    assert recalled([row(1, *ONE, finish_reasons=())])[0].answers[0].stop_reason == "other"
    [cut] = recalled([row(1, *ONE, finish_reasons=(), status="cancelled")])
    assert cut.answers[0].stop_reason is None


# --- through the log --------------------------------------------------------------------------------------------------


def asked(
    services: Services, conversation: Conversation, question: str, replacing: int | None = None, **asked: Any
) -> Turn:
    """One turn as the page asks it."""

    async def act() -> Turn:
        form = Form(**{"prompt": question, "model_id": "simulated.swift", "max_tokens": 8, **asked})
        request, notices = make_request(form, conversation, services.runner.estimator, replacing=replacing)
        turn = conversation.begin(question, "stream", replacing=replacing, notices=notices)
        return [seen async for seen in answer(services.runner, conversation, turn, request)][-1]

    return asyncio.run(act())


def test_another_process_finds_what_stands_by_the_key_alone(run_log: RunLog, endpoint: LocalEndpoint) -> None:
    services = [make_services(Backends("local", local_url=endpoint.url), run_log) for _ in range(2)]
    key = "k" * 32
    before = services[0].conversations.open(key)
    for question in ("one", "two", "three"):
        asked(services[0], before, question)
    asked(services[0], before, "another two", replacing=2)
    rows = json.dumps([record.to_row() for record in run_log.recent()])
    assert key not in rows

    after = services[1].conversations.open(key)
    after.recall()
    assert [turn.question for turn in after.turns()] == ["one", "another two"]
    for old, new in zip(before.turns(), after.turns(), strict=True):
        [was], [now] = old.answers, new.answers
        assert (now.text, now.tokens, now.stop_reason, now.state) == (was.text, was.tokens, was.stop_reason, was.state)
        assert now.first_text_s == pytest.approx(was.first_text_s)
        assert now.elapsed_s == pytest.approx(was.elapsed_s, rel=0.05)
    assert {turn.id for turn in after.turns()}.isdisjoint({1, 2, 3, 4})  # what the page of the other process says
    assert asked(services[1], after, "four").id > after.turns()[1].id > after.turns()[0].id
    assert [turn["text"] for turn in run_log.recent(1)[0].conversation[::2]] == ["one", "another two"]

    stranger = services[1].conversations.open("s" * 32)
    stranger.recall()
    assert stranger.turns() == ()
    id_as_key = services[1].conversations.open(run_log.recent(1)[0].conversation_id)
    id_as_key.recall()
    assert id_as_key.turns() == ()
    for each in services:
        each.runner.close()


@pytest.mark.parametrize("models", [[OTHER, OTHER, TITAN], [OTHER, TITAN, OTHER], [TITAN, TITAN, TITAN]])
def test_a_model_without_system_prompts_is_recalled_like_any_other(
    run_log: RunLog, wire: WireServer, models: list[str]
) -> None:
    titan = stream([chunk_frame({"outputText": "Said.", "completionReason": "FINISH"})])
    other = stream([*text_frames("Said."), *stop_frames()])
    wire.reply_with(*(titan if model == TITAN else other for model in models))
    services = make_services(Backends("auto", endpoint_url=wire.url), run_log)
    conversation = services.conversations.open("k" * 32)
    for question, model in zip(("one", "two", "three"), models, strict=True):
        asked(services, conversation, question, model_id=model, system="Be kind.")
    rows = run_log.recent()
    turns = recalled(rows)
    services.runner.close()
    assert [turn.question for turn in turns] == ["one", "two", "three"]
    assert turns[0].notices == (READ_BACK,)
    assert {record.system_prompt for record in rows} == {"Be kind."}
    assert "Be kind." not in str([(record.prompt, record.conversation) for record in rows])
    assert [str(sent.body).count("Be kind.") for sent in wire.asked] == [1, 1, 1]


def test_it_is_looked_up_once_and_again_only_where_that_failed() -> None:
    told = itertools.count()

    def find(_: str) -> tuple[Turn, ...]:
        if next(told) == 0:
            raise RuntimeError("no log")
        return (Turn(id=1, question="one", mode="stream"),)

    conversation = Conversations(find=find).open("k" * 22)
    with pytest.raises(RuntimeError):
        conversation.recall()
    conversation.recall()
    conversation.clear()
    conversation.recall()
    assert conversation.turns() == ()
    assert next(told) == 2


def test_a_log_that_does_not_answer_is_asked_no_more_once_something_was_said() -> None:
    told = itertools.count()

    def find(_: str) -> tuple[Turn, ...]:
        next(told)
        raise RuntimeError("no log")

    conversations = Conversations(find=find)
    conversation = conversations.open("k" * 22)
    with pytest.raises(RuntimeError):
        conversation.recall()
    turn = conversation.begin("one", "stream")
    conversation.recall()
    conversation.abandon(turn.id)  # nothing was sent: what was said before may still come back
    with pytest.raises(RuntimeError):
        conversation.recall()
    conversation.clear()
    conversation.recall()
    assert next(told) == 2


def test_what_is_cleared_while_the_log_is_asked_stays_away() -> None:
    def find(_: str) -> tuple[Turn, ...]:
        conversation.clear()
        return (Turn(id=1, question="one", mode="stream"),)

    conversation = Conversations(find=find).open("k" * 22)
    conversation.recall()
    assert conversation.turns() == ()


@pytest.mark.parametrize("key", [None, "", "short"])
def test_a_key_that_was_made_just_now_is_not_looked_for(key: str | None) -> None:
    def find(_: str) -> tuple[Turn, ...]:
        raise RuntimeError("no log")

    conversations = Conversations(find=find)
    conversation = conversations.open(key)
    conversation.recall()
    conversations.open(conversation.key).recall()
    with pytest.raises(RuntimeError):
        conversations.open("k" * 22).recall()


def test_what_was_said_meanwhile_stays() -> None:
    conversation = Conversations(find=lambda _: (Turn(id=1, question="one", mode="stream"),)).open("k" * 22)
    conversation.begin("two", "stream")
    conversation.recall()
    assert [turn.question for turn in conversation.turns()] == ["two"]
