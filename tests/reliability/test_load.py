"""Many pages at once. How soon they are answered is measured by `benchmarks.load --through page`."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import httpx

from tests.page_client import Page
from tests.patience import until
from tests.reliability.conftest import TALKER, server
from tests.wire import Connection, WireServer, silence

PAGES = 66
"""More than Gradio lets through by itself, which is 40."""


def test_no_page_waits_for_the_answers_of_others(wire: WireServer, tmp_path: Path) -> None:
    held, over = [], threading.Event()

    def hold(to: Connection) -> None:
        """The model says nothing until all have been asked."""
        held.append(to)
        over.wait(60)

    wire.reply_with(*[hold] * PAGES)

    async def ask_everywhere(url: str) -> None:
        limits = httpx.Limits(max_connections=2 * PAGES)
        async with httpx.AsyncClient(timeout=30, trust_env=False, limits=limits) as client:
            config = (await client.get(url + "/config")).json()
            pages = [Page(client, url, config) for _ in range(PAGES)]
            answers = [asyncio.create_task(_begun(page)) for page in pages]
            try:
                await asyncio.to_thread(until, lambda: len(held) == PAGES, within_s=30)
            finally:
                over.set()
                for answer in answers:
                    answer.cancel()
                await asyncio.gather(*answers, return_exceptions=True)

    with server(tmp_path, "--endpoint-url", wire.url) as running:
        asyncio.run(ask_everywhere(running.url))


def test_past_the_limit_a_page_is_told_at_once(wire: WireServer, tmp_path: Path) -> None:
    wire.reply_with(silence)

    async def ask_twice(url: str) -> str:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            config = (await client.get(url + "/config")).json()
            first, second = Page(client, url, config), Page(client, url, config)
            answer = asyncio.create_task(_begun(first))
            await asyncio.to_thread(until, lambda: len(wire.asked) == 1)
            said = [line async for _, line in second.ask(chat_prompt="Hi", model=TALKER, family="converse")]
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
            return "".join(said)

    with server(tmp_path, "--endpoint-url", wire.url, "--max-runs", "1") as running:
        assert "as many answers as it allows are under way (1)" in asyncio.run(ask_twice(running.url))


async def _begun(page: Page) -> None:
    async for _ in page.ask(chat_prompt="Hi", model=TALKER, family="converse"):
        pass
