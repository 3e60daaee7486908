"""The three verbs at the playground's door, for a real MCP client and for Gradio's own API: their answers, their
refusals, and what becomes of the work when the caller goes away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from app.ui.verbs import COST_CAP_USD
from metrics.run_log import RunLog
from tests.app.test_fan_in import SLOW
from tests.e2e.conftest import Playground, playground
from tests.patience import until

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


def queued(url: str, verb: str, *data: Any) -> str:
    """Where the answer of a verb is to be had that was asked over Gradio's own API."""
    asked_at = f"{url}/gradio_api/call/{verb}"
    event = httpx.post(asked_at, json={"data": data}, trust_env=False).json()
    return f"{asked_at}/{event['event_id']}"


def under_way(url: str) -> int:
    """How many runs are under way."""
    told = httpx.get(url + "/metrics", trust_env=False).text
    return int(float(re.findall(r"^playground_runs_under_way(?:\{.*\})? (\S+)$", told, re.MULTILINE)[0]))


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
        stored = run_log.experiment(verdict["experiment_id"])
        assert stored is not None
        assert stored.settings["cost_cap_usd"] == COST_CAP_USD


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("generate", {"prompt": " "}, "Prompt is required"),
        ("generate", {"prompt": "Hi", "model_id": "nonsense"}, "no model that is known"),
        ("generate", {"prompt": "Hi", "model_id": SWIFT, "max_tokens": 0}, "max_tokens must be a whole number"),
        ("experiment", {"prompt": "Hi", "model_id": SWIFT, "pairs": 0}, "pairs must be from 1 to 50"),
        ("experiment", {"prompt": "Hi", "model_id": SWIFT, "cost_cap_usd": -1}, "The cost cap in USD must be from 0"),
        ("compare", {"prompt": "Hi", "model_ids": []}, "Name 1 to 6 models"),
    ],
)
def test_a_refusal_is_a_sentence(url: str, tool: str, arguments: dict[str, Any], sentence: str) -> None:
    refused = called(url, tool, **arguments)
    assert refused.isError
    assert sentence in refused.content[0].text


@pytest.mark.parametrize(
    ("verb", "data", "sentence"),
    [
        ("generate", [None, "", "", 5], "Prompt is required"),
        ("generate", [["Hi"], "", "", 5], "Prompt is required"),
        ("generate", ["Hi", 3, "", 5], "model_id must be text"),
        ("generate", ["Hi", SWIFT, {}, 5], "system must be text"),
        ("generate", ["Hi", SWIFT, "", None], "max_tokens must be a whole number"),
        ("generate", ["Hi", SWIFT, "", "x"], "max_tokens must be a whole number"),
        ("compare", ["Hi", SWIFT, "", 5], "Name 1 to 6 models in model_ids, a list"),
        ("compare", ["Hi", [None], "", 5], "Every one of model_ids must be text"),
        ("compare", [None, [SWIFT], "", 5], "Prompt is required"),
        ("experiment", [None, SWIFT, 1, 5, 0, None], "Prompt is required"),
        ("experiment", ["Hi", SWIFT, "x", 5, 0, None], "pairs must be from 1 to 50"),
        ("experiment", ["Hi", SWIFT, True, 5, 0, None], "pairs must be from 1 to 50"),
        ("experiment", ["Hi", SWIFT, 1, [], 0, None], "Max tokens must be a whole number"),
        ("experiment", ["Hi", SWIFT, 1, 5, 0, "x"], "The cost cap in USD must be"),
    ],
)
def test_a_value_of_another_type_is_told_in_a_sentence(url: str, verb: str, data: list[Any], sentence: str) -> None:
    answer = httpx.get(queued(url, verb, *data), trust_env=False, timeout=30).text
    assert answer.startswith("event: error")
    assert sentence in answer


def test_the_queue_gives_the_answer_last_and_nothing_new_before_it(url: str) -> None:
    answer = httpx.get(queued(url, "generate", "Hi", SWIFT, "", 5), trust_env=False, timeout=30).text
    *before, last = [json.loads(line.removeprefix("data: ")) for line in answer.splitlines() if line[:5] == "data:"]
    assert before[0] == [""]
    assert {text for [text] in before} == {"", last[0]}
    assert json.loads(last[0])["state"] == "done"


LEFT = [
    ("generate", {"prompt": "Hi", "model_id": SLOW, "system": "", "max_tokens": 400}),
    ("compare", {"prompt": "Hi", "model_ids": [SLOW, SLOW], "system": "", "max_tokens": 400}),
    ("experiment", {"prompt": "Hi", "model_id": SLOW, "pairs": 8, "max_tokens": 400, "seed": 0, "cost_cap_usd": None}),
]


def all_is_cancelled(running: Playground, before: int) -> None:
    """Waits for the rows of what was left, and that nothing is begun after it."""
    until(lambda: len(running.rows()) > before and not under_way(running.url))
    assert {row.status for row in running.rows()[: -before or None]} == {"cancelled"}


@pytest.mark.parametrize(("verb", "arguments"), LEFT)
def test_who_leaves_the_queue_ends_what_was_asked(running: Playground, verb: str, arguments: dict[str, Any]) -> None:
    before = len(running.rows())
    where = queued(running.url, verb, *arguments.values())
    with httpx.stream("GET", where, trust_env=False, timeout=30) as answer:
        next(answer.iter_lines())
        until(lambda: under_way(running.url) == 1)
    all_is_cancelled(running, before)


@pytest.mark.parametrize(("verb", "arguments"), LEFT)
def test_an_mcp_client_that_drops_ends_what_it_asked(running: Playground, verb: str, arguments: dict[str, Any]) -> None:
    before = len(running.rows())

    async def drop(client: ClientSession) -> None:
        call = asyncio.create_task(client.call_tool(verb, arguments))
        await asyncio.to_thread(until, lambda: under_way(running.url) == 1)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call

    asked(running.url, drop)
    all_is_cancelled(running, before)


def test_who_leaves_a_direct_call_ends_what_was_asked(running: Playground) -> None:
    before = len(running.rows())
    asking = {"data": list(LEFT[0][1].values())}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(running.url + "/gradio_api/run/generate", json=asking, timeout=0.5, trust_env=False)
    all_is_cancelled(running, before)
