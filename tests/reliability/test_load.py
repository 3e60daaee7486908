"""Many pages at once. How soon they are answered is measured by `benchmarks.load --through page`."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import httpx

from tests.page_client import Page
from tests.patience import until
from tests.reliability.conftest import TALKER, server
from tests.wire import Connection, WireServer

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


async def _begun(page: Page) -> None:
    async for _ in page.ask(chat_prompt="Hi", model=TALKER, family="converse"):
        pass
