"""Errors of the HTTP API: which status each has, and the one body that all share. No input is repeated in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.live import RunFailure
from metrics.run_log import RunLogError
from providers.errors import ProviderError

STATUSES: Mapping[str, int] = {
    "InvalidValueError": 400,
    "InvalidRequestError": 400,
    "ConfigurationError": 403,
    "AccessDeniedError": 403,
    "UnknownModelError": 404,
    "ModelNotFoundError": 404,
    "TextNotKept": 404,
    "Cancelled": 409,
    "ThrottledError": 429,
    "QuotaExceededError": 429,
    "BusyError": 503,
    "PlaygroundEndedError": 503,
    "ModelTimeoutError": 504,
    "ModelSilentError": 504,
}
"""Status by error class; every other failure of the service is 502."""


def error_response(failure: RunFailure) -> JSONResponse:
    """The status and body for a failure that happened before anything was sent."""
    status = STATUSES.get(failure.type, 502)
    headers = {"Retry-After": str(max(1, round(failure.retry_after_s or 1)))} if status in (429, 503) else None
    body = {"error": failure.sentence, "type": failure.type, "request_id": failure.request_id}
    return JSONResponse(body, status_code=status, headers=headers)


def add_error_handlers(app: FastAPI) -> None:
    """One body for every error: `error` (a sentence), `type`, `request_id`. No input is repeated in it."""

    @app.exception_handler(ProviderError)
    async def refused(_request: Request, error: ProviderError) -> JSONResponse:
        return error_response(RunFailure.of(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return _bad(_sentence(error.errors()[0]), 400, "InvalidValueError")

    @app.exception_handler(RunLogError)
    async def no_log(_request: Request, error: RunLogError) -> JSONResponse:
        return _bad(str(error), 503, "RunLogError")

    @app.exception_handler(HTTPException)
    async def other(_request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400 and error.__cause__ is not None:  # what broke FastAPI's reading of the body
            return _bad("The request body is not valid JSON.", 400, "InvalidValueError")
        return _bad(str(error.detail), error.status_code, "HTTPError", error.headers)


def _bad(sentence: str, status: int, kind: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": sentence, "type": kind, "request_id": None}, status_code=status, headers=headers)


def _sentence(problem: Mapping[str, Any]) -> str:
    """A sentence from one of pydantic's problems, without what was sent."""
    path = [str(part) for part in problem["loc"] if part not in ("body", "query", "path")]
    field = ".".join(path)
    match problem["type"]:
        case "json_invalid":
            return "The request body is not valid JSON."
        case "missing" if not field:
            return "Request body is required."
        case "missing":
            return f"{field} is required."
        case "extra_forbidden":
            return f"{field} is not a field of this request."
        case "model_attributes_type" | "model_type" | "dict_type":
            return "Request body is required: a JSON object, sent as application/json."
        case _:
            return f"{field or 'The request'}: {problem['msg']}."
