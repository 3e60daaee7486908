"""Conversations: turns that open and close, runs that are stopped, memory that is bounded."""

from __future__ import annotations

import pytest

from app.conversations import Conversation, ConversationBusy, Conversations
from app.live import RunUpdate, State
from metrics.record import Mode


def update(text: str = "", *, mode: Mode = "stream", state: State = "done") -> RunUpdate:
    return RunUpdate(
        run_id=f"run-{mode}-{text}", model_id="m", mode=mode, simulated=False, state=state, elapsed_s=1.0, text=text
    )


class ScriptedRun:
    """A run that is where the test says, and stops when it is told to."""

    def __init__(self, now: RunUpdate) -> None:
        self.now = now
        self.cancelled = False

    def snapshot(self) -> RunUpdate:
        return self.now

    def cancel(self) -> None:
        self.cancelled = True
        self.now = update(self.now.text, mode=self.now.mode, state="stopped")


def asked(conversation: Conversation, question: str, *answers: RunUpdate) -> int:
    turn = conversation.begin(question, "stream")
    for answer in answers:
        conversation.attach(turn.id, ScriptedRun(answer))
    conversation.finish(turn.id)
    return turn.id


def test_a_turn_shows_its_run_as_it_is_now() -> None:
    conversation = Conversation("k")
    turn = conversation.begin("Why?", "stream")
    run = ScriptedRun(update("Be", state="streaming"))
    conversation.attach(turn.id, run)
    assert conversation.turns()[0].text == "Be"
    assert conversation.turns()[0].open
    run.now = update("Because")
    conversation.finish(turn.id)
    assert conversation.turns()[0].text == "Because"
    assert not conversation.turns()[0].open
    assert not run.cancelled or run.now.ended


def test_an_answer_that_ended_no_longer_needs_its_run() -> None:
    conversation = Conversation("k")
    turn = conversation.begin("Why?", "stream")
    run = ScriptedRun(update("Because"))
    conversation.attach(turn.id, run)
    conversation.turns()
    run.now = update("something else")
    assert conversation.turns()[0].text == "Because"


def test_one_turn_at_a_time() -> None:
    conversation = Conversation("k")
    turn = conversation.begin("Why?", "stream")
    assert conversation.busy
    with pytest.raises(ConversationBusy, match="still being written"):
        conversation.begin("And?", "stream")
    conversation.finish(turn.id)
    assert not conversation.busy
    conversation.begin("And?", "stream")


def test_stop_stops_the_run_and_the_one_that_would_follow() -> None:
    conversation = Conversation("k")
    turn = conversation.begin("Why?", "both")
    first, second = ScriptedRun(update("A", state="streaming")), ScriptedRun(update("B", state="streaming"))
    conversation.attach(turn.id, first)
    conversation.stop()
    assert first.cancelled
    assert conversation.stopping
    conversation.attach(turn.id, second)
    assert second.cancelled


def test_a_run_that_comes_after_its_page_has_gone_is_stopped() -> None:
    conversation = Conversation("k")
    turn = conversation.begin("Why?", "stream")
    conversation.finish(turn.id)
    late = ScriptedRun(update("A", state="streaming"))
    conversation.attach(turn.id, late)
    assert late.cancelled
    assert conversation.turns()[0].text == "A"


def test_clear_forgets_and_stops() -> None:
    conversation = Conversation("k")
    asked(conversation, "One?", update("1"))
    turn = conversation.begin("Two?", "stream")
    run = ScriptedRun(update("2", state="streaming"))
    conversation.attach(turn.id, run)
    conversation.clear()
    assert run.cancelled
    assert conversation.turns() == ()
    assert conversation.turn(turn.id) is None
    assert not conversation.busy


def test_replacing_a_turn_drops_it_and_what_came_after() -> None:
    conversation = Conversation("k")
    asked(conversation, "One?", update("1"))
    second = asked(conversation, "Two?", update("2"))
    asked(conversation, "Three?", update("3"))
    conversation.begin("Two, again?", "stream", replacing=second)
    assert [turn.question for turn in conversation.turns()] == ["One?", "Two, again?"]


def test_an_abandoned_turn_leaves_everything_as_it_was() -> None:
    conversation = Conversation("k")
    first = asked(conversation, "One?", update("1"))
    turn = conversation.begin("One, again?", "stream", replacing=first)
    conversation.abandon(turn.id)
    assert [turn.question for turn in conversation.turns()] == ["One?"]
    assert not conversation.busy


def test_a_turn_that_was_answered_in_part_is_not_abandoned() -> None:
    conversation = Conversation("k")
    turn = conversation.begin("Why?", "both")
    conversation.attach(turn.id, ScriptedRun(update("1", mode="sync")))
    conversation.abandon(turn.id)
    assert conversation.turns()[0].text == "1"


def test_the_model_is_told_turns_with_answers_only() -> None:
    conversation = Conversation("k")
    asked(conversation, "One?", update("1"))
    asked(conversation, "Failed?", update("", state="failed"))
    both = asked(conversation, "Both?", update("whole", mode="sync"), update("streamed"))
    asked(conversation, "Stopped?", update("half", state="stopped"))
    told = [(q.text, a.text) for q, a in conversation.messages_before()]
    assert told == [("One?", "1"), ("Both?", "streamed"), ("Stopped?", "half")]
    assert [q.text for q, _ in conversation.messages_before(both)] == ["One?"]


def test_the_same_key_is_the_same_conversation() -> None:
    conversations = Conversations()
    key = conversations.open(None).key
    assert conversations.open(key) is conversations.open(key)
    assert conversations.open(None).key != key


@pytest.mark.parametrize("bad", [None, "", "short", 7, "x" * 65, "../../../../etc/passwd0000", ["a"]])
def test_what_is_no_key_gets_a_fresh_one(bad: str | None) -> None:
    conversation = Conversations().open(bad)
    assert len(conversation.key) >= 22
    assert conversation.key != bad


def test_idle_and_surplus_conversations_are_dropped_but_never_a_busy_one() -> None:
    now = 0.0
    conversations = Conversations(keep_s=10, max_conversations=2, clock=lambda: now)
    busy = conversations.open(None)
    busy.begin("Why?", "stream")
    idle = conversations.open(None)
    asked(idle, "Said?", update("yes"))
    now = 5.0
    newest = conversations.open(None)
    assert len(conversations) == 2
    assert conversations.open(busy.key) is busy
    assert conversations.open(newest.key) is newest
    now = 16.0
    conversations.open(None)
    assert conversations.open(busy.key).busy
    assert conversations.open(newest.key) is not newest
