"""A browser's part on the page, without the browser: Gradio's queue, as the page's own script uses it.

The protocol is Gradio 6's `sse_v3`: `POST queue/join`, then `GET queue/data`; measured with 6.31.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import httpx


class Page:
    """One open page: a session and a conversation of its own. `config` is the page's description (`/config`)."""

    def __init__(self, client: httpx.AsyncClient, url: str, config: Mapping[str, Any]) -> None:
        self._client = client
        self._url = url + "/gradio_api"
        self._events = config["dependencies"]
        self._widgets = {each["id"]: each["props"] for each in config["components"]}
        self._session = uuid.uuid4().hex
        self._key = uuid.uuid4().hex

    async def open(self) -> None:
        """What a page asks when it is opened. Gradio makes its session then, which takes some 40 ms of a processor."""
        loaded = next(each for each in self._events if each["queue"] and each["targets"][0][1] == "load")
        async with aclosing(self._messages(loaded, loaded["targets"][0][0])) as messages:
            async for _ in messages:
                pass

    def ask(self, **typed: Any) -> AsyncGenerator[tuple[float, str]]:
        """Presses Send: the queue's messages, each with the `perf_counter` time of its coming. `typed` are values of
        widgets by their names, with `_` for `-`."""
        send = next(number for number, props in self._widgets.items() if props.get("elem_id") == "chat-send")
        return self._messages(next(each for each in self._events if [send, "click"] in each["targets"]), send, **typed)

    async def _messages(
        self, event: Mapping[str, Any], trigger: int, **typed: Any
    ) -> AsyncGenerator[tuple[float, str]]:
        typed["conversation_key"] = self._key
        inputs = [self._widgets[number] for number in event["inputs"]]
        body = {
            "data": [typed.get(_name(props), props.get("value")) for props in inputs],
            "event_data": None,
            "fn_index": event["id"],
            "trigger_id": trigger,
            "session_hash": self._session,
        }
        (await self._client.post(self._url + "/queue/join", json=body)).raise_for_status()
        at = {"session_hash": self._session}
        async with self._client.stream("GET", self._url + "/queue/data", params=at) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    yield time.perf_counter(), line
                    if json.loads(line.removeprefix("data: "))["msg"] in ("process_completed", "close_stream"):
                        return


def _name(props: Mapping[str, Any]) -> str:
    return (props.get("elem_id") or "").replace("-", "_")
