"""Updates, records and turns for the tests of what is drawn from them."""

from __future__ import annotations

from typing import Any

from app.conversations import Turn, TurnMode
from app.live import RunUpdate
from metrics.record import RunRecord


def a_record(**values: Any) -> RunRecord:
    """A completed streamed run of 7.4 s."""
    defaults: dict[str, Any] = {
        "run_id": "run-1",
        "status": "completed",
        "mode": "stream",
        "started_at": "2026-11-22T10:00:00.000000Z",
        "backend": "aws",
        "request_model": "us.amazon.nova-micro-v1:0",
        "request_stream": True,
        "duration_s": 7.4,
        "time_to_first_visible_s": 0.412,
        "time_to_visible_s": 0.412,
        "decode_tokens_per_s": 61.7,
        "output_tokens_per_s": 55.7,
        "output_tokens": 412,
        "tokens_source": "usage",
    }
    return RunRecord(**(defaults | values))


def an_update(**values: Any) -> RunUpdate:
    """A streamed answer that is done."""
    defaults: dict[str, Any] = {
        "run_id": "run-1",
        "model_id": "us.amazon.nova-micro-v1:0",
        "mode": "stream",
        "simulated": False,
        "state": "done",
        "elapsed_s": 7.41,
        "text": "Because.",
        "first_text_s": 0.412,
        "tokens": 412,
        "tokens_reported": True,
        "record": a_record(),
    }
    return RunUpdate(**(defaults | values))


def a_live_update(**values: Any) -> RunUpdate:
    """A streamed answer on its way."""
    return an_update(**({"state": "streaming", "record": None, "tokens_reported": False} | values))


def a_complete_update(**values: Any) -> RunUpdate:
    """A complete answer that is done."""
    record = a_record(mode="sync", run_id="run-2", time_to_first_visible_s=None, time_to_visible_s=7.4)
    return an_update(**({"run_id": "run-2", "mode": "sync", "first_text_s": None, "record": record} | values))


def a_turn(*answers: RunUpdate, mode: TurnMode = "stream", **values: Any) -> Turn:
    """A turn that has ended."""
    defaults: dict[str, Any] = {"id": 1, "question": "Why?", "mode": mode, "answers": answers}
    return Turn(**(defaults | values))
