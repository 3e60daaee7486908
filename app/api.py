"""The routes of the HTTP API: ask, stream, list models, read the run log. Same process and port as the page, same
runner; what becomes of a question is in `asking.py`.

Bad input is 400 with a sentence that names the field; before the stream faults are statuses, inside it they are events.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import Lifespan

from app import __version__
from app.api_errors import add_error_handlers
from app.api_schema import (
    AS_TEXT,
    ASKING,
    ASKING_ONCE,
    EVENTS_ONLY,
    LOG_AS_CSV,
    GenerateBody,
    GenerateQuery,
    Health,
    IdempotencyKey,
    ModelsAnswer,
    RunsQuery,
    failures,
)
from app.asking import Asking
from app.demo import add_demo
from app.services import Services
from app.sse import KEPT_RUNS
from app.telemetry import CONTENT_TYPE
from metrics.exports import to_csv


def build_api(services: Services, lifespan: Lifespan[FastAPI] | None = None, *, kept_runs: int = KEPT_RUNS) -> FastAPI:
    """The API as an application of its own; the page is mounted onto it. Clients may come back to the last
    `kept_runs` as if they had never left, and to older ones as far as the log has them."""
    app = FastAPI(
        title="Streaming playground for Amazon Bedrock",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own page is drawn by scripts of another host
        redoc_url=None,
    )
    add_error_handlers(app)
    app.include_router(_router(services, kept_runs))
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


def _router(services: Services, kept_runs: int) -> APIRouter:
    router = APIRouter()
    _add_facts(router, services)
    _add_asking(router, Asking(services, kept_runs=kept_runs))
    _add_run_log(router, services)
    return router


def _add_facts(router: APIRouter, services: Services) -> None:
    """What the server is, and what it can be asked for."""

    @router.head("/healthz", include_in_schema=False)
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


def _add_asking(router: APIRouter, asking: Asking) -> None:
    """The routes that ask a model."""

    @router.post(
        "/api/generate",
        summary="Ask a model: a complete answer, or with `stream` an event stream",
        responses=ASKING_ONCE,
    )
    async def generate(body: GenerateBody, request: Request, idempotency_key: IdempotencyKey = None) -> Response:
        return await asking.answer(body, request, idempotency_key)

    @router.get(
        "/api/generate",
        summary="The same for EventSource: always an event stream unless stream=false",
        responses=ASKING,
    )
    async def generate_get(request: Request, query: Annotated[GenerateQuery, Query()]) -> Response:
        return await asking.answer(query.body(), request)

    @router.post(
        "/api/generate/stream",
        summary="Ask a model: always an event stream",
        responses=EVENTS_ONLY,
        response_class=Response,
    )
    async def generate_stream(body: GenerateBody, request: Request, idempotency_key: IdempotencyKey = None) -> Response:
        return await asking.answer(body.model_copy(update={"stream": True}), request, idempotency_key)


def _add_run_log(router: APIRouter, services: Services) -> None:
    """Reading the log. Plain functions: they wait for the database, so they run in threads."""

    @router.get(
        "/api/runs",
        summary="The run log, newest first, by the columns of docs/metrics.md",
        responses=LOG_AS_CSV | failures(400, 503),
    )
    def runs(query: Annotated[RunsQuery, Query()]) -> Response:
        found = services.run_log.recent(query.limit, model_id=query.model_id, mode=query.mode, status=query.status)
        rows = [record.to_row() for record in found]
        if query.format == "csv":
            headers = {"Content-Disposition": 'attachment; filename="runs.csv"'}
            return Response(to_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)
        return JSONResponse({"runs": rows})

    @router.get("/api/runs/{run_id}", summary="One run, with its chunk times", responses=failures(400, 404, 503))
    def one_run(run_id: str) -> Response:
        record = services.run_log.get(run_id)
        if record is None:
            raise HTTPException(404, "There is no run with this id.")
        return JSONResponse(record.to_row())
