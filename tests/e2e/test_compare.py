"""Tab Compare in the browser: run, stop, add and remove, settings, one after another, blind, phone, reload."""

from __future__ import annotations

import re
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from metrics.run_log import RunLog
from tests.e2e.conftest import NO_SIDEWAYS, PHONE, Playground, duplicate, pick
from tests.e2e.test_page import HAS_NAME
from tests.patience import until
from tests.wire import Connection, WireServer, failure, stop_frames, stream, text_frames

SWIFT, STEADY, SLOW, LUMP = "swift", "steady", "slow start", "not really streamed"
ELEMENTS = ("compare-prompt", "compare-run", "compare-stop", "compare-add")
CONVERSE = ("newcomer.model-1", "newcomer.model-2")
ONE_SENTENCE = 30

hello = stream([*text_frames("Hel", "lo"), *stop_frames()])


def quiet(to: Connection) -> None:
    """Says nothing until the playground goes, however long a busy machine takes to look."""
    to.wait_until_left(60)


class Compare:
    """What a person does in the tab."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.prompt = page.locator("#compare-prompt textarea")
        self.run = page.locator("#compare-run")
        self.stop = page.locator("#compare-stop")
        self.rows = page.locator("#compare-summary tbody tr")
        self.problem = page.locator("#compare-problem .problem")
        self.state = page.locator("#compare .compare-state")

    def open(self) -> Compare:
        self.page.get_by_role("tab", name="Compare").click()
        expect(self.state).to_be_visible()
        self.shows(2)
        return self

    def pane(self, number: int) -> Locator:
        return self.page.locator(f"#pane-{number}")

    def output(self, number: int) -> Locator:
        return self.page.locator(f"#pane-{number}-output")

    def word(self, number: int) -> Locator:
        return self.page.locator(f"#pane-{number}-stats .word")

    def model(self, number: int) -> Locator:
        return self.page.locator(f"#pane-{number}-model input")

    def press(self, number: int, name: str) -> None:
        self.pane(number).get_by_role("button", name=name).click()

    def choose(self, number: int, label: str) -> None:
        pick(self.page, f"pane-{number}-model", label)

    def type_model(self, number: int, model_id: str) -> None:
        """Types an id that is not in the list."""
        self.model(number).fill(model_id)
        self.page.keyboard.press("Enter")
        self.page.keyboard.press("Tab")

    def number(self, pane: int, label: str) -> Locator:
        return self.pane(pane).get_by_label(label)

    def short(self, tokens: int = ONE_SENTENCE) -> None:
        """Answers of all panes that are over soon."""
        self.press(1, "Settings")
        self.number(1, "Max tokens").fill(str(tokens))
        self.press(1, "Settings")

    def shows(self, panes: int) -> None:
        expect(self.page.locator(f"#compare[data-panes='{panes}']")).to_have_count(1)
        expect(self.page.locator("#compare .pane:visible")).to_have_count(panes)

    def start(self, prompt: str = "Why?") -> None:
        before = self.state.get_attribute("data-id") or ""
        self.prompt.fill(prompt)
        self.run.click()
        expect(self.state).not_to_have_attribute("data-id", before)

    def finish(self) -> None:
        expect(self.page.locator("#compare[data-busy='false']")).to_have_count(1, timeout=40_000)

    def ask(self, prompt: str = "Why?") -> None:
        self.start(prompt)
        self.finish()


@pytest.fixture
def compare(visitors: Any, here: Playground) -> Compare:
    """One person in front of the tab on this machine."""
    return Compare(visitors(here.url).page).open()


@pytest.fixture
def far_compare(visitors: Any, far: Playground) -> Compare:
    """One person in front of the tab where AWS is scripted, with two models that are asked over Converse."""
    opened = Compare(visitors(far.url).page).open()
    for number, model_id in enumerate(CONVERSE, start=1):
        opened.type_model(number, model_id)
    return opened


def test_it_starts_with_two_panes_of_two_models_and_everything_has_a_name(compare: Compare) -> None:
    assert compare.model(1).input_value() != compare.model(2).input_value()
    elements = [*ELEMENTS, *(f"pane-{at}-{part}" for at in (1, 2) for part in ("model", "output", "stats"))]
    for element in elements:
        compare.page.wait_for_function(HAS_NAME, arg=element)


def test_all_panes_run_at_once_and_end_in_a_table(compare: Compare, here: Playground) -> None:
    compare.short()
    compare.start()
    compare.finish()
    for number in (1, 2):
        expect(compare.word(number)).to_have_text("done")
        expect(compare.output(number)).to_contain_text("This answer is simulated")
        expect(compare.page.locator(f"#pane-{number}-stats .figures")).to_contain_text("first text")
        expect(compare.page.locator(f"#pane-{number}-stats .timeline path")).to_have_count(1)
    expect(compare.rows).to_have_count(2)
    expect(compare.rows.nth(0).locator(".best", has_text="best")).not_to_have_count(0)
    expect(compare.state).to_contain_text(re.compile(r"all sent within [\d.]+ ms"))
    newest = here.rows()[:2]
    assert {row.comparison_id for row in newest} == {newest[0].comparison_id}
    assert newest[0].comparison_id is not None
    assert {row.max_tokens for row in newest} == {ONE_SENTENCE}


def test_a_slow_pane_does_not_hold_a_fast_one_and_stops_alone(far_compare: Compare, wire: WireServer) -> None:
    def second_says_nothing(to: Connection) -> None:
        (hello if to.asked.model_id == CONVERSE[0] else quiet)(to)

    wire.reply_with(second_says_nothing)
    far_compare.start()
    expect(far_compare.word(1)).to_have_text("done")
    expect(far_compare.word(2)).to_have_text("waiting")
    expect(far_compare.page.locator("#pane-2-stats [role=progressbar]")).to_be_visible()
    far_compare.press(2, "Stop pane 2")
    far_compare.finish()
    expect(far_compare.word(2)).to_have_text("stopped")
    expect(far_compare.rows.nth(1)).to_contain_text("stopped")


def test_escape_stops_all_and_keeps_what_was_said(compare: Compare, here: Playground) -> None:
    compare.start()
    expect(compare.output(2)).to_contain_text("This answer", timeout=10_000)
    compare.page.keyboard.press("Escape")
    compare.finish()
    expect(compare.word(2)).to_have_text("stopped")
    expect(compare.output(2)).to_contain_text("This answer")
    assert here.rows()[0].status == "cancelled"
    assert compare.prompt.input_value() == "Why?"


def test_control_enter_runs_all(compare: Compare) -> None:
    compare.short()
    compare.prompt.fill("Why?")
    compare.page.keyboard.press("Control+Enter")
    expect(compare.rows).to_have_count(2, timeout=20_000)


def test_panes_come_and_go_in_place_and_count_from_one(compare: Compare) -> None:
    compare.page.locator("#compare-add").click()
    compare.shows(3)
    compare.choose(3, LUMP)
    compare.short()
    first, third = compare.model(1).input_value(), compare.model(3).input_value()
    assert len({first, compare.model(2).input_value(), third}) == 3
    compare.ask()
    compare.press(2, "Remove")
    compare.shows(2)
    expect(compare.model(2)).to_have_value(third)
    assert compare.model(1).input_value() == first
    expect(compare.rows).to_have_count(2)
    expect(compare.rows.nth(1)).to_contain_text("not really streamed")
    expect(compare.state).not_to_contain_text("sent within")
    name = compare.model(2).input_value().split(" (")[0]
    expect(compare.pane(2).get_by_role("button", name=f"Remove pane 2, {name}", exact=True)).to_be_visible()
    compare.press(1, "Remove")
    compare.shows(1)
    expect(compare.model(1)).to_have_value(third)
    expect(compare.pane(1).get_by_role("button", name="Remove")).to_be_hidden()
    for panes in range(2, 7):
        compare.page.locator("#compare-add").click()
        compare.shows(panes)
    assert compare.page.evaluate(NO_SIDEWAYS)


def test_the_same_settings_are_the_same_until_one_says_otherwise(compare: Compare) -> None:
    compare.press(1, "Settings")
    compare.press(2, "Settings")
    compare.number(1, "Temperature").fill("0.3")
    expect(compare.number(2, "Temperature")).to_have_value("0.3")
    expect(compare.page.locator("#compare .badge.unlike")).to_have_count(0)
    compare.page.locator("#compare-same input").uncheck()
    compare.number(2, "Temperature").fill("0.9")
    expect(compare.pane(2).locator(".badge.unlike")).to_have_text("temperature 0.9")
    assert compare.number(1, "Temperature").input_value() == "0.3"
    compare.page.locator("#compare-same input").check()
    expect(compare.number(2, "Temperature")).to_have_value("0.3")
    expect(compare.pane(2).locator(".badge.unlike")).to_have_count(0)


def test_one_after_another_goes_in_an_order_that_is_told(compare: Compare, here: Playground) -> None:
    compare.short(5)
    compare.page.locator("#compare-order label", has_text="One after another").click()
    compare.ask()
    expect(compare.state).to_contain_text(re.compile("in shuffled order: (1, 2|2, 1)"))
    rows = here.rows()[:2]
    assert sorted(row.order_in_pair or 0 for row in rows) == [1, 2]
    assert max(rows, key=lambda row: row.started_at).order_in_pair == 2


def test_a_blind_race_hides_names_until_the_vote_and_keeps_it(compare: Compare, here: Playground) -> None:
    compare.short(40)
    compare.page.locator("#compare-blind input").check()
    compare.start()
    expect(compare.model(1)).to_be_hidden()
    compare.finish()
    assert "swift" not in compare.page.locator("#compare").inner_text()
    expect(compare.rows).to_have_count(0)
    compare.page.get_by_role("button", name="B", exact=True).click()
    expect(compare.page.locator("#compare-summary .saving")).to_contain_text("You preferred B")
    expect(compare.page.locator("#compare-summary .saving")).to_contain_text(re.compile(r"preferred \d of \d"))
    expect(compare.model(2)).to_be_visible()
    for number, letter in ((1, "A"), (2, "B")):
        expect(compare.pane(number).locator(".letter")).to_be_visible()
        expect(compare.pane(number).locator(".letter")).to_have_text(letter)
    # Models stand at their answers: the order of the rows in the log is that of nobody.
    by_model = {row.request_model: row for row in here.rows()[:2]}
    preferred = by_model[f"simulated.{'swift' if 'swift' in compare.model(2).input_value() else 'steady'}"]
    with RunLog(f"sqlite:///{here.log}") as log:
        vote = log.votes()[-1]
    assert vote.run_id == preferred.run_id
    assert vote.comparison_id == preferred.comparison_id


def test_what_is_wrong_is_said_where_it_is(compare: Compare, here: Playground) -> None:
    before = len(here.rows())
    compare.prompt.fill("   ")
    compare.run.click()
    expect(compare.problem).to_contain_text("Prompt is required")
    compare.page.locator("#compare-same input").uncheck()
    compare.press(2, "Settings")
    compare.number(2, "Temperature").fill("7")
    compare.press(1, "Settings")
    compare.number(1, "Max tokens").fill("5")
    compare.ask()
    expect(compare.problem).to_have_count(0)
    expect(compare.output(2)).to_contain_text("temperature")
    expect(compare.rows.nth(1)).to_contain_text("not sent")
    expect(compare.word(1)).to_have_text("done")
    assert len(here.rows()) == before + 1
    compare.number(2, "Temperature").fill("0.5")
    compare.number(2, "Max tokens").fill("5")
    compare.output(2).get_by_role("button", name="Retry").click()
    expect(compare.rows.nth(1)).to_contain_text("asked again, alone", timeout=20_000)
    expect(compare.word(2)).to_have_text("done")


def test_a_failed_pane_leaves_the_others_alone_and_is_a_row(far_compare: Compare, wire: WireServer, far: Any) -> None:
    denied = failure("403 Forbidden", "AccessDeniedException", "You don't have access to the model.")
    wire.reply_with(denied, hello)
    far_compare.ask()
    states = {far_compare.word(number).inner_text() for number in (1, 2)}
    assert states == {"failed", "done"}
    expect(far_compare.page.locator("#compare .failure")).to_have_count(1)
    expect(far_compare.rows).to_have_count(2)
    assert sorted(row.status for row in far.rows()[:2]) == ["completed", "failed"]


def test_a_pane_can_go_to_another_region(far_compare: Compare, wire: WireServer, far: Playground) -> None:
    wire.reply_with(hello)
    far_compare.page.locator("#compare-same input").uncheck()
    far_compare.press(2, "Settings")
    region = far_compare.pane(2).get_by_label("Region", exact=False).first
    region.fill("eu-west-1")
    region.press("Enter")
    region.press("Tab")
    expect(far_compare.pane(2).locator(".badge.unlike")).to_have_text("region eu-west-1")
    far_compare.ask()
    expect(far_compare.rows.nth(1)).to_contain_text("AWS eu-west-1")
    assert {row.region for row in far.rows()[:2]} == {"us-west-2", "eu-west-1"}


def test_text_of_a_model_runs_nothing(far_compare: Compare, wire: WireServer) -> None:
    evil = "<img src=x onerror=alert(1)> ${alert(2)} {{value}} <script>alert(3)</script>"
    wire.reply_with(stream([*text_frames(evil), *stop_frames()]))
    far_compare.ask(evil)
    expect(far_compare.output(1)).to_contain_text("<script>alert(3)</script>")
    assert far_compare.page.locator("#compare img, #compare script").count() == 0


def test_a_reload_finds_the_comparison_again_and_stops_what_ran(visitors: Any, here: Playground) -> None:
    compare = Compare(visitors(here.url, forgiven=("AbortError", "errored out")).page).open()
    compare.choose(2, SLOW)
    compare.start("Is it still there?")
    expect(compare.output(1)).to_contain_text("This answer is simulated")
    compare.page.reload()
    compare.page.wait_for_function("() => window.playground?.key()")
    compare.open()
    expect(compare.output(1)).to_contain_text("This answer is simulated")
    expect(compare.word(2)).to_have_text("stopped")
    expect(compare.model(2)).to_have_value(re.compile(SLOW))
    expect(compare.rows).to_have_count(2)
    assert here.rows()[0].status == "cancelled"


def test_a_duplicated_tab_compares_by_itself_and_stops_nothing(compare: Compare, here: Playground) -> None:
    compare.short(60)
    compare.start("Is it still written?")
    expect(compare.output(2)).to_contain_text("This answer")
    with duplicate(compare.page) as page:
        other = Compare(page)
        page.get_by_role("tab", name="Compare").click()
        other.shows(2)
        expect(page.locator("#compare-summary .sample")).not_to_have_count(0)
        compare.finish()
    for number in (1, 2):
        expect(compare.word(number)).to_have_text("done")
    assert {row.status for row in here.rows()[:2]} == {"completed"}


def test_a_closed_tab_stops_its_panes(far_compare: Compare, wire: WireServer, far: Playground) -> None:
    wire.reply_with(quiet)
    before = {row.run_id for row in far.rows()}
    far_compare.start()
    expect(far_compare.word(2)).to_have_text("waiting")
    left = len(wire.left_at)
    far_compare.page.close()
    until(lambda: len(wire.left_at) == left + 2, "the calls stay open", within_s=5.0)

    def ended() -> list[str]:
        return [row.status for row in far.rows() if row.run_id not in before]

    until(lambda: ended() == ["cancelled"] * 2, "the rows say something else")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_figures_and_one_pane(visitors: Any, here: Playground, scheme: str) -> None:
    page = visitors(here.url, viewport=PHONE, is_mobile=True, has_touch=True, color_scheme=scheme).page
    compare = Compare(page)
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#compare-tabs [role=tab]")).to_have_count(2)
    compare.prompt.fill("Why?")
    compare.short()
    compare.ask()
    for number in (1, 2):
        expect(page.locator(f"#pane-{number}-stats .figures")).to_be_visible()
    expect(compare.output(1)).to_be_visible()
    expect(compare.output(2)).to_be_hidden()
    page.locator("#compare-tabs [role=tab]").nth(1).click()
    expect(compare.output(2)).to_be_visible()
    expect(compare.output(1)).to_be_hidden()
    assert page.evaluate(NO_SIDEWAYS)


def test_a_comparison_is_saved_as_a_file(compare: Compare, tmp_path: Path) -> None:
    compare.short(5)
    compare.ask("What is in the file?")
    with compare.page.expect_download() as download:
        compare.page.get_by_role("button", name="Save a report").click()
    path = tmp_path / "report.html"
    download.value.save_as(path)
    assert "What is in the file?" in path.read_text("utf-8")
    with compare.page.expect_download() as download:
        compare.page.get_by_role("button", name="Save one without texts").click()
    download.value.save_as(path)
    assert "What is in the file?" not in path.read_text("utf-8")


def test_where_there_is_nothing_to_save_no_older_file_is_saved_in_its_place(compare: Compare) -> None:
    compare.short(5)
    compare.ask("What is in the file?")
    with compare.page.expect_download():
        compare.page.get_by_role("button", name="Save a report").click()
    compare.page.evaluate(
        """() => {
          window.saved = 0;
          document.getElementById('compare-file').addEventListener('click', () => { window.saved += 1; });
        }"""
    )
    compare.page.evaluate("window.playground.compare.key = () => 'k'.repeat(32)")  # a server that forgot the page's own
    compare.page.get_by_role("button", name="Save one without texts").click()
    expect(compare.problem).to_contain_text("There is nothing to save yet")
    compare.page.evaluate("window.playground.compare.download(0)")  # nor where the guard before it should fail
    assert compare.page.evaluate("window.saved") == 0


def test_a_listener_hears_steps_and_not_tokens(compare: Compare) -> None:
    compare.short(60)
    compare.page.evaluate(
        """() => {
          window.said = [];
          const status = document.querySelector('#compare [role=status]');
          new MutationObserver(() => window.said.push(status.textContent))
            .observe(status, {childList: true, characterData: true, subtree: true});
        }"""
    )
    compare.ask()
    said = compare.page.evaluate("window.said")
    assert 2 <= len(said) <= 6
    assert said[-1].count("Answer complete") == 2
    assert compare.page.locator("#compare [aria-live]").count() == 0


def test_the_newest_text_stays_in_view_until_somebody_scrolls_up(far_compare: Compare, wire: WireServer) -> None:
    parts = text_frames(*("\n\n".join([f"part {number}"] * 20) + "\n\n" for number in range(3)))
    more = [Event(), Event()]

    def rest(to: Connection) -> None:
        for go, frame in zip(more, parts[2:], strict=True):
            go.wait(30)
            to.chunk(frame)
        for frame in stop_frames():
            to.chunk(frame)
        to.end()

    wire.reply_with(stream(parts[:2], rest))
    page, lowest = far_compare.page, "document.querySelector('#pane-1-output')"
    at_end = f"() => {lowest}.scrollHeight - {lowest}.clientHeight - {lowest}.scrollTop < 60"
    far_compare.start()
    expect(far_compare.output(1)).to_contain_text("part 0")
    more[0].set()
    expect(far_compare.output(1)).to_contain_text("part 1")
    page.wait_for_function(at_end)
    assert page.evaluate(f"{lowest}.scrollTop") > 60
    far_compare.output(1).hover()
    page.mouse.wheel(0, -5_000)
    page.wait_for_function(f"() => {lowest}.scrollTop < 20")
    more[1].set()
    expect(far_compare.output(1)).to_contain_text("part 2")
    far_compare.finish()
    assert page.evaluate(f"{lowest}.scrollTop") < 20


def test_a_sample_runs_at_once(compare: Compare) -> None:
    compare.page.locator("#compare-summary .sample").first.click()
    expect(compare.page.locator("#compare[data-busy='true']")).to_have_count(1)
    compare.page.keyboard.press("Escape")
    compare.finish()
    expect(compare.rows).to_have_count(2)
