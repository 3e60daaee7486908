"""The HTTP side of the local endpoint: Bedrock Runtime's four text operations on loopback, for any boto3 program.

    POST /model/{modelId}/invoke     POST /model/{modelId}/invoke-with-response-stream
    POST /model/{modelId}/converse   POST /model/{modelId}/converse-stream            GET /

Paths, headers and errors: botocore 1.44.5 service model. Any signature is taken: what guards the door is that it
listens on loopback only, looks at the Host header, and refuses every request that a foreign web page makes. A stream's
headers go out when the model has accepted the prompt, so that a refusal is an HTTP error and not a broken stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from providers.errors import ProviderError, ServiceUnavailableError, ThrottledError
from providers.local import event_stream, headers
from providers.local.answers import Answer, Fault, fault_of
from providers.local.door import ALLOWED_HOSTS, FrontDoor, fault_response
from providers.local.requests import Model, Question, WireApi, read_question

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_BODY_BYTES = 8_000_000
MAX_CALLS = 64
"""Calls under way at once, those that wait for the model included. Each holds a thread."""

_SHUTTING_DOWN = "The endpoint is shutting down."


class Service:
    """The calls under way, and the threads that they run on."""

    def __init__(
        self,
        models: Mapping[str, Model],
        default: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self.models = models
        self.default = default
        self.rng = rng or random.Random()
        self._clock = clock
        self._threads = ThreadPoolExecutor(MAX_CALLS, thread_name_prefix="local-endpoint")
        self._stops: dict[threading.Event, tuple[Model, str | None]] = {}

    @property
    def active(self) -> int:
        """Calls under way."""
        return len(self._stops)

    def ahead(self, call_id: str) -> int | None:
        """How many stand in a model's line before the call that named itself so; `None` where it is in no line. Safe
        from any thread."""
        for stop, (model, named) in tuple(self._stops.items()):
            if named == call_id:
                return model.ahead(stop)
        return None

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """`work` on a thread; the event loop stays free. Raises what it raises."""
        try:
            future = self._threads.submit(work, *arguments)
        except RuntimeError as error:  # the interpreter is on its way out
            raise ServiceUnavailableError(_SHUTTING_DOWN) from error
        return await asyncio.wrap_future(future)

    @contextlib.asynccontextmanager
    async def answering(
        self, question: Question, received_s: float, receive: Receive, call_id: str | None
    ) -> AsyncIterator[Answer]:
        """An answer whose model stops working when the client goes away, or when this block is left."""
        if self.active >= MAX_CALLS:
            raise ThrottledError("Too many requests, please wait before trying again.")
        stop = threading.Event()
        self._stops[stop] = (question.model, call_id)
        watcher = asyncio.create_task(_stop_on_disconnect(receive, stop))
        try:
            yield Answer(question, stop, received_s=received_s, clock=self._clock)
        finally:
            stop.set()
            del self._stops[stop]
            watcher.cancel()

    def now_s(self) -> float:
        """The service's clock."""
        return self._clock()

    def stop_all(self) -> None:
        """Ends all calls; their clients are told."""
        for stop in tuple(self._stops):
            stop.set()

    def close(self) -> None:
        """Ends all calls and their threads."""
        self.stop_all()
        self._threads.shutdown()


async def _stop_on_disconnect(receive: Receive, stop: threading.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stop.set()


class Operation:
    """One of the four operations, as an ASGI application."""

    def __init__(self, service: Service, api: WireApi, *, streamed: bool) -> None:
        self._service = service
        self._api = api
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        service = self._service
        received_s = service.now_s()
        request = Request(scope, receive)
        try:
            body = await _read_body(request)
            question = read_question(
                service.models,
                service.default,
                request.path_params["model_id"],
                body,
                api=self._api,
                streamed=self._streamed,
            )
            call_id = request.headers.get(headers.CALL_ID)
            async with service.answering(question, received_s, receive, call_id) as answer:
                await service.run(answer.begin)
                if self._streamed:
                    await self._stream(question, answer, send)
                    return
                response = await self._complete(question, answer)
        except ClientDisconnect:
            return
        except _TooLargeError:
            response = fault_response(Fault(status=413, code="ValidationException", message=_TOO_LARGE))
        except ProviderError as error:
            response = fault_response(fault_of(error))
        await response(scope, receive, send)

    async def _complete(self, question: Question, answer: Answer) -> Response:
        whole = await self._service.run(answer.complete)
        if whole is None:
            raise ServiceUnavailableError(_SHUTTING_DOWN)
        told = {**whole.headers, **_told(question, answer)}
        return Response(event_stream.to_json(whole.body), media_type="application/json", headers=told)

    async def _stream(self, question: Question, answer: Answer, send: Send) -> None:
        told = MutableHeaders({"content-type": event_stream.CONTENT_TYPE, **_told(question, answer)})
        if self._api == "invoke":
            told["x-amzn-bedrock-content-type"] = "application/json"
        await send({"type": "http.response.start", "status": 200, "headers": told.raw})
        frames = answer.frames(self._service.rng)
        try:
            while (frame := await self._service.run(next, frames, None)) is not None:
                await send({"type": "http.response.body", "body": frame, "more_body": True})
            last = b"" if answer.ended else fault_of(ServiceUnavailableError(_SHUTTING_DOWN)).frame
        except ProviderError as error:
            logger.info("%s broke off: %s", question.model_id, error)
            last = fault_of(error).frame
        await send({"type": "http.response.body", "body": last, "more_body": False})


def _told(question: Question, answer: Answer) -> dict[str, str]:
    """What AWS does not tell: which model answered, and how long the request stood in its line."""
    queued = {} if answer.queued_s is None else {headers.QUEUED_MS: f"{answer.queued_s * 1000:.3f}"}
    return {headers.ANSWERED_BY: question.model_id, **queued}


# --- bodies and errors ------------------------------------------------------------------------------------------------

_TOO_LARGE = f"The request body is larger than {MAX_BODY_BYTES // 1_000_000} MB."


class _TooLargeError(Exception):
    """The body is over the limit."""


async def _read_body(request: Request) -> bytes:
    """The body. What is over the limit is read and dropped: boto3 listens only once it has sent everything."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > 8 * MAX_BODY_BYTES:
            break
        if size <= MAX_BODY_BYTES:
            pieces.append(piece)
    if size > MAX_BODY_BYTES:
        raise _TooLargeError
    return b"".join(pieces)


async def _unknown_operation(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return fault_response(
        Fault(status=status, code="UnknownOperationException", message="This endpoint has no such operation.")
    )


async def _internal_error(_: Request, __: Exception) -> Response:
    return fault_response(
        Fault(status=500, code="InternalServerException", message="The local endpoint failed; its log says more.")
    )


# --- the application --------------------------------------------------------------------------------------------------


def create_app(service: Service) -> Starlette:
    """The endpoint for the models of `service`."""

    async def about(_: Request) -> Response:
        return JSONResponse(
            {
                "service": "A local endpoint that speaks like Amazon Bedrock Runtime. It needs no AWS account.",
                "use": "Set AWS_ENDPOINT_URL_BEDROCK_RUNTIME to this address; any credentials will do.",
                "models": list(service.models),
                "other_ids": f"Ids of Bedrock models are answered by {service.default}, in the shape of their family.",
            }
        )

    def operation(verb: str, api: WireApi, *, streamed: bool) -> Route:
        return Route(f"/model/{{model_id:path}}/{verb}", Operation(service, api, streamed=streamed), methods=["POST"])

    return Starlette(
        routes=[
            operation("invoke", "invoke", streamed=False),
            operation("invoke-with-response-stream", "invoke", streamed=True),
            operation("converse", "converse", streamed=False),
            operation("converse-stream", "converse", streamed=True),
            Route("/", about),
        ],
        middleware=[
            Middleware(FrontDoor),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(ALLOWED_HOSTS), www_redirect=False),
        ],
        exception_handlers={HTTPException: _unknown_operation, Exception: _internal_error},
    )
