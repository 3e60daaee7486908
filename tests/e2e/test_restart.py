"""A page that outlives its server: reloaded after a restart it shows what was said, and the model is told it again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from app.recall import READ_BACK
from tests.e2e.conftest import Playground, key_of, playground

RESTART = ("ERR_", "Failed to", "errored out", "Connection", "network error", "AbortError", "404", "502")
"""What a browser says of a server that is not there."""


@contextlib.contextmanager
def forgiving(forgiven: list[str]) -> Iterator[None]:
    """While it is entered the server may be gone; what a page says of that afterwards is none of its business."""
    forgiven.extend(RESTART)
    yield
    forgiven.clear()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Playground]:
    with playground(tmp_path / "runs.db") as running:
        yield running


def test_a_page_finds_its_conversation_after_a_restart_and_not_after_clear(own: Playground, visitors: Any) -> None:
    forgiven: list[str] = []
    chat = visitors(own.url, forgiven=forgiven)
    chat.type_model("simulated.swift")
    chat.short()
    chat.ask("First question")
    chat.ask("Second question")
    chat.taken(chat.page.locator("[data-act=again]").click)
    chat.finish()
    said = chat.answers.all_inner_texts()
    assert key_of(chat.page) not in str([row.to_row() for row in own.rows()])

    chat.type_model("simulated.steady")
    chat.page.locator("#max-tokens input").fill("300")
    chat.send("Third question")
    chat.until_text()
    with forgiving(forgiven):
        own.stop(kill=True)
        expect(chat.word).to_have_text("stalled")
        expect(chat.page.locator("#chat-status .detail")).to_have_text("the server does not answer")
        expect(chat.page.locator("#chat-stop")).to_be_disabled()
        own.start()  # the page notices, and loads itself again
        expect(chat.word).to_have_text("failed", timeout=30_000)
        chat.ready()
    expect(chat.questions).to_have_text(["First question", "Second question", "Third question"])
    assert chat.answers.all_inner_texts()[:2] == said
    expect(chat.page.locator("#chat-history .notice").first).to_have_text(READ_BACK)
    chat.type_model("simulated.swift")
    chat.short()
    chat.taken(chat.page.locator("[data-act=again]").last.click)
    chat.finish()
    expect(chat.word).to_have_text("done")
    expect(chat.questions).to_have_count(3)
    assert [turn["text"] for turn in own.rows()[0].conversation[::2]] == ["First question", "Second question"]

    before = key_of(chat.page)
    chat.page.locator("#chat-clear").click()
    expect(chat.questions).to_have_count(0)
    chat.page.wait_for_function("(before) => window.playground.key() !== before", arg=before)
    with forgiving(forgiven):
        own.stop()
        own.start()
        chat.page.reload()
        chat.ready()
    expect(chat.questions).to_have_count(0)
