"""Tab Latency in the browser: run, stop, load again, refuse, export, pin; mostly on a scripted service."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.app.experiments import MODEL, answers
from tests.e2e.conftest import NO_SIDEWAYS, PHONE, Chat, Playground
from tests.e2e.test_page import HAS_NAME
from tests.wire import WireServer, failure, silence, text_frames
from tests.wire import stream as streaming

ELEMENTS = (
    *("experiment-run", "experiment-stop", "experiment-progress", "experiment-verdict", "experiment-plot"),
    "experiment-export",
)
HOSTILE = "<img src=x onerror=alert(1)> ${alert(2)} {{value}}"


class Latency:
    """What a person does in the tab."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.run = page.locator("#experiment-run")
        self.stop = page.locator("#experiment-stop")
        self.verdict = page.locator("#experiment-verdict")
        self.words = page.locator("#experiment-progress .words")
        self.problem = page.locator("#experiment-problem .problem")
        self.rows = page.locator("#experiment-pairs-table tbody tr")
        self.shown = page.locator("#experiment-shown :is(input, textarea)")

    def open(self) -> Latency:
        self.page.get_by_role("tab", name="Latency").click()
        expect(self.page.locator("#experiment-spend p")).to_be_visible()
        return self

    def choose(self, *models: str) -> None:
        self.page.locator("#experiment-models .remove-all").click()
        for model in models:
            self.page.locator("#experiment-models input").fill(model)
            self.page.locator("#experiment-models input").press("Enter")
        self.page.locator("#experiment-models input").press("Tab")

    def fill(self, **values: Any) -> None:
        for name, value in values.items():
            self.page.locator(f"#experiment-{name.replace('_', '-')} :is(input, textarea)").fill(str(value))

    def options(self) -> None:
        self.page.get_by_text("More options").click()

    def ended(self, state: str) -> None:
        expect(self.page.locator(f".experiment-progress[data-state='{state}']")).to_have_count(1, timeout=30_000)
        expect(self.run).to_be_enabled()

    def reopen(self, number: int) -> None:
        self.page.locator("#experiment-earlier input").click()
        self.page.locator("#experiment-earlier ul[role=listbox] li").nth(number).click()

    def export(self, kind: str) -> str:
        self.page.locator("#experiment-kind label", has_text=kind).click()
        with self.page.expect_download() as download:
            self.page.locator("#experiment-export").click()
        return Path(download.value.path()).read_text("utf-8")


def short(tab: Latency) -> None:
    """An experiment on the form that is soon over."""
    tab.choose(MODEL)
    tab.options()
    tab.fill(pairs=8, max_tokens=30, pause=0, prompts="Why?")


def held(wire: WireServer, *, after: int) -> Event:
    """Lets so many calls through; all others wait until the event is set."""
    go, good = Event(), answers()

    def reply(to: Any) -> None:
        if len(wire.asked) > after:
            go.wait(30)
        good(to)

    wire.reply_with(reply)
    return go


@pytest.fixture
def latency(far_chat: Chat, wire: WireServer) -> Iterator[Latency]:
    """The tab of a playground whose AWS is scripted, with a short experiment on the form."""
    wire.reply_with(answers(gap_s=0.01))
    tab = Latency(far_chat.page).open()
    short(tab)
    yield tab
    ended(tab, wire)


def ended(tab: Latency, wire: WireServer) -> None:
    """Leaves nothing under way for the next test."""
    wire.reply_with(answers())
    if tab.stop.is_enabled():
        tab.stop.click()
        expect(tab.run).to_be_enabled()


def test_every_promised_element_is_there_and_has_a_name(latency: Latency) -> None:
    for element in ELEMENTS:
        assert latency.page.evaluate(HAS_NAME, element), element
    assert latency.page.get_by_role("progressbar", name="Calls done").count() == 1


def test_an_experiment_ends_with_a_verdict_plots_and_pairs(latency: Latency, far: Playground) -> None:
    latency.run.click()
    latency.ended("done")
    lead = latency.verdict.locator(".lead")
    expect(lead).to_have_text(re.compile(r"^First text .* sooner with streaming, 95\s% interval .* n\s=\s8\.$"))
    expect(latency.rows).to_have_count(8)
    expect(latency.page.locator("#experiment-plot svg[role=img]")).to_have_count(2)
    expect(latency.verdict).to_contain_text("Starts within 1 s, done within 6 s: met in 8 of 8 runs")
    expect(latency.verdict).to_contain_text("single user, closed loop, from this machine")
    rows = [row for row in far.rows() if row.experiment_id is not None][:18]
    assert [row.phase for row in rows].count("measure") == 16
    latency.fill(starts="0.0001")
    expect(latency.verdict).to_contain_text("met in 0 of 8 runs")

    found = json.loads(latency.export("JSON"))
    assert found["verdict"]["n"] == 8
    assert {row["bench.run_id"] for row in found["runs"]} == {row.run_id for row in rows}
    assert latency.export("CSV").count("bench.run_id") == 1
    assert "Content-Security-Policy" in latency.export("Report")
    latency.page.locator("#experiment-texts input").uncheck()
    assert "Why?" not in latency.export("JSON")


def test_stop_keeps_the_pairs_that_are_done(latency: Latency, wire: WireServer) -> None:
    good, hang = answers(), streaming(text_frames("word "), silence)
    wire.reply_with(lambda to: (good if len(wire.asked) <= 6 else hang)(to))
    latency.run.focus()
    latency.run.press("Enter")
    expect(latency.rows).to_have_count(2)
    expect(latency.run).to_be_disabled()
    expect(latency.stop).to_be_focused()
    latency.stop.press("Enter")
    latency.ended("stopped")
    expect(latency.verdict).to_contain_text("n = 2")
    expect(latency.verdict).to_contain_text("1 pair left out: 1 stopped")


def test_a_reload_finds_the_experiment_again(wire: WireServer, visitors: Any, far: Playground) -> None:
    latency = Latency(visitors(far.url, forgiven=("AbortError", "errored out")).page).open()
    short(latency)
    go = held(wire, after=5)
    latency.run.click()
    expect(latency.rows.first).to_be_visible()
    latency.page.reload()
    again = Latency(latency.page).open()
    expect(again.run).to_be_disabled()
    expect(again.stop).to_be_enabled()
    go.set()
    again.ended("done")
    expect(again.rows).to_have_count(8)
    expect(again.verdict).to_contain_text("n = 8")


def test_a_second_page_is_told_of_the_experiment_that_runs(
    latency: Latency, wire: WireServer, visitors: Any, far: Playground
) -> None:
    other = Latency(visitors(far.url).page).open()
    other.choose(MODEL)
    go = held(wire, after=5)
    latency.run.click()
    expect(latency.stop).to_be_enabled()
    other.run.click()
    expect(other.problem).to_contain_text("An experiment is running already")
    expect(other.words).to_contain_text("of 18 calls")
    other.stop.click()
    go.set()
    latency.ended("stopped")


def test_what_cannot_be_run_is_said_in_its_place(latency: Latency, wire: WireServer) -> None:
    latency.fill(pairs=0)
    latency.run.click()
    expect(latency.problem).to_have_text("Pairs must be a whole number from 1 to 1,000.")
    expect(latency.page.locator("#experiment-pairs input")).to_have_attribute("aria-invalid", "true")
    latency.fill(pairs=8)
    latency.choose("fragile")
    latency.run.click()
    expect(latency.problem).to_contain_text("No family is known for fragile")
    latency.choose(MODEL)
    latency.fill(cap="1.5")
    expect(latency.page.locator("#experiment-spend")).to_contain_text("A cost cap cannot be kept")
    latency.run.click()
    expect(latency.problem).to_contain_text("No list price is known")
    assert wire.asked == []
    latency.fill(cap="")
    wire.reply_with(failure("403 Forbidden", "AccessDeniedException", "You may not"))
    latency.run.click()
    latency.ended("failed")
    expect(latency.problem).to_contain_text("given up after 2 failed calls")


def test_the_price_follows_the_form(latency: Latency) -> None:
    latency.choose("us.amazon.nova-micro-v1:0")
    spend = latency.page.locator("#experiment-spend")
    expect(spend).to_contain_text(re.compile(r"At most .*\$0\.000\d at list price: 18 calls of at most 30 tokens"))
    latency.fill(pairs=500, max_tokens=1000)
    expect(spend).to_contain_text("1,002 calls of at most 1,000 tokens")


def test_hostile_text_is_only_text(latency: Latency) -> None:
    latency.fill(prompts=HOSTILE, pairs=1)
    latency.run.click()
    latency.ended("done")
    expect(latency.rows.locator(".prompt")).to_have_text(HOSTILE)


def test_an_earlier_one_opens_again_and_becomes_a_baseline(latency: Latency) -> None:
    ids = []
    for _ in range(2):
        latency.run.click()
        expect(latency.stop).to_be_enabled()
        latency.ended("done")
        ids.append(latency.shown.input_value())
    pin = latency.page.locator("#experiment-pin")
    latency.reopen(1)
    expect(latency.shown).to_have_value(ids[0])
    pin.click()
    expect(pin).to_have_text("Unpin baseline")
    expect(latency.verdict.locator(".badge", has_text="baseline")).to_be_visible()
    latency.reopen(0)
    expect(latency.shown).to_have_value(ids[1])
    expect(latency.verdict).to_contain_text("Against the baseline: First text")
    expect(pin).to_have_text("Pin as baseline")


IN_VIEW = """(id) => {
  const box = document.getElementById(id).getBoundingClientRect();
  const top = document.querySelector('#tabs > .tab-wrapper').getBoundingClientRect().bottom;
  return box.top >= top - 1 && box.top < window.innerHeight - 100;
}"""


@pytest.fixture
def phone(visitors: Any, far: Playground, wire: WireServer) -> Iterator[Latency]:
    """The tab on a phone, with an experiment that waits for `held` calls."""
    wire.reply_with(answers())
    tab = Latency(visitors(far.url, viewport=PHONE, has_touch=True).page).open()
    short(tab)
    yield tab
    ended(tab, wire)


def test_on_a_phone_who_ran_it_sees_the_progress_and_then_the_verdict(phone: Latency, wire: WireServer) -> None:
    go = held(wire, after=5)
    at_the_bottom = "window.scrollBy(0, document.getElementById('experiment-run').getBoundingClientRect().bottom - %d)"
    phone.page.evaluate(at_the_bottom % (PHONE["height"] - 10))
    assert not phone.page.evaluate(IN_VIEW, "experiment-progress")
    phone.run.click()
    expect(phone.rows.first).to_be_attached()
    phone.page.wait_for_function(IN_VIEW, arg="experiment-progress")
    phone.page.evaluate("window.scrollTo(0, 0)")
    go.set()
    phone.ended("done")
    phone.page.wait_for_function(IN_VIEW, arg="experiment-verdict")
    assert phone.page.evaluate(NO_SIDEWAYS)


def test_nobody_is_moved_who_types(phone: Latency, wire: WireServer) -> None:
    go = held(wire, after=5)
    phone.run.click()
    expect(phone.rows.first).to_be_attached()
    phone.fill(prompts="What next")
    stood = phone.page.evaluate("window.scrollY")
    go.set()
    phone.ended("done")
    expect(phone.verdict).to_contain_text("n = 8")
    phone.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert phone.page.evaluate("window.scrollY") == stood


def test_of_several_models_the_numbers_are_folded(latency: Latency) -> None:
    latency.choose(MODEL, "us.amazon.nova-micro-v1:0")
    latency.fill(pairs=1)
    latency.run.click()
    latency.ended("done")
    expect(latency.verdict.locator(".lead")).to_have_count(2)
    table = latency.verdict.locator("table").first
    expect(table).to_be_hidden()
    latency.verdict.locator("summary").first.click()
    expect(table).to_be_visible()
    expect(latency.page.locator("#experiment-plot .folded")).not_to_have_count(0)
    expect(latency.page.locator("#experiment-plot svg").first).to_be_hidden()


def test_a_phone_and_a_machine_without_aws(visitors: Any, here: Playground) -> None:
    page = visitors(here.url, viewport=PHONE).page
    tab = Latency(page).open()
    tab.choose("simulated.swift")
    tab.options()
    tab.fill(pairs=1, max_tokens=3, pause=0)
    expect(page.locator("#experiment-spend")).to_contain_text("Costs nothing")
    tab.run.click()
    tab.ended("done")
    expect(tab.verdict.locator(".badge", has_text="simulated")).to_be_visible()
    expect(tab.verdict).to_contain_text("not enough runs to tell")
    assert page.evaluate(NO_SIDEWAYS)
