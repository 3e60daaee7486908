"""The page around the conversation: phone and desk, light and dark, names for those who listen, the table, the file."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import NO_SIDEWAYS, PHONE, Chat, Playground, pick, playground
from tests.e2e.test_chat import STEADY, SWIFT

CHAT_ELEMENTS = (
    *("model", "temperature", "max-tokens", "top-p", "system-prompt", "mode", "backend-status"),
    *(
        "chat-prompt",
        "chat-send",
        "chat-stop",
        "chat-output",
        "chat-status",
        "chat-rate",
        "chat-progress",
        "chat-stats",
    ),
)
RUNS_ELEMENTS = ("runs-table", "runs-export")
HAS_NAME = """(id) => {
  const element = document.getElementById(id);
  return Boolean(element && (element.getAttribute('aria-label') || element.textContent.trim()));
}"""

HIDES_WHAT_IS_BEHIND = """() => {
  const [dock, page] = [document.getElementById('dock'), document.body].map((one) => getComputedStyle(one));
  return dock.backgroundImage === 'none' && dock.backgroundColor === page.backgroundColor;
}"""


def open_runs(page: Page) -> None:
    page.get_by_role("tab", name="Runs").click()
    expect(page.locator("#runs-table .virtual-row").first).to_be_visible()


def cells(page: Page, column: int) -> list[str]:
    return page.locator(f"#runs-table .virtual-row [role=gridcell][data-col='{column}']").all_inner_texts()


def test_every_promised_element_is_there_and_has_a_name(chat: Chat) -> None:
    for element in CHAT_ELEMENTS:
        assert chat.page.evaluate(HAS_NAME, element), element
    chat.choose(SWIFT)
    chat.short()
    chat.ask("Why?")
    open_runs(chat.page)
    for element in RUNS_ELEMENTS:
        assert chat.page.evaluate(HAS_NAME, element), element
    expect(chat.page.locator("#backend-status")).to_have_text("On this machine: SmolLM2 135M, no AWS credentials found")


def test_a_listener_hears_steps_and_not_tokens(chat: Chat) -> None:
    chat.choose(SWIFT)
    chat.page.locator("#max-tokens input").fill("60")
    chat.page.evaluate(
        """() => {
          window.said = [];
          const status = document.querySelector('[role=status]');
          new MutationObserver(() => window.said.push(status.textContent))
            .observe(status, {childList: true, characterData: true, subtree: true});
        }"""
    )
    chat.send("Why?")
    expect(chat.page.locator("#chat-output")).to_have_attribute("aria-busy", "true")
    chat.finish()
    expect(chat.page.locator("#chat-output")).to_have_attribute("aria-busy", "false")
    said = chat.page.evaluate("window.said")
    assert said[:2] == ["Waiting for the answer.", "The first text has arrived."]
    assert re.fullmatch(r"Answer complete, \d+ tokens, [\d.]+ seconds\.", said[2])
    assert len(said) == 3
    assert chat.page.locator("#chat-output [aria-live], #chat-output [role=log]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(visitors: Any, here: Playground, scheme: str) -> None:
    chat = visitors(here.url, viewport=PHONE, is_mobile=True, has_touch=True, color_scheme=scheme)
    page = chat.page
    assert page.evaluate(NO_SIDEWAYS)
    expect(page.locator("#settings")).to_be_hidden()
    page.locator("[data-act=settings]").click()
    chat.choose(SWIFT)
    chat.short()
    chat.mode("Both")
    assert page.evaluate(NO_SIDEWAYS)
    page.keyboard.press("Escape")
    expect(page.locator("#settings")).to_be_hidden()
    chat.ask("A question that is long enough to need more than one line on a phone, " + "x" * 80)
    assert page.evaluate(NO_SIDEWAYS)
    assert page.evaluate(HIDES_WHAT_IS_BEHIND)
    top, bottom = (page.locator("#chat-history .pair .answer").nth(at).bounding_box() for at in (0, 1))
    assert top["y"] + top["height"] <= bottom["y"]
    page.locator("#view-request button").click()
    expect(page.locator("#request pre").first).to_be_visible()
    assert page.evaluate(NO_SIDEWAYS)
    open_runs(page)
    assert page.evaluate(NO_SIDEWAYS)


def test_dark_mode_is_remembered(visitors: Any, here: Playground) -> None:
    page = visitors(here.url, color_scheme="no-preference").page
    dark = "document.body.classList.contains('dark')"
    switch = page.get_by_role("button", name="Dark mode")
    assert not page.evaluate(dark)
    switch.click()
    assert page.evaluate(dark)
    expect(switch).to_have_attribute("aria-pressed", "true")
    page.reload()
    page.wait_for_function(dark)
    expect(page.get_by_role("button", name="Dark mode")).to_have_attribute("aria-pressed", "true")


def test_the_request_is_shown_as_it_would_be_sent(chat: Chat) -> None:
    chat.choose(SWIFT)
    chat.box.fill("Show me")
    chat.page.locator("#view-request button").click()
    request = chat.page.locator("#request")
    expect(request).to_contain_text("client.converse_stream(")
    expect(request).to_contain_text("Show me")
    expect(request).to_contain_text('"temperature": 0.7')
    chat.mode("Complete")
    expect(request).to_contain_text("client.converse(")


def test_the_table_filters_opens_rows_and_gives_a_file(chat: Chat, tmp_path: Path) -> None:
    page = chat.page
    chat.choose(SWIFT)
    chat.short()
    chat.mode("Both")
    chat.ask("A marker for the filter: heliotrope")
    open_runs(page)
    assert cells(page, 1)[:2] == ["simulated.swift"] * 2
    assert set(cells(page, 2)[:2]) == {"Stream", "Complete"}
    page.locator("#runs-text input").fill("heliotrope")
    expect(page.locator("#runs-count")).to_contain_text(re.compile(r"^\s*2 of"))
    pick(page, "runs-model", "simulated.swift")
    pick(page, "runs-status", "failed")
    expect(page.locator("#runs-count")).to_contain_text(re.compile(r"^\s*0 of"))
    pick(page, "runs-status", "completed")
    expect(page.locator("#runs-count")).to_contain_text(re.compile(r"^\s*2 of"))
    page.locator("#runs-table .virtual-row [role=gridcell]").first.click()
    expect(page.locator("#run-details")).to_contain_text("heliotrope")
    with page.expect_download() as told:
        page.locator("#runs-export").click()
    assert re.fullmatch(r"runs-\d{8}T\d{6}Z\.csv", told.value.suggested_filename)
    told.value.save_as(tmp_path / "runs.csv")
    with (tmp_path / "runs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["bench.mode"] for row in rows} == {"sync", "stream"}
    assert {row["bench.simulated"] for row in rows} == {"true"}
    page.locator("#runs-view label", has_text="Pairs").click()
    expect(page.locator("#runs-count")).to_contain_text("1 pair of")
    assert float(cells(page, 5)[0]) > 0


def test_a_run_appears_in_an_open_table(chat: Chat) -> None:
    chat.choose(STEADY)
    chat.short()
    chat.send("Slowly: an amaranthine question")
    open_runs(chat.page)
    chat.page.locator("#runs-text input").fill("amaranthine")
    expect(chat.page.locator("#runs-count")).to_contain_text(re.compile(r"^\s*1 of"))


def test_rows_outlive_a_server_that_was_killed(visitors: Any, tmp_path: Path) -> None:
    with playground(tmp_path / "runs.db") as server:
        chat = visitors(server.url)
        chat.choose(SWIFT)
        chat.short()
        chat.ask("Remember me")
        chat.page.goto("about:blank")
        server.stop(kill=True)
        server.start()
        chat = visitors(server.url)
        open_runs(chat.page)
        assert cells(chat.page, 1) == ["simulated.swift"]
        assert [row.prompt for row in server.rows()] == ["Remember me"]


def test_an_arn_that_does_not_tell_its_model_can_be_asked_in_a_named_shape(far_chat: Chat) -> None:
    chat, page = far_chat, far_chat.page
    shape = page.locator("#family")
    expect(shape).to_have_count(0)
    chat.type_model("arn:aws:bedrock:us-east-1:111122223333:imported-model/abcdefghijkl")
    expect(shape).to_be_visible()
    chat.box.fill("Show me")
    page.locator("#view-request button").click()
    expect(page.locator("#request")).to_contain_text("client.converse_stream(")
    pick(page, "family", "As llama")
    expect(page.locator("#request")).to_contain_text("client.invoke_model_with_response_stream(")
    chat.type_model("us.amazon.nova-lite-v1:0")
    expect(shape).to_have_count(0)
    expect(page.locator("#request")).to_contain_text("nova-lite")


def test_the_chosen_model_and_the_numbers_are_there_after_a_reload_and_no_text(chat: Chat) -> None:
    page = chat.page
    numbers = {"#max-tokens input": "77", "#temperature input[type=number]": "0.35", "#top-p input": "0.9"}
    chat.choose(SWIFT)
    chat.mode("Complete")
    page.locator("#system-prompt textarea").fill("heliotrope")
    for widget, number in numbers.items():
        page.locator(widget).fill(number)
    page.wait_for_function("sessionStorage['playground.numbers'] === '[\"Complete\",0.35,77,\"0.9\"]'")
    page.reload()
    chat.ready()
    expect(page.locator("#model input")).to_have_value(re.compile("swift"))
    name = page.locator("#model input").input_value()
    expect(page.locator("#model-name")).to_have_text(name)  # it is longer than its box
    expect(page.locator("#mode label.selected")).to_have_text("Complete")
    for widget, number in numbers.items():
        expect(page.locator(widget)).to_have_value(number)
    page.locator("#top-p input").fill("heliotrope")
    page.wait_for_function("sessionStorage['playground.numbers'] === '[\"Complete\",0.35,77,\"\"]'")
    assert "heliotrope" not in page.evaluate("JSON.stringify({...sessionStorage, ...localStorage})")


def test_each_tab_keeps_its_own_place(chat: Chat) -> None:
    page = chat.page
    page.set_viewport_size({"width": 1280, "height": 400})
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_function("document.scrollingElement.scrollHeight > innerHeight + 120")
    page.evaluate("window.scrollTo(0, 120)")
    page.get_by_role("tab", name="Latency").click()
    page.wait_for_function("window.scrollY === 0")
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_function("window.scrollY === 120")
