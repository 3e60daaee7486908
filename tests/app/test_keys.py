"""Keys: who comes in, what a bad file says, how calls are counted, and the whole server behind them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.guard import Guard
from app.keys import Keys, RateLimit, read_keys
from app.serve import serve
from app.settings import Settings
from providers.errors import ConfigurationError
from tests.app.conftest import served
from tests.app.test_mcp import called
from tests.e2e.conftest import Playground, playground

ANA = "correct horse battery"
BEN = "staple staple staple"


def basic(name: str, key: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{key}".encode()).decode()


@pytest.fixture
def keys() -> Keys:
    return Keys({"ana": ANA, "ben": BEN})


def test_a_key_opens_by_itself_or_with_its_name(keys: Keys) -> None:
    assert keys.holder(f"Bearer {ANA}") == "ana"
    assert keys.holder(basic("ben", BEN)) == "ben"


@pytest.mark.parametrize(
    "said", ["", "Bearer", "Bearer ", "Basic", "Basic !", basic("ana", BEN), basic("", ANA), f"Digest {ANA}", ANA]
)
def test_what_is_no_key_opens_nothing(keys: Keys, said: str) -> None:
    assert keys.holder(said) is None


@given(st.text())
def test_no_header_breaks_it(said: str) -> None:
    assert Keys({"ana": ANA}).holder(f"Basic {said}") is None


def written(folder: Path, text: str, mode: int = 0o600) -> str:
    file = folder / "keys"
    file.write_text(text, "utf-8")
    file.chmod(mode)
    return str(file)


def test_a_file_with_comments_is_read(tmp_path: Path) -> None:
    found = read_keys(written(tmp_path, f"# ours\n\nana:{ANA}\nben:{BEN}\n"))
    assert found.holder(f"Bearer {BEN}") == "ben"


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ("", 0o600, "holds no key"),
        ("ana\n", 0o600, "Line 1 .* is no key"),
        (f"ana:{ANA}\nana:{BEN}\n", 0o600, "Line 2"),
        (f"ana:{ANA}\nben:{ANA}\n", 0o600, "Line 2 .* each key once"),
        ("ana:short\n", 0o600, "at least 16"),
        (f"ana:{ANA}\n", 0o644, "chmod 600"),
    ],
)
def test_a_bad_file_is_told_without_its_keys(tmp_path: Path, text: str, mode: int, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as refused:
        read_keys(written(tmp_path, text, mode))
    assert ANA not in str(refused.value)


def test_calls_are_counted_by_name_and_come_back() -> None:
    now = [0.0]
    limit = RateLimit(2, clock=lambda: now[0])
    assert [limit.wait_s("ana"), limit.wait_s("ana")] == [0, 0]
    assert limit.wait_s("ana") == pytest.approx(30)
    assert limit.wait_s("ben") == 0
    now[0] = 30.0
    assert limit.wait_s("ana") == 0


def test_others_may_not_come_without_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(Settings(host="0.0.0.0", port=0, log_url="sqlite://")) == 1
    assert "--auth-file" in capsys.readouterr().err


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playground]:
    folder = tmp_path_factory.mktemp("keys")
    file = written(folder, f"ana:{ANA}\n")
    with playground(folder / "runs.db", PLAYGROUND_AUTH_FILE=file, PLAYGROUND_HOST="0.0.0.0") as running:
        running.url = running.url.replace("0.0.0.0", "127.0.0.1")
        yield running


@pytest.mark.parametrize(
    "path", ["/", "/demo", "/metrics", "/api/models", "/api/runs", "/gradio_api/info", "/gradio_api/mcp/", "/docs"]
)
def test_every_path_asks_for_a_key(guarded: Playground, path: str) -> None:
    closed = httpx.get(guarded.url + path, trust_env=False)
    assert closed.status_code == 401
    assert closed.headers["www-authenticate"].startswith("Basic")
    assert closed.json()["type"] == "KeyRequired"
    opened = httpx.get(guarded.url + path, headers={"Authorization": f"Bearer {ANA}"}, trust_env=False)
    assert opened.status_code == 200


def test_only_health_is_told_to_anybody(guarded: Playground) -> None:
    assert httpx.get(guarded.url + "/healthz", trust_env=False).status_code == 200


def test_an_mcp_client_with_a_key_is_answered(guarded: Playground) -> None:
    answer = called(guarded.url, "generate", key=ANA, prompt="Hi", model_id="simulated.swift", max_tokens=3)
    assert not answer.isError
    assert '"state": "done"' in answer.content[0].text


@pytest.mark.parametrize(
    "path", ["/api/generate", "/gradio_api/queue/join", "/gradio_api/call/x", "/gradio_api/run/x", "/gradio_api/api/x"]
)
def test_every_path_that_begins_something_is_counted(path: str) -> None:
    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        await Response()(scope, receive, send)

    hosts = frozenset({"127.0.0.1"})
    with served(Guard(nothing, hosts=hosts, keys=Keys({"ana": ANA}), limit=RateLimit(2))) as url:
        headers = {"Authorization": f"Bearer {ANA}"}
        statuses = [httpx.post(url + path, headers=headers, trust_env=False).status_code for _ in range(3)]
        assert httpx.get(url + "/api/runs", headers=headers, trust_env=False).status_code == 200
    assert statuses == [200, 200, 429]
