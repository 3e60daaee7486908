"""One turn of a conversation from its question to its last answer: starts the runs, one after the other, and tells
whoever watches how far they are. No gradio here."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.concurrency import run_in_threadpool

from app.conversations import Conversation, Turn
from app.records import RunLabels
from app.run import Run
from app.runner import Runner
from metrics.record import Mode
from providers.types import GenerationRequest


async def answer(
    runner: Runner,
    conversation: Conversation,
    turn: Turn,
    request: GenerationRequest,
    *,
    rng: random.Random | None = None,
) -> AsyncGenerator[Turn]:
    """The turn again and again while it is answered, the last time when it has ended; as often as a page should be
    drawn, and at least every 0.25 s.

    Both ways of asking go one after the other, in random order: at once they would slow each other down. Closing the
    generator stops what is under way and keeps what was said. Raises what `Runner.start` raises; the first time
    nothing was sent then, and the turn is taken back.
    """
    modes, pair_id = _plan(turn, rng or random.Random())
    try:
        for order, mode in enumerate(modes, start=1):
            labels = RunLabels(
                mode=mode,
                conversation_id=conversation.id,
                pair_id=pair_id,
                order_in_pair=order if pair_id else None,
            )
            # The first call of all starts the endpoint of this machine, which takes longer than a loop may wait.
            run = await run_in_threadpool(_start, runner, conversation, turn, request, labels)
            async for seen in _followed(run, conversation, turn):
                yield seen
            if conversation.stopping or run.snapshot().state != "done":
                break
    except (RuntimeError, ValueError):
        conversation.abandon(turn.id)
        raise
    finally:
        conversation.finish(turn.id)
    if ended := conversation.turn(turn.id):
        yield ended


def _start(
    runner: Runner, conversation: Conversation, turn: Turn, request: GenerationRequest, labels: RunLabels
) -> Run:
    """Attaches the run where it was started: a page that has gone meanwhile leaves no run without an owner."""
    run = runner.start(request, labels)
    conversation.attach(turn.id, run)
    return run


async def _followed(run: Run, conversation: Conversation, turn: Turn) -> AsyncGenerator[Turn]:
    async with aclosing(run.updates()) as updates:
        async for update in updates:
            seen = conversation.turn(turn.id)
            if seen is None:  # the conversation was cleared
                return
            if not update.ended:
                yield seen


def _plan(turn: Turn, rng: random.Random) -> tuple[tuple[Mode, ...], str | None]:
    match turn.mode:
        case "both":
            modes: tuple[Mode, Mode] = ("sync", "stream") if rng.random() < 0.5 else ("stream", "sync")
            return modes, uuid.uuid4().hex
        case mode:
            return (mode,), None
