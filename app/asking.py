"""What becomes of a question that came over HTTP: the run that it starts, the one that it was asked for before, or the
one that its client lost. Answers are complete or streamed; `sse.py` has the events, `idempotency.py` the keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException

from app.api_errors import STATUSES, error_response
from app.api_schema import GenerateBody
from app.idempotency import AskedBefore, AskedBy
from app.live import RunFailure, RunUpdate
from app.records import RunLabels, stop_reason_of
from app.run import Run
from app.services import Services
from app.sse import GRACE_S, KEPT_RUNS, Streams, closing, not_kept, read_position, stored_events, stored_failure
from metrics.record import RunRecord
from metrics.texts import texts_of
from providers import errors
from providers.errors import InvalidValueError
from providers.retry import RetryPolicy
from providers.types import GenerationRequest, InferenceConfig, Message

LAST_WORDS_S = 2.0
"""What a stream has, when the server is told to end, for the ending of its answer; without it there would be none."""


class Asking:
    """Answers questions. Lives on the server's event loop; the last `kept_runs` are found again without the log."""

    def __init__(self, services: Services, *, kept_runs: int = KEPT_RUNS) -> None:
        self._services = services
        self._streams = Streams(most=kept_runs)
        services.forgetting.subscribe(self._streams.forget)
        self._before = AskedBefore()

    async def answer(self, body: GenerateBody, request: Request, key: str | None = None) -> Response:
        """The answer to `body`. With the id of an event in the headers it is the rest of that one's run; with a `key`
        that was sent before, by the same login, the same run again. Raises what `Runner.start` raises."""
        back_to = request.headers.get("last-event-id", "")
        if body.stream and back_to:
            return await self._go_on(back_to)
        if key is not None:
            return await self._once(body, request, key)
        run = await self._start(body)
        return self._events(run) if body.stream else await self._complete(run, request, grace_s=0)

    async def _start(self, body: GenerateBody) -> Run:
        # Not on the event loop: a run that begins waits for its place in the log.
        return await run_in_threadpool(
            self._services.runner.start,
            self._request(body),
            RunLabels(mode="stream" if body.stream else "sync"),
            policy=RetryPolicy(resume=True, restart=True) if body.resume == "auto" else RetryPolicy(),
        )

    async def _once(self, body: GenerateBody, request: Request, key: str) -> Response:
        """The run of this key from its beginning: it is started the first time, and found again ever after."""

        async def begin() -> str:
            run = await self._start(body)
            self._streams.keep(run)
            return run.id

        login: str = getattr(request.state, "login", "")
        said = hashlib.sha256(body.model_dump_json().encode()).digest()
        await self._free_after_passing_failure((login, key))
        run_id = await self._before.run_id((login, key), said, begin)
        match await self._found(run_id):
            case Run() as run:
                return self._events(run) if body.stream else await self._complete(run, request, grace_s=GRACE_S)
            case RunRecord() as record:
                return _event_stream(stored_events(record, 0, 0)) if body.stream else _stored(record)
        raise HTTPException(404, "The answer to this Idempotency-Key is not known here any more.")

    async def _free_after_passing_failure(self, asked_by: AskedBy) -> None:
        """A run that failed without a word, by something that passes, is no answer to keep: who was told to come back
        later is answered then."""
        run_id = self._before.begun(asked_by)
        if run_id is not None and _failed_in_passing(await self._found(run_id)):
            self._before.forget(asked_by, run_id)

    async def _go_on(self, event_id: str) -> Response:
        """The way back into a run, for a client that lost its connection. Never a second call to the model."""
        position = read_position(event_id)
        if position is None:
            raise InvalidValueError("Last-Event-ID is not the id of an event of this server.", field="Last-Event-ID")
        run_id, resets, sent = position
        if sent < 0:
            return Response(status_code=204)  # it has the ending already; this tells EventSource to stay away
        match await self._found(run_id):
            case Run() as run:
                return self._events(run, resets, sent)
            case RunRecord() as record:
                return _event_stream(stored_events(record, resets, sent))
        raise HTTPException(404, "The answer that this connection belonged to is not known here any more.")

    async def _found(self, run_id: str) -> Run | RunRecord | None:
        """The run where it is still kept, otherwise what the log has of it."""
        return self._streams.find(run_id) or await run_in_threadpool(self._services.run_log.get, run_id)

    def _events(self, run: Run, resets: int = 0, sent: int = 0) -> Response:
        return _event_stream(self._streams.events(run, resets=resets, sent=sent))

    async def _complete(self, run: Run, request: Request, *, grace_s: float) -> Response:
        """Waits for the whole answer. A client that leaves ends the model's work, unless somebody else waits."""
        with self._streams.watching(run, grace_s=grace_s):
            async with aclosing(run.updates(per_s=10)) as updates:
                async for update in updates:
                    if update.ended:
                        return _whole(update)
                    if await request.is_disconnected():
                        break
        return Response(status_code=499)  # nobody reads it

    def _request(self, body: GenerateBody) -> GenerationRequest:
        turns = [Message(role=turn.role, text=turn.content) for turn in body.messages or () if turn.role != "system"]
        system = [turn.content for turn in body.messages or () if turn.role == "system"]
        if body.prompt is not None and body.prompt.strip():
            turns.append(Message(role="user", text=body.prompt))
        if not turns:
            raise InvalidValueError(
                "Prompt is required: send `prompt`, or `messages` with at least one turn.", field="prompt"
            )
        return GenerationRequest(
            model_id=body.model_id or self._services.backends.default_model(),
            messages=tuple(turns),
            system=body.system or "\n\n".join(system) or None,
            inference=InferenceConfig(
                max_tokens=body.max_tokens,
                temperature=body.temperature,
                top_p=body.top_p,
                stop_sequences=tuple(body.stop_sequences),
            ),
            family=body.family,
            api=body.api,
        )


# Errors travel by the names of their classes, in updates as in rows.
_PASSING = frozenset(
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.TransientError)
)


def _failed_in_passing(found: Run | RunRecord | None) -> bool:
    """Whether nothing was delivered of this run, and the same request may succeed later."""
    match found:
        case Run():
            seen = found.snapshot()
            kind = seen.failure.type if seen.failure and not seen.text and not seen.resets else None
        case RunRecord():
            kind = None if any(piece == "text" for _, piece, _ in found.chunks or ()) else found.error_type
        case None:
            kind = None
    return kind is not None and (kind in _PASSING or STATUSES.get(kind) in (429, 503))


def _event_stream(events: AsyncGenerator[ServerSentEvent]) -> Response:
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return EventSourceResponse(events, headers=headers, sep="\n", shutdown_grace_period=LAST_WORDS_S)


def _whole(update: RunUpdate) -> Response:
    if update.failure is not None:
        return error_response(update.failure)
    assert update.record is not None  # every run that ended has its record
    if update.state == "stopped":
        return _stopped(update.record)
    told = closing(update.record, update.stop_reason)
    return JSONResponse({"text": update.text, "model_id": update.model_id, **told})


def _stored(record: RunRecord) -> Response:
    """The same from a row of the log."""
    if record.status == "cancelled":
        return _stopped(record)
    failure = stored_failure(record)
    if failure is None and texts_of(record) != "full":
        failure = not_kept(record)
    if failure is not None:
        return error_response(failure)
    told = closing(record, stop_reason_of(record))
    return JSONResponse({"text": record.response, "model_id": record.request_model, **told})


def _stopped(record: RunRecord) -> Response:
    """Somebody comes back too late for an answer that ended because nobody waited for it any more."""
    sentence = (
        "The answer to this Idempotency-Key was stopped, because nobody waited for it any more. What was said is in "
        f"/api/runs/{record.run_id}; to ask again take another key."
    )
    return error_response(RunFailure(sentence=sentence, type="Cancelled", request_id=record.request_id))
