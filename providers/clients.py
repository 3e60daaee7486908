"""boto3 clients as this project uses them: no retries of their own, room for many streams, and calls that can be cut.

What botocore keeps private is reached into here and nowhere else; `tests/providers/test_connect.py` fails when an
upgrade moves it.
"""

from __future__ import annotations

import socket
from typing import Any, cast

import boto3
import botocore.awsrequest
import botocore.config
import botocore.exceptions

from providers import cancellation
from providers.account import TIMEOUT_S, ControlClient
from providers.answer_head import KEPT_BYTES, UNREAD_BODY
from providers.base import RuntimeClient
from providers.errors import ConfigurationError
from providers.local import headers

DEFAULT_REGION = "us-west-2"
SERVICE = "bedrock-runtime"
STREAMING_OPERATIONS = ("ConverseStream", "InvokeModelWithResponseStream")
SILENCE_LIMIT_S = 300.0
COMPLETE_LIMIT_S = 3600.0

PLACEHOLDER_KEY = "playground"
"""Signs requests to endpoints that check no signature. It opens nothing anywhere."""


class _NotingConnection(botocore.awsrequest.AWSHTTPConnection):  # type: ignore[misc]  # botocore has no types
    """Tells the call that it carries where to cut, while no response exists yet."""

    def getresponse(self) -> Any:
        _note(self.sock)
        return super().getresponse()


class _NotingTlsConnection(botocore.awsrequest.AWSHTTPSConnection):  # type: ignore[misc]  # botocore has no types
    """The same over TLS."""

    def getresponse(self) -> Any:
        _note(self.sock)
        return super().getresponse()


class _NotingPool(botocore.awsrequest.AWSHTTPConnectionPool):  # type: ignore[misc]  # botocore has no types
    ConnectionCls = _NotingConnection


class _NotingTlsPool(botocore.awsrequest.AWSHTTPSConnectionPool):  # type: ignore[misc]  # botocore has no types
    ConnectionCls = _NotingTlsConnection


def _note(sock: socket.socket) -> None:
    call = cancellation.current()
    if call is not None:
        call.attach(lambda: sock.shutdown(socket.SHUT_RDWR))


def make_cancellable(client: Any) -> None:
    """Lets a call of `client` be cut while it waits for the response headers.

    This reaches into botocore (private, 1.44.5): there is no public way to the socket of a call without a response.
    `tests/providers/test_connect.py` fails when an upgrade moves it.
    """
    session = client._endpoint.http_session
    classes = {"http": _NotingPool, "https": _NotingTlsPool}
    session._pool_classes_by_scheme = classes
    session._manager.pool_classes_by_scheme = classes


def limit_silence(client: Any, silence_limit_s: float) -> None:
    """Gives streams a shorter read timeout than complete answers: those are silent until they are whole.

    botocore 1.44.5 takes the timeout of one request from its context (private; a test fails when that moves).
    """

    def on_request(request: Any, operation_name: str, **_: Any) -> None:
        if operation_name in STREAMING_OPERATIONS:
            request.context["read_timeout"] = silence_limit_s

    client.meta.events.register(f"request-created.{SERVICE}", on_request)


def name_calls(client: Any) -> None:
    """Lets the endpoint of this process tell how many stand before a call."""

    def on_request(request: Any, **_: Any) -> None:
        call = cancellation.current()
        if call is not None:
            request.headers[headers.CALL_ID] = call.call_id

    client.meta.events.register(f"request-created.{SERVICE}", on_request)


def keep_unread(client: Any) -> None:
    """Keeps the beginning of an answer to Converse that has none of its fields: botocore drops a body that is no
    JSON."""

    def on_answer(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        if "output" not in parsed:
            parsed["ResponseMetadata"][UNREAD_BODY] = http_response.content[:KEPT_BYTES]

    client.meta.events.register(f"after-call.{SERVICE}.Converse", on_answer)


def runtime_client(
    session: boto3.Session, *, region: str, endpoint_url: str | None = None, silence_limit_s: float = SILENCE_LIMIT_S
) -> RuntimeClient:
    """A `bedrock-runtime` client that never retries by itself and serves many streams at once.

    Retrying is done in one place (`providers/retry.py`), where it is counted and shown. `silence_limit_s` is how long
    a stream may say nothing, before its first text too; a complete answer may take an hour, as AWS asks for Nova
    (user guide, "Using the Converse API", read 2026-11); botocore's 60 s would cut both.
    """
    plain = endpoint_url is not None and endpoint_url.startswith("http://")
    config = botocore.config.Config(
        connect_timeout=5,
        read_timeout=COMPLETE_LIMIT_S,
        retries={"total_max_attempts": 1},
        max_pool_connections=128,
        tcp_keepalive=True,
        # A bearer token in the environment is refused over plain HTTP; a signature is not.
        signature_version="v4" if plain else None,
    )
    try:
        client = session.client(SERVICE, region_name=region, endpoint_url=endpoint_url, config=config)
    except (ValueError, botocore.exceptions.BotoCoreError) as error:
        raise ConfigurationError(f"No client for Bedrock: {error}. Check the region and the endpoint.") from error
    make_cancellable(client)
    keep_unread(client)
    limit_silence(client, silence_limit_s)
    return cast("RuntimeClient", client)


def control_client(session: boto3.Session, *, region: str) -> ControlClient:
    """A client of the control plane: one try, a few seconds. Raises `ConfigurationError`."""
    config = botocore.config.Config(
        connect_timeout=TIMEOUT_S, read_timeout=TIMEOUT_S, retries={"total_max_attempts": 1}
    )
    try:
        client = session.client("bedrock", region_name=region, config=config)
    except ValueError as error:
        raise ConfigurationError(f"No client for Bedrock's control plane: {error}") from error
    make_cancellable(client)
    return cast("ControlClient", client)


def local_client(endpoint_url: str, *, silence_limit_s: float = SILENCE_LIMIT_S) -> RuntimeClient:
    """A client of the endpoint on loopback: placeholder keys, no proxy, whatever the environment holds."""
    config = botocore.config.Config(
        connect_timeout=5,
        read_timeout=COMPLETE_LIMIT_S,
        retries={"total_max_attempts": 1},
        max_pool_connections=128,
        signature_version="v4",
        proxies={},
    )
    client = boto3.Session(
        aws_access_key_id=PLACEHOLDER_KEY, aws_secret_access_key=PLACEHOLDER_KEY, region_name=DEFAULT_REGION
    ).client(SERVICE, endpoint_url=endpoint_url, config=config)
    make_cancellable(client)
    keep_unread(client)
    limit_silence(client, silence_limit_s)
    name_calls(client)
    return cast("RuntimeClient", client)
