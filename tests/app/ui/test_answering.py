"""A turn from question to answer: in order, one at a time, stopped when nobody watches."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from itertools import pairwise

import pytest

from app.conversations import Conversation, Turn, TurnMode
from app.runner import Runner
from app.ui.answering import answer
from metrics.run_log import RunLog
from providers.connect import Backends
from providers.errors import InvalidValueError
from providers.local.launch import LocalEndpoint
from providers.types import GenerationRequest, InferenceConfig, Message

SWIFT = "simulated.swift"
STEADY = "simulated.steady"
LUMP = "simulated.lump"


@pytest.fixture
def runner(run_log: RunLog, endpoint: LocalEndpoint) -> Iterator[Runner]:
    made = Runner(Backends("local", local_url=endpoint.url), run_log)
    yield made
    made.close()


def request(model_id: str = SWIFT, *, max_tokens: int = 60, temperature: float = 0.5) -> GenerationRequest:
    return GenerationRequest(
        model_id=model_id,
        messages=(Message(role="user", text="Why?"),),
        inference=InferenceConfig(max_tokens=max_tokens, temperature=temperature),
    )


def all_of(
    runner: Runner, conversation: Conversation, asked: GenerationRequest, mode: TurnMode = "stream", seed: int = 1
) -> list[Turn]:
    async def watch() -> list[Turn]:
        turn = conversation.begin("Why?", mode)
        return [seen async for seen in answer(runner, conversation, turn, asked, rng=random.Random(seed))]

    return asyncio.run(watch())


def test_a_streamed_turn_grows_and_ends(runner: Runner, run_log: RunLog) -> None:
    conversation = Conversation("k" * 22)
    seen = all_of(runner, conversation, request())
    texts = [turn.text for turn in seen]
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert len(set(texts)) >= 5
    assert [turn.open for turn in seen[-2:]] == [True, False]
    assert not conversation.busy
    [row] = run_log.recent()
    assert row.conversation_id == conversation.id != conversation.key
    assert row.status == "completed"


def test_both_ways_go_one_after_the_other_as_one_pair(runner: Runner, run_log: RunLog) -> None:
    seen = all_of(runner, Conversation("k"), request(), "both")
    assert all(sum(not update.ended for update in turn.answers) <= 1 for turn in seen)
    assert {update.mode for update in seen[-1].answers} == {"sync", "stream"}
    second, first = run_log.recent()
    assert first.pair_id == second.pair_id is not None
    assert (first.order_in_pair, second.order_in_pair) == (1, 2)


def test_the_order_of_both_is_left_to_chance(runner: Runner) -> None:
    first = {
        all_of(runner, Conversation("k"), request(max_tokens=1), "both", seed)[-1].answers[0].mode for seed in (1, 2, 3)
    }
    assert first == {"sync", "stream"}


def test_stop_in_the_first_of_both_sends_no_second(runner: Runner, run_log: RunLog) -> None:
    conversation = Conversation("k")

    async def watch() -> Turn:
        turn = conversation.begin("Why?", "both")
        async for seen in answer(runner, conversation, turn, request(STEADY, max_tokens=300)):
            if seen.answers and seen.answers[0].elapsed_s > 0.2:
                conversation.stop()
            last = seen
        return last

    last = asyncio.run(watch())
    assert [update.state for update in last.answers] == ["stopped"]
    assert [row.status for row in run_log.recent()] == ["cancelled"]


def test_who_stops_watching_stops_the_run(runner: Runner, run_log: RunLog) -> None:
    conversation = Conversation("k")

    async def watch() -> None:
        turn = conversation.begin("Why?", "stream")
        turns = answer(runner, conversation, turn, request(STEADY, max_tokens=300))
        async for seen in turns:
            if seen.text:
                break
        await turns.aclose()

    asyncio.run(watch())
    for run in runner.under_way():
        run.join(2)
    assert not conversation.busy
    assert conversation.turns()[0].answers[0].state == "stopped"
    assert conversation.turns()[0].text
    assert [row.status for row in run_log.recent()] == ["cancelled"]


def test_a_cleared_conversation_ends_its_event(runner: Runner, run_log: RunLog) -> None:
    conversation = Conversation("k")

    async def watch() -> list[Turn]:
        turn = conversation.begin("Why?", "stream")
        seen = []
        async for now in answer(runner, conversation, turn, request(STEADY, max_tokens=300)):
            seen.append(now)
            conversation.clear()
        return seen

    assert len(asyncio.run(watch())) <= 2
    for run in runner.under_way():
        run.join(2)
    assert [row.status for row in run_log.recent()] == ["cancelled"]


def test_a_refused_question_leaves_no_trace(runner: Runner, run_log: RunLog) -> None:
    conversation = Conversation("k")
    with pytest.raises(InvalidValueError, match="temperature must be between 0 and 1"):
        all_of(runner, conversation, request(temperature=3.0))
    assert conversation.turns() == ()
    assert not conversation.busy
    assert run_log.recent() == []
