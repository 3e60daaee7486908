"""The door and the house, item by item of docs/reliability.md: who comes in, what a page on another site can do, what
Gradio would serve. The server is started with Gradio's variables set to what opens most."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Mount

from app.api import build_api
from app.guard import HEADERS, Guard
from app.keys import Keys
from app.live import RunFailure
from app.server import build_app
from app.services import make_services
from metrics.run_log import RunLog
from providers.connect import Backends
from tests.app.conftest import served
from tests.reliability.conftest import Server, server
from tests.test_playground import ROOT

OPENING = {
    "GRADIO_ALLOWED_PATHS": "/",
    "GRADIO_SHARE": "True",
    "GRADIO_VIBE_MODE": "1",
    "GRADIO_LOCAL_DEV_MODE": "1",
    "GRADIO_ANALYTICS_ENABLED": "True",
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A playground without AWS, in an environment that would open it."""
    with server(tmp_path_factory.mktemp("here"), **OPENING) as running:
        yield running


def get(here: Server, path: str, **headers: str) -> httpx.Response:
    return httpx.get(here.url + path, headers=headers, timeout=10, trust_env=False)


@pytest.fixture(scope="module")
def config(here: Server) -> dict[str, Any]:
    """What Gradio tells every browser."""
    return dict(get(here, "/config").json())


def test_s0_a_mounted_page_checks_the_paths_that_browsers_send(tmp_path: Path) -> None:
    async def build() -> Any:
        with RunLog(f"sqlite:///{tmp_path / 'runs.db'}") as run_log:
            guard: Any = build_app(make_services(Backends("local"), run_log))
            mounted: Any = next(route for route in guard._app.routes if isinstance(route, Mount) and not route.path)
            return mounted.app.blocks

    page = asyncio.run(build())
    assert page.has_launched
    assert page.allowed_paths == []


def test_s6_s7_s8_gradio_is_as_closed_as_it_can_be(config: dict[str, Any]) -> None:
    told = {name: config[name] for name in ("show_error", "run_history", "analytics_enabled", "vibe_mode", "dev_mode")}
    assert told == dict.fromkeys(told, False)
    assert config["pwa"] is False
    assert config["footer_links"] == []
    assert config["max_file_size"] <= 1_048_576
    assert config["space_id"] is None
    assert not config["connect_heartbeat"]
    assert "share" not in config or not config["share"]


HOSTS = {
    "127.0.0.1": 200,
    "localhost": 200,
    "LOCALHOST": 200,
    "[::1]": 200,
    "evil.example": 400,
    "127.0.0.1.nip.io": 400,
    "localhost.": 400,
    "localhost.evil.example": 400,
    "evil.example@127.0.0.1": 200,  # a login before the name; no browser sends it, and it is this machine
    "": 400,
}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["/", "/healthz", "/config"])
def test_s2_only_its_own_names_are_answered(here: Server, host: str, path: str) -> None:
    port = here.url.rsplit(":", 1)[1]
    answer = get(here, path, host=f"{host}:{port}" if host else "")
    assert answer.status_code == HOSTS[host]


FOREIGN = (
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"origin": "http://["},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
)
SPENDING = (
    ("POST", "/api/generate"),
    ("GET", "/api/generate?prompt=Hi"),
    ("POST", "/api/generate/stream"),
    ("POST", "/gradio_api/queue/join"),
    ("POST", "/gradio_api/call/generate"),
    ("POST", "/gradio_api/mcp/"),
    ("POST", "/gradio_api/upload"),
    ("DELETE", "/api/runs/one"),
)


@pytest.mark.parametrize(("method", "path"), SPENDING)
def test_s3_s4_a_page_on_another_site_can_neither_ask_nor_send(here: Server, method: str, path: str) -> None:
    for headers in FOREIGN:
        answer = httpx.request(method, here.url + path, headers=headers, timeout=10, trust_env=False)
        assert answer.status_code == 403, headers
        assert "access-control-allow-origin" not in answer.headers
    asked = {"origin": "http://evil.example", "access-control-request-method": method}
    preflight = httpx.options(here.url + path, headers=asked, timeout=10, trust_env=False)
    assert "access-control-allow-origin" not in preflight.headers
    assert here.rows() == []


@pytest.mark.parametrize("path", ["/", "/config", "/api/models", "/api/runs", "/demo", "/metrics"])
def test_s4_what_another_site_fetches_it_cannot_read(here: Server, path: str) -> None:
    answer = get(here, path, origin="http://evil.example")
    assert answer.headers.get("access-control-allow-origin") not in ("*", "http://evil.example")
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_s5_no_file_comes_in(here: Server) -> None:
    answer = httpx.post(
        here.url + "/gradio_api/upload", files={"files": ("a.txt", b"hello")}, timeout=10, trust_env=False
    )
    assert answer.status_code == 404


def test_s9_no_file_of_this_machine_goes_out(here: Server) -> None:
    asked = ("/etc/passwd", str(ROOT / "playground.py"), str(here.log), "http://169.254.169.254/latest/meta-data/")
    for path in asked:
        answer = get(here, f"/gradio_api/file={path}")
        assert answer.status_code == 403, path
    assert get(here, "/gradio_api/proxy=http://169.254.169.254/").status_code == 400
    assert stat.S_IMODE(here.log.stat().st_mode) == 0o600
    assert stat.S_IMODE(here.log.parent.stat().st_mode) == 0o700


BEHIND_THE_KEY = (
    *("/", "/config", "/demo", "/docs", "/openapi.json", "/metrics", "/api/models", "/api/runs", "/api/nowhere"),
    *("/gradio_api/queue/data?session_hash=x", "/gradio_api/heartbeat/x", "/gradio_api/cancel", "/gradio_api/mcp/"),
    *("/gradio_api/stream/x/0/0/playlist.m3u8", "/gradio_api/file=/etc/passwd", "/gradio_api/startup-events"),
)


def test_s10_s12_s15_without_a_key_nothing_is_told(tmp_path: Path) -> None:
    with RunLog(f"sqlite:///{tmp_path / 'runs.db'}") as run_log:
        api = build_api(make_services(Backends("local"), run_log))
        guard = Guard(api, hosts=frozenset({"127.0.0.1"}), keys=Keys({"ana": "a key of ana's own"}))
        with served(guard) as url:
            for path in BEHIND_THE_KEY:
                for method in ("GET", "POST"):
                    answer = httpx.request(method, url + path, timeout=10, trust_env=False)
                    assert answer.status_code == 401, (method, path)


@pytest.mark.parametrize(
    "path", ["/", "/config", "/healthz", "/api/models", "/api/nowhere", "/docs", "/gradio_api/upload", "/nowhere"]
)
def test_s14_every_answer_wears_its_headers(here: Server, path: str) -> None:
    for headers in ({}, {"host": "evil.example"}):
        answer = get(here, path, **headers)
        worn = {name: answer.headers.get(name) for name in HEADERS}
        assert worn["Content-Security-Policy"], "there is a policy"
        assert {**worn, "Content-Security-Policy": ""} == {**HEADERS, "Content-Security-Policy": ""}
        assert "server" not in answer.headers


def test_s20_an_error_of_our_own_making_tells_nothing_of_the_inside() -> None:
    inside = "connection string with a password"
    told = RunFailure.of(ValueError(inside), "wire-1")
    assert inside not in told.sentence
    assert (told.type, told.request_id) == ("ValueError", "wire-1")
