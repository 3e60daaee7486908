"""A real MCP client at the playground's door: three tools, their answers, and their refusals."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from metrics.run_log import RunLog
from tests.e2e.conftest import Playground, playground

SWIFT = "simulated.swift"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playground]:
    with playground(tmp_path_factory.mktemp("mcp") / "runs.db") as running:
        yield running


@pytest.fixture
def url(running: Playground) -> str:
    return running.url


def asked(url: str, act: Callable[[ClientSession], Awaitable[Any]], key: str = "") -> Any:
    """What a session gives that does `act`."""

    async def session() -> Any:
        headers = {"Authorization": f"Bearer {key}"} if key else None
        async with (
            httpx.AsyncClient(headers=headers, timeout=30, trust_env=False) as http,
            streamable_http_client(url + "/gradio_api/mcp/", http_client=http) as (read, write, _),
            ClientSession(read, write) as client,
        ):
            await client.initialize()
            return await act(client)

    return asyncio.run(session())


def called(url: str, tool: str, key: str = "", **arguments: Any) -> Any:
    """What a tool answers."""
    return asked(url, lambda client: client.call_tool(tool, arguments), key)


def test_three_verbs_and_nothing_internal(url: str) -> None:
    tools = {tool.name: tool for tool in asked(url, lambda client: client.list_tools()).tools}
    assert set(tools) == {"generate", "compare", "experiment"}
    assert "measure the answer" in tools["generate"].description
    assert tools["generate"].inputSchema["properties"]["model_id"]["description"]
    assert tools["generate"].inputSchema["required"] == ["prompt"]
    named = httpx.get(url + "/gradio_api/info", trust_env=False).json()["named_endpoints"]
    assert set(named) == {"/generate", "/compare", "/experiment"}


def test_the_verbs_answer_and_leave_rows(url: str, running: Playground) -> None:
    answer = json.loads(called(url, "generate", prompt="Hi", model_id=SWIFT, max_tokens=5).content[0].text)
    assert (answer["state"], answer["simulated"]) == ("done", True)
    assert answer["text"]
    found = called(url, "compare", prompt="Hi", model_ids=[SWIFT, "nonsense"], max_tokens=5)
    first, second = json.loads(found.content[0].text)["answers"]
    assert first["output_tokens"] == 5
    assert "nonsense" in second["error"]
    verdict = json.loads(called(url, "experiment", prompt="Hi", model_id=SWIFT, pairs=1, max_tokens=3).content[0].text)
    assert verdict["verdict"]["n"] == 1
    with RunLog(f"sqlite:///{running.log}") as run_log:
        assert run_log.get(answer["run_id"]) is not None
        assert len(run_log.of_experiment(verdict["experiment_id"])) == 4


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("generate", {"prompt": " "}, "Prompt is required"),
        ("generate", {"prompt": "Hi", "model_id": "nonsense"}, "no model that is known"),
        ("experiment", {"prompt": "Hi", "model_id": SWIFT, "pairs": 0}, "pairs must be from 1 to 50"),
        ("compare", {"prompt": "Hi", "model_ids": []}, "Name 1 to 6 models"),
    ],
)
def test_a_refusal_is_a_sentence(url: str, tool: str, arguments: dict[str, Any], sentence: str) -> None:
    refused = called(url, tool, **arguments)
    assert refused.isError
    assert sentence in refused.content[0].text
