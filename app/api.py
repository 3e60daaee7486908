"""The HTTP API: ask, stream, list models, read the run log. Same process and port as the page, same runner.

Bad input is 400 with a sentence that names the field; before the stream faults are statuses, inside it they are events.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.types import Lifespan

from app import __version__
from app.api_errors import add_error_handlers, error_response
from app.api_schema import (
    AS_TEXT,
    ASKING,
    EVENTS_ONLY,
    LOG_AS_CSV,
    GenerateBody,
    Health,
    ModelsAnswer,
    failures,
)
from app.demo import add_demo
from app.live import RunUpdate
from app.records import RunLabels
from app.run import Run
from app.services import Services
from app.sse import Streams, closing, read_position, stored_events
from app.telemetry import CONTENT_TYPE
from metrics.exports import to_csv
from providers.errors import InvalidValueError
from providers.retry import RetryPolicy
from providers.types import Api, GenerationRequest, InferenceConfig, Message

LAST_WORDS_S = 2.0
"""What a stream has, when the server is told to end, for the ending of its answer; without it there would be none."""


def build_api(services: Services, lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """The API as an application of its own; the page is mounted onto it."""
    app = FastAPI(
        title="Streaming playground for Amazon Bedrock",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own page is drawn by scripts of another host
        redoc_url=None,
    )
    add_error_handlers(app)
    app.include_router(_router(services))
    _add_docs(app)
    _describe(app)
    add_demo(app)
    _add_other_routes(app)
    return app


def _describe(app: FastAPI) -> None:
    """FastAPI adds a 422 to every description; here bad input is 400."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        schema = described()
        for path in schema["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        for unused in ("HTTPValidationError", "ValidationError"):
            schema["components"]["schemas"].pop(unused, None)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to change it


def _add_docs(app: FastAPI) -> None:
    """The description at `/docs`, with Swagger UI from a package: it works offline, and under our content policy."""
    app.mount("/docs/assets", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="docs-assets")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/docs/assets/favicon-32x32.png",
        )


def _add_other_routes(app: FastAPI) -> None:
    """Everything else under `/api` is answered here, in our words: the page that is mounted behind would take it."""
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    @app.api_route("/api/{rest:path}", methods=methods, include_in_schema=False)
    async def nowhere(request: Request, rest: str) -> Response:  # the name in the path
        others = [method for method in methods if _is_answered(app, request, method)]
        if not others:
            raise HTTPException(404, "There is no such route here. /docs lists those that there are.")
        sentence = f"This route is asked with {' or '.join(others)}."
        raise HTTPException(405, sentence, headers={"Allow": ", ".join(others)})


def _is_answered(app: FastAPI, request: Request, method: str) -> bool:
    """Whether a route that is described answers this path with `method`."""
    described = app.openapi()["paths"]
    path = request.url.path
    known = described.get(path) or (described["/api/runs/{run_id}"] if path.startswith("/api/runs/") else {})
    return method.lower() in known


def _router(services: Services) -> APIRouter:
    router = APIRouter()
    streams = Streams()

    @router.get("/healthz", summary="Whether the server is up, and which backend answers", response_model=Health)
    async def healthz() -> dict[str, str | None]:
        status = services.backends.status
        return {"status": "ok", "backend": status.backend, "region": status.region, "version": __version__}

    @router.get(
        "/metrics",
        summary="Figures for operators, as Prometheus reads them",
        response_class=Response,
        responses=AS_TEXT,
    )
    def metrics() -> Response:
        return Response(services.telemetry.exposition(), media_type=CONTENT_TYPE)

    @router.get("/api/models", summary="What can be chosen", response_model=ModelsAnswer)
    async def models() -> dict[str, Any]:
        return {
            "models": [asdict(model) for model in services.backends.models()],
            "default": services.backends.default_model(),
        }

    @router.post(
        "/api/generate",
        summary="Ask a model: a complete answer, or with `stream` an event stream",
        responses=ASKING,
    )
    async def generate(body: GenerateBody, request: Request) -> Response:
        return await _answer(services, streams, body, request)

    @router.get(
        "/api/generate",
        summary="The same for EventSource: always an event stream unless stream=false",
        responses=ASKING,
    )
    async def generate_get(
        request: Request,
        prompt: str = "",
        model_id: str | None = None,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = 500,
        top_p: float | None = None,
        stop_sequences: Annotated[list[str] | None, Query()] = None,
        stream: bool = True,
        resume: Literal["auto", "off"] = "auto",
        family: str | None = None,
        api: Api = "auto",
    ) -> Response:
        body = GenerateBody(
            prompt=prompt,
            messages=None,
            model_id=model_id,
            system=system,
            temperature=temperature,
            max_tokens=max_tokens,
            top_p=top_p,
            stop_sequences=stop_sequences or [],
            stream=stream,
            resume=resume,
            family=family,
            api=api,
        )
        return await _answer(services, streams, body, request)

    @router.post(
        "/api/generate/stream",
        summary="Ask a model: always an event stream",
        responses=EVENTS_ONLY,
        response_class=Response,
    )
    async def generate_stream(body: GenerateBody, request: Request) -> Response:
        return await _answer(services, streams, body.model_copy(update={"stream": True}), request)

    _add_run_log(router, services)
    return router


def _add_run_log(router: APIRouter, services: Services) -> None:
    """Reading the log. Plain functions: they wait for the database, so they run in threads."""

    @router.get(
        "/api/runs",
        summary="The run log, newest first, by the columns of docs/metrics.md",
        responses=LOG_AS_CSV | failures(400, 503),
    )
    def runs(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        model_id: str | None = None,
        mode: Literal["stream", "sync"] | None = None,
        status: Literal["completed", "interrupted", "cancelled", "failed"] | None = None,
        format: Literal["json", "csv"] = "json",  # the name in the query string
    ) -> Response:
        found = services.run_log.recent(limit, model_id=model_id, mode=mode, status=status)
        rows = [record.to_row() for record in found]
        if format == "csv":
            headers = {"Content-Disposition": 'attachment; filename="runs.csv"'}
            return Response(to_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)
        return JSONResponse({"runs": rows})

    @router.get("/api/runs/{run_id}", summary="One run, with its chunk times", responses=failures(400, 404, 503))
    def one_run(run_id: str) -> Response:
        record = services.run_log.get(run_id)
        if record is None:
            raise HTTPException(404, "There is no run with this id.")
        return JSONResponse(record.to_row())


# --- asking -----------------------------------------------------------------------------------------------------------


async def _answer(services: Services, streams: Streams, body: GenerateBody, request: Request) -> Response:
    back_to = request.headers.get("last-event-id", "")
    if body.stream and back_to:
        return await _go_on(services, streams, back_to)
    # Not on the event loop: a run that begins waits for its place in the log.
    run = await run_in_threadpool(
        services.runner.start,
        _request(services, body),
        RunLabels(mode="stream" if body.stream else "sync"),
        policy=RetryPolicy(resume=True, restart=True) if body.resume == "auto" else RetryPolicy(),
    )
    return _event_stream(streams.events(run)) if body.stream else await _complete(run, request)


async def _go_on(services: Services, streams: Streams, event_id: str) -> Response:
    """The way back into a run, for a client that lost its connection. Never a second call to the model."""
    position = read_position(event_id)
    if position is None:
        raise InvalidValueError("Last-Event-ID is not the id of an event of this server.", field="Last-Event-ID")
    run_id, resets, sent = position
    if sent < 0:
        return Response(status_code=204)  # it has the ending already; this tells EventSource to stay away
    run = streams.find(run_id)
    if run is not None:
        return _event_stream(streams.events(run, resets=resets, sent=sent))
    record = await run_in_threadpool(services.run_log.get, run_id)
    if record is None:
        raise HTTPException(404, "The answer that this connection belonged to is not known here any more.")
    return _event_stream(stored_events(record, resets, sent))


def _event_stream(events: AsyncGenerator[ServerSentEvent]) -> Response:
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return EventSourceResponse(events, headers=headers, sep="\n", shutdown_grace_period=LAST_WORDS_S)


def _request(services: Services, body: GenerateBody) -> GenerationRequest:
    turns = [Message(role=turn.role, text=turn.content) for turn in body.messages or () if turn.role != "system"]
    system = [turn.content for turn in body.messages or () if turn.role == "system"]
    if body.prompt is not None and body.prompt.strip():
        turns.append(Message(role="user", text=body.prompt))
    if not turns:
        raise InvalidValueError(
            "Prompt is required: send `prompt`, or `messages` with at least one turn.", field="prompt"
        )
    return GenerationRequest(
        model_id=body.model_id or services.backends.default_model(),
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


async def _complete(run: Run, request: Request) -> Response:
    """Waits for the whole answer; a client that leaves ends the model's work."""
    try:
        async with aclosing(run.updates(per_s=10)) as updates:
            async for update in updates:
                if update.ended:
                    return _whole(update)
                if await request.is_disconnected():
                    break
    finally:
        run.cancel()
    return Response(status_code=499)  # nobody reads it


def _whole(update: RunUpdate) -> Response:
    if update.failure is not None:
        return error_response(update.failure)
    assert update.record is not None  # every run that ended has its record
    told = closing(update.record, update.stop_reason)
    return JSONResponse({"text": update.text, "model_id": update.model_id, **told})
