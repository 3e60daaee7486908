"""Starts the local endpoint: beside the caller on a thread, or alone in the foreground."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from types import TracebackType

import uvicorn

from providers.local.engine import MODEL_ID, Engine
from providers.local.requests import Model
from providers.local.server import Service, create_app
from providers.local.simulated import PROFILES, Profile, SimulatedModel

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"

_KEEP_ALIVE_S = 600
"""boto3 keeps its connections; one that we closed while it sends the next request would look like a failure."""
_CLOSE_TIMEOUT_S = 10.0


class LocalEndpoint:
    """A Bedrock-compatible endpoint on a thread of this process, up when the constructor returns.

    `port` 0 takes a free one. `stand_in` answers to the ids of Bedrock's models. The model is not loaded before it is
    asked. Use it as a context manager, or `close` it. Raises `OSError` where the port is taken.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        engine: Engine | None = None,
        profiles: Iterable[Profile] = PROFILES,
        stand_in: str = MODEL_ID,
    ) -> None:
        self.engine = engine or Engine()
        self._service = _service(self.engine, profiles, stand_in)
        listener = listen(port)
        self.port: int = listener.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self._server = _Server(self._service)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="local-endpoint", daemon=True
        )
        self._thread.start()

    @property
    def active(self) -> int:
        """Calls under way, including those that wait for the model."""
        return self._service.active

    def ahead(self, call_id: str) -> int | None:
        """How many stand in a model's line before the call of this id; `None` where it is in no line."""
        return self._service.ahead(call_id)

    def close(self) -> None:
        """Ends all calls, the server and the model. May be called twice."""
        self._server.should_exit = True
        self._thread.join(_CLOSE_TIMEOUT_S)
        self._service.close()
        self.engine.close()

    def __enter__(self) -> LocalEndpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def serve(port: int, *, on_start: Callable[[str], object] | None = None) -> None:
    """Serves in the foreground until SIGINT or SIGTERM. `on_start` is told the address once it can be used.

    Raises `OSError` where the port is taken.
    """
    engine = Engine()
    service = _service(engine, PROFILES, MODEL_ID)
    listener = listen(port)
    if on_start is not None:
        on_start(f"http://{HOST}:{listener.getsockname()[1]}")
    try:
        with contextlib.suppress(KeyboardInterrupt):
            _Server(service).run(sockets=[listener])
    finally:
        service.close()
        engine.close()


class _Server(uvicorn.Server):
    """uvicorn that ends the models' work first when it shuts down, instead of waiting for it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        super().__init__(
            uvicorn.Config(
                create_app(service),
                http="h11",
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=3,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends the calls, then the server."""
        self._service.stop_all()
        await super().shutdown(sockets)


def _service(engine: Engine, profiles: Iterable[Profile], stand_in: str) -> Service:
    models: dict[str, Model] = {MODEL_ID: engine}
    models.update((profile.id, SimulatedModel(profile)) for profile in profiles)
    return Service(models, stand_in)


def listen(port: int, host: str = HOST) -> socket.socket:
    """A listening socket: a client may connect from now on. Raises `OSError` where the port is taken.

    The protocol is named because asyncio turns Nagle's algorithm off only for sockets that say they are TCP.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
