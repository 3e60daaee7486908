"""The application's services on a temporary log, and its API on a real socket."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.types import ASGIApp

from app.api import build_api
from app.guard import Guard
from app.services import make_services
from metrics.run_log import RunLog
from providers.connect import Backends
from providers.local.launch import LocalEndpoint
from tests.wire import WireServer, wire_server


@pytest.fixture
def run_log(tmp_path: Path) -> Iterator[RunLog]:
    with RunLog(f"sqlite:///{tmp_path / 'runs.db'}") as log:
        yield log


@pytest.fixture
def wire() -> Iterator[WireServer]:
    with wire_server() as server:
        yield server


@contextlib.contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """`app` on a free port of loopback, in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(5)
        listener.close()


@pytest.fixture
def here(run_log: RunLog, endpoint: LocalEndpoint) -> Iterator[str]:
    """The API without AWS, on the local endpoint."""
    services = make_services(Backends("local", local_url=endpoint.url), run_log)
    with served(Guard(build_api(services), hosts=frozenset({"127.0.0.1", "localhost"}))) as url:
        yield url
    services.runner.close()


@pytest.fixture
def far(run_log: RunLog, wire: WireServer) -> Iterator[str]:
    """The API on an AWS that is a scripted wire."""
    services = make_services(Backends("auto", endpoint_url=wire.url), run_log)
    with served(Guard(build_api(services), hosts=frozenset({"127.0.0.1", "localhost"}))) as url:
        yield url
    services.runner.close()
