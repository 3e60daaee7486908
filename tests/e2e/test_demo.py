"""The page to copy, in Chromium: both ways to ask, Cancel, an error in its place, a connection that is cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import NO_SIDEWAYS, PHONE, Playground
from tests.patience import until
from tests.relay import relay
from tests.test_docs import blocks

STEADY = "simulated.steady"
JAVASCRIPT = [code for _, code in blocks("javascript")]
SWIFT = "simulated.swift"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


def opened(page: Page, url: str, model: str = SWIFT) -> Page:
    page.goto(url + "/demo")
    page.locator(f"#model option[value='{model}']").wait_for(state="attached")
    page.locator("#model").select_option(model)
    return page


def shows(page: Page, words: str) -> None:
    expect(page.locator("#status")).to_have_text(re.compile(words))


def listen(page: Page) -> None:
    """Notes every word of the status from now on, for some stand too shortly for somebody who looks now and then."""
    page.evaluate(
        """() => {
          window.said = [];
          const status = document.querySelector('#status');
          const note = () => window.said.push({
            words: status.textContent,
            typing: document.querySelector('#answer').classList.contains('typing'),
            cancellable: !document.querySelector('#cancel').disabled,
          });
          new MutationObserver(note).observe(status, {childList: true, characterData: true, subtree: true});
        }"""
    )


def said(page: Page) -> list[str]:
    return [note["words"] for note in page.evaluate("window.said")]


def test_a_streamed_answer_grows_and_ends(page: Page, here: Playground) -> None:
    opened(page, here.url)
    page.locator("#max-tokens").fill("60")
    listen(page)
    page.get_by_role("button", name="Stream Response").click()
    shows(page, "^done, the limit was reached$")
    *before, streaming, done = page.evaluate("window.said")
    assert [note["words"] for note in before] == ["connecting", "waiting for the first text"]
    assert all(note["cancellable"] and not note["typing"] for note in before)
    assert streaming == {"words": "streaming", "typing": True, "cancellable": True}
    assert not done["typing"]
    assert not done["cancellable"]
    expect(page.locator("#figures")).to_have_text(re.compile(r"^first text \d+\.\d\d s · total \d+\.\d\d s$"))
    assert page.locator("#progress").evaluate("bar => bar.value") == 1


def test_a_complete_answer_comes_at_once(page: Page, here: Playground) -> None:
    opened(page, here.url)
    page.locator("#max-tokens").fill("20")
    listen(page)
    page.get_by_role("button", name="Get Complete Response").click()
    shows(page, "^done")
    assert said(page)[0] == "waiting for the whole answer"
    expect(page.locator("#answer")).to_have_text(re.compile(r"\w+ \w+"))
    assert here.rows()[0].mode == "sync"


def test_cancel_keeps_the_text_and_ends_the_run(page: Page, here: Playground) -> None:
    before = len(here.rows())
    opened(page, here.url, STEADY)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer")).to_have_text(re.compile(r"\w+ \w+"))
    page.keyboard.press("Escape")
    shows(page, "^cancelled$")
    expect(page.locator("#answer")).to_have_text(re.compile(r"\w+"))

    def ended() -> list[str]:
        rows = here.rows()
        return [row.status for row in rows[: len(rows) - before]]

    until(lambda: ended() == ["cancelled"], "the run goes on", within_s=5.0)  # it would not end by itself before


def test_a_cut_connection_is_taken_up_again_without_a_loss_or_a_second_call(page: Page, here: Playground) -> None:
    with relay(here.url) as wire:
        before = len(here.rows())
        opened(page, wire.url, STEADY)
        page.locator("#max-tokens").fill("120")
        page.get_by_role("button", name="Stream Response").click()
        expect(page.locator("#answer")).to_have_text(re.compile(r"\w+ \w+"))
        listen(page)
        wire.cut()
        shows(page, "^done")
        assert said(page)[:2] == ["reconnecting 1 of 3", "restored"]
        rows = here.rows()
        assert len(rows) == before + 1
        assert page.locator("#answer").text_content() == rows[0].response


def test_a_server_that_does_not_come_back_is_told_in_its_place(page: Page, here: Playground) -> None:
    with relay(here.url) as wire:
        opened(page, wire.url, STEADY)
        page.get_by_role("button", name="Stream Response").click()
        expect(page.locator("#answer")).to_have_text(re.compile(r"\w+ \w+"))
        wire.closed.set()
        wire.cut()
        expect(page.locator("#error")).to_have_text(re.compile("did not come back in 3 tries"))
        expect(page.locator("#answer")).to_have_text(re.compile(r"\w+ \w+"))
        expect(page.get_by_role("button", name="Stream Response")).to_be_enabled()


def test_a_refusal_is_a_sentence_in_its_place(page: Page, here: Playground) -> None:
    opened(page, here.url)
    page.locator("#model").evaluate("box => box.add(new Option('Nonsense', 'nonsense', true, true))")
    for way in ("Stream Response", "Get Complete Response"):
        page.get_by_role("button", name=way).click()
        expect(page.locator("#error")).to_have_text(re.compile("No family is known for nonsense"))
        shows(page, "^failed$")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_barriers(browser: Browser, here: Playground, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme, viewport=PHONE)
    page = opened(context.new_page(), here.url)
    page.locator("#max-tokens").fill("10")
    page.get_by_role("button", name="Stream Response").click()
    shows(page, "^done")
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
    assert page.evaluate(NO_SIDEWAYS)
    context.close()


def test_its_policy_allows_only_its_own_files(page: Page, here: Playground) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    answer = page.goto(here.url + "/demo")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "'none'" in policy
    assert "unsafe" not in policy
    page.locator("#model option").nth(1).wait_for(state="attached")
    assert complaints == []


@pytest.mark.parametrize("code", JAVASCRIPT)
def test_an_example_of_the_documents_works_as_it_stands(page: Page, here: Playground, code: str) -> None:
    said: list[str] = []
    page.goto(here.url + "/demo")
    page.on("console", lambda message: said.append(message.text))
    page.evaluate(f"() => {{ {code} }}")
    page.wait_for_event("console", lambda message: message.text.startswith("done in"))
    assert len([words for words in said if not words.startswith(("done", "progress"))]) > 3
    assert any(words.startswith("progress") for words in said)
