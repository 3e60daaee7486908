"""The web server: FastAPI with the API, Gradio mounted last at `/`, the guard around both, uvicorn underneath."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import socket
import sys
import webbrowser
from collections.abc import AsyncIterator

# Gradio asks its maker's servers for news unless this is set before it is imported.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
# These would open doors that are shut here: an editor of this program's own code, and pages of other origins.
os.environ.pop("GRADIO_VIBE_MODE", None)
os.environ.pop("GRADIO_LOCAL_DEV_MODE", None)

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from app.api import build_api
from app.guard import ANY_ADDRESS, Guard
from app.keys import Keys, RateLimit
from app.services import Services, close_services, open_services
from app.settings import Settings
from app.ui.page import build_page, page_options
from metrics.run_log import RunLogError
from providers.errors import ConfigurationError

log = logging.getLogger(__name__)

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
CALLS_PER_MINUTE = 600
"""Of each key. A page makes a few calls for every answer, so this is more than any person needs."""


def build_app(services: Services, *, hosts: frozenset[str] = LOOPBACK, keys: Keys | None = None) -> ASGIApp:
    """The whole application. `hosts` are the names that it answers to; with `keys` it answers nobody without one."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        close_services(services)

    app = build_api(services, lifespan)
    page = build_page(services)
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        show_error=False,
        run_history=False,
        footer_links=[],
        allowed_paths=[],
        max_file_size="1mb",
        ssr_mode=False,
        mcp_server=True,
        enable_monitoring=False,
        pwa=False,
        **page_options(),
    )
    # Gradio checks the file paths that a browser sends only for an app that was launched; a mounted one never is.
    page.has_launched = True
    return Guard(app, hosts=hosts, keys=keys, limit=RateLimit(CALLS_PER_MINUTE))


class _Server(uvicorn.Server):
    """Stops the runs before it waits for their streams to end. Not in the signal's handler: that may interrupt the
    loop's thread while it holds the very locks that stopping needs."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self._services = services

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends the experiment and the runs, then the server."""
        if self._services.experiments.current is not None:
            self._services.experiments.current.cancel()
        self._services.runner.cut_all()
        await super().shutdown(sockets)


def serve_on(listener: socket.socket, settings: Settings, keys: Keys | None) -> int:
    """Serves on `listener` until it is told to stop; gives the exit status."""
    try:
        services = open_services(settings)
    except (ConfigurationError, RunLogError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        build_app(services, hosts=_names(settings.host), keys=keys),
        log_config=None,  # its own handlers would write past ours
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    url = f"http://{_bracketed(host)}:{port}"
    status = services.backends.status
    where = f"AWS, {status.region}" if status.backend == "aws" else "this machine"
    sys.stdout.write(f"Streaming playground: {url}\nAnswers come from {where} ({status.reason}).\n")
    sys.stdout.flush()
    log.info("Backend %s: %s", status.backend, status.reason)
    if settings.open_browser:
        webbrowser.open(url)
    # What was made until here stays: without this a full collection looks through all of it, and holds every answer up
    # for 0.2 to 0.7 s, in the middle of what is being timed (measured on two cores, CPython 3.11).
    gc.collect()
    gc.freeze()
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises what ended it once more when all is closed
        _Server(config, services).run(sockets=[listener])
    return 0


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _names(host: str) -> frozenset[str]:
    """The names that the server answers to. On a wildcard address those are this machine's own, and every address
    that is written in numbers: names are what DNS rebinding needs."""
    names = LOOPBACK | {host.lower()}
    if host in ("0.0.0.0", "::"):
        return names | {socket.gethostname().lower(), socket.getfqdn().lower(), ANY_ADDRESS}
    return names
