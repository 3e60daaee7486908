"""A run as server-sent events, and the way back into it for a client that lost its connection.

Every event carries an id that says how far the client is. A client that goes away has a short grace to come back, as
a browser's own reconnect does; then the run is cancelled. Whoever comes back later gets what is stored and the ending,
never a second call to the model.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import OrderedDict
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any

from sse_starlette import ServerSentEvent

from app.forgetting import is_gone
from app.live import RunFailure, RunUpdate
from app.records import stop_reason_of
from app.run import Run
from metrics.record import RunRecord
from metrics.texts import texts_of

RETRY_MS = 250
GRACE_S = 0.7
PROGRESS_PER_S = 8.0
KEPT_RUNS = 200
END = "end"


class Streams:
    """The runs that a client may come back to. Lives on the server's event loop; the last ones are kept."""

    def __init__(self, grace_s: float = GRACE_S, *, most: int = KEPT_RUNS) -> None:
        self._grace_s = grace_s
        self._most = most
        self._lock = threading.Lock()  # for `forget`, which comes from other threads
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._watchers: dict[str, int] = {}
        self._graces: dict[str, asyncio.TimerHandle] = {}

    def find(self, run_id: str) -> Run | None:
        """The run with this id, if it is still kept."""
        return self._runs.get(run_id)

    def forget(self, run_ids: Collection[str] | None) -> None:
        """Keeps these runs no longer, with `None` none at all; those that are under way stay. From any thread."""
        with self._lock:
            for run_id, run in list(self._runs.items()):
                if is_gone(run_id, run_ids) and run.snapshot().ended:
                    del self._runs[run_id]

    async def events(self, run: Run, *, resets: int = 0, sent: int = 0) -> AsyncGenerator[ServerSentEvent]:
        """The events of `run`, from piece number `sent` of the answer after `resets` beginnings."""
        with self.watching(run):
            async with aclosing(_events(run, resets, sent)) as events:
                async for event in events:
                    yield event

    @contextmanager
    def watching(self, run: Run, *, grace_s: float | None = None) -> Iterator[None]:
        """While it is entered somebody waits for `run`. It is cancelled when the last one has left, after a grace."""
        self.keep(run)
        self._watchers[run.id] = self._watchers.get(run.id, 0) + 1
        if run.id in self._graces:
            self._graces.pop(run.id).cancel()
        try:
            yield
        finally:
            self._watchers[run.id] -= 1
            if not self._watchers[run.id]:
                del self._watchers[run.id]
                grace_s = self._grace_s if grace_s is None else grace_s
                self._graces[run.id] = asyncio.get_running_loop().call_later(grace_s, self._end_grace, run)

    def keep(self, run: Run) -> None:
        """Makes `run` one that a client may come back to, in the place of the oldest one that has ended."""
        with self._lock:
            self._runs[run.id] = run
            if len(self._runs) > self._most:
                ended = (run_id for run_id, kept in self._runs.items() if kept.snapshot().ended)
                self._runs.pop(next(ended, ""), None)

    def _end_grace(self, run: Run) -> None:
        del self._graces[run.id]
        run.cancel()


def read_position(event_id: str) -> tuple[str, int, int] | None:
    """Run id, beginnings and pieces from an event's id; `None` where it is none of ours. An ending has -1 pieces."""
    run_id, _, rest = event_id.partition(":")
    resets, _, sent = rest.partition(":")
    if not run_id or not resets.isdecimal() or not (sent == END or sent.isdecimal()):
        return None
    return run_id, int(resets), -1 if sent == END else int(sent)


async def _events(run: Run, resets: int, sent: int) -> AsyncGenerator[ServerSentEvent]:
    status: dict[str, Any] = {}
    next_progress_s = 0.0
    async with aclosing(run.updates(each_piece=True)) as updates:
        async for update in updates:
            begun, pieces = run.since(resets, sent)
            if begun > resets:
                sent, resets = 0, begun
                yield _named("reset", {}, f"{run.id}:{resets}:0")
            told = _status(update, status.get("state"))
            if told != status and not update.ended:
                status = told
                yield _named("status", status, f"{run.id}:{resets}:{sent}")
            for piece in pieces:
                sent += 1
                yield _unnamed({"text": piece}, f"{run.id}:{resets}:{sent}")
            if update.ended or update.elapsed_s >= next_progress_s:
                next_progress_s = update.elapsed_s + 1 / PROGRESS_PER_S
                yield _named("progress", _progress(update), f"{run.id}:{resets}:{sent}")
        yield _unnamed(ending(update), f"{run.id}:{resets}:{END}")


async def stored_events(record: RunRecord, resets: int, sent: int) -> AsyncGenerator[ServerSentEvent]:
    """What the log has of a run that is no longer kept, from piece number `sent` on, and its ending."""
    sizes = [chars for _, kind, chars in record.chunks or () if kind == "text"]
    if texts_of(record) != "full" and (record.resends or sent < len(sizes)):
        yield _unnamed(_failed(not_kept(record)), f"{record.run_id}:{resets}:{END}")
        return
    if record.resends:  # the client may hold text of an answer that was begun again
        sent, resets = 0, resets + 1
        yield _named("reset", {}, f"{record.run_id}:{resets}:0")
    if sent < len(sizes):
        rest = record.response[sum(sizes[:sent]) :]
        yield _unnamed({"text": rest}, f"{record.run_id}:{resets}:{len(sizes)}")
    failure = stored_failure(record)
    data = _failed(failure) if failure else {"done": True, **closing(record, stop_reason_of(record))}
    yield _unnamed(data, f"{record.run_id}:{resets}:{END}")


def _failed(failure: RunFailure) -> dict[str, Any]:
    return {"error": failure.sentence, "type": failure.type, "request_id": failure.request_id}


def stored_failure(record: RunRecord) -> RunFailure | None:
    """Why the answer that the log has is not whole; `None` where it is."""
    if record.status == "completed":
        return None
    sentence = record.error_message or "The answer was stopped."
    return RunFailure(sentence=sentence, type=record.error_type or "Cancelled", request_id=record.request_id)


def not_kept(record: RunRecord) -> RunFailure:
    """What is said in place of an answer whose text the log was told not to keep."""
    sentence = (
        "The text of this answer was not kept (--log-text), so that it cannot be sent again. Its figures are in "
        f"/api/runs/{record.run_id}."
    )
    return RunFailure(sentence=sentence, type="TextNotKept", request_id=record.request_id)


def ending(update: RunUpdate) -> dict[str, Any]:
    """The last event of a run."""
    if update.failure is not None:
        return _failed(update.failure)
    if update.state == "stopped":
        return {"error": "The answer was stopped.", "type": "Cancelled", "request_id": None}
    assert update.record is not None  # every run that ended has its record
    return {"done": True, **closing(update.record, update.stop_reason)}


def closing(record: RunRecord, stop_reason: str | None) -> dict[str, Any]:
    """What is told of an answer beside its text. Usage holds only what the service reported."""
    return {
        "latency": record.duration_s,
        "usage": {"input_tokens": record.input_tokens, "output_tokens": record.output_tokens},
        "stop_reason": stop_reason,
        "metrics": {
            "queued_s": record.queued_s,
            "duration_s": record.duration_s,
            "time_to_first_chunk_s": record.time_to_first_chunk_s,
            "time_to_visible_s": record.time_to_visible_s,
            "time_to_last_chunk_s": record.time_to_last_chunk_s,
            "decode_tokens_per_s": record.decode_tokens_per_s,
            "output_tokens_per_s": record.output_tokens_per_s,
            "chunk_count": record.chunk_count,
            "longest_gap_s": record.inter_chunk_max_s,
            "server_latency_s": record.server_latency_s,
            "tokens_estimated": record.tokens_estimated,
            "cost_usd": record.cost_usd,
        },
        "run_id": record.run_id,
    }


def _status(update: RunUpdate, before: str | None) -> dict[str, Any]:
    """The state in the API's words. `before` is the one that was told last: text that flows again is `resumed`."""
    retry = update.retry
    state: str = update.state
    if state == "retrying" and update.text:
        state = "reconnecting"
    elif state == "thinking":
        state = "streaming"
    if state == "streaming" and before in ("retrying", "reconnecting", "stalled", "resumed"):
        state = "resumed"
    return {
        "state": state,
        "attempt": update.resends + 1,
        "of": update.attempts,
        "wait_s": retry.wait_s if retry else None,
    } | ({} if update.ahead is None else {"ahead": update.ahead})


def _progress(update: RunUpdate) -> dict[str, Any]:
    rate, progress, done = update.rate, update.progress, update.state == "done"
    return {
        "rate": rate.instantaneous_per_s if rate else None,
        "tokens": update.tokens,
        "fraction": 1.0 if done else progress.fraction if progress else None,
        "eta_s": 0.0 if done else progress.eta_s if progress else None,
    }


def _named(event: str, data: Mapping[str, Any], event_id: str) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(data, ensure_ascii=False), event=event, id=event_id, retry=RETRY_MS)


def _unnamed(data: Mapping[str, Any], event_id: str) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(data, ensure_ascii=False), id=event_id)
