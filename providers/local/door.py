"""Who may talk to the local endpoint: programs on this machine, and no page of another site. And how it refuses."""

from __future__ import annotations

import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from providers.local import event_stream
from providers.local.answers import Fault

ALLOWED_HOSTS = ("127.0.0.1", "localhost", "[::1]")


class FrontDoor:
    """Gives every answer a request id, and refuses what a web page of another origin sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid.uuid4())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = MutableHeaders(scope=message)
                told["x-amzn-RequestId"] = request_id
                told["x-content-type-options"] = "nosniff"
            await send(message)

        app = _refuse_page if _is_foreign_page(Headers(scope=scope)) else self._app
        await app(scope, receive, send_with_id)


def _is_foreign_page(told: Headers) -> bool:
    """Whether a browser sends this for a page of another origin."""
    origin = told.get("origin")
    if origin is not None and origin.lower() != f"http://{told.get('host', '').lower()}":
        return True
    return told.get("sec-fetch-site", "none") not in ("none", "same-origin")


async def _refuse_page(scope: Scope, receive: Receive, send: Send) -> None:
    fault = Fault(status=403, code="AccessDeniedException", message="Web pages of other origins may not call this.")
    await fault_response(fault)(scope, receive, send)


def fault_response(fault: Fault) -> Response:
    """An error as the service sends it."""
    return Response(
        event_stream.to_json({"message": fault.message}),
        status_code=fault.status,
        media_type="application/json",
        headers={"x-amzn-ErrorType": fault.code},
    )
