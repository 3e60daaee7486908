"""The replay in a real browser: true to the record, in a report without any network, and from a row of the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from app.report import comparison_report, experiment_report
from metrics.record import RunRecord
from tests.app.reported import SETTINGS, TEXT, a_comparison, a_streamed, an_experiment, streamed_chunks
from tests.e2e.conftest import DESK, NO_SIDEWAYS, PHONE, Chat, Playground

Shown = Callable[..., Page]

WATCH = """
(root) => new Promise((resolve) => {
  // When each length of the text was first there, in ms since the click on Play, by the page's own clock.
  const box = root.querySelector('[data-pane="streamed"] .replay-text');
  const seen = [];
  let began = 0;
  const observer = new MutationObserver(() => seen.push([performance.now() - began, box.textContent.length]));
  observer.observe(box, { childList: true, characterData: true, subtree: true });
  const done = new MutationObserver(() => {
    if (root.dataset.playing !== "false" || !seen.length) return;
    observer.disconnect();
    done.disconnect();
    resolve(seen);
  });
  done.observe(root, { attributes: true, attributeFilter: ["data-playing"] });
  root.querySelector('[data-do="restart"]').focus();
  began = performance.now();
  root.querySelector('[data-do="restart"]').click();
})
"""


@pytest.fixture
def shown(browser: Browser, tmp_path: Path) -> Iterator[Shown]:
    """Opens a report from the disk. At the end it has asked nobody for anything and complained about nothing."""
    pages: list[Page] = []
    wrong: list[str] = []

    def show(report: str, **options: Any) -> Page:
        file = tmp_path / f"report-{len(pages)}.html"
        file.write_text(report, "utf-8")
        context = browser.new_context(**{"viewport": DESK, "offline": True, **options})
        context.set_default_timeout(15_000)
        page = context.new_page()
        pages.append(page)
        page.on("request", lambda request: wrong.append(request.url) if request.url != file.as_uri() else None)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(file.as_uri())
        return page

    yield show
    for page in pages:
        page.context.close()
    assert wrong == []


def player(page: Page) -> Locator:
    """The first replay on the page."""
    return page.locator(".replay").first


def text_of(page: Page, pane: str = "streamed") -> Locator:
    return player(page).locator(f'[data-pane="{pane}"] .replay-text')


def words(text: str | None) -> list[str]:
    """Only the words: an answer that is drawn has paragraphs for empty lines, and a list for `1.`."""
    return [word for word in (text or "").split() if word != "1."]


def lags_ms(page: Page, run: RunRecord) -> list[float]:
    """How late (or early) each chunk was shown, in order of size."""
    seen = player(page).evaluate(WATCH)
    seen = [step for step in seen if step[1] <= len(run.response.encode("utf-16-le")) // 2]
    found, chars = [], 0
    for at_ns, _, length in run.chunks or ():
        chars += length
        units = len(run.response[:chars].encode("utf-16-le")) // 2
        came_ms = next(at for at, shown in seen if shown >= units and at > 0)
        found.append(came_ms - at_ns / 1e6)
    return sorted(found, key=abs)


def test_chunks_are_replayed_when_they_came(shown: Shown) -> None:
    text = 3 * TEXT
    run = a_streamed("1", response=text, chunks=streamed_chunks(text, 0.3, 0.03, 0.3), duration_s=2.7)
    page = shown(comparison_report([run]))
    tries = []
    for _ in range(4):  # a machine that is busy elsewhere paints late; the player is not to blame for that
        lags = lags_ms(page, run)
        tries.append(round(abs(lags[int(0.95 * len(lags))]), 1))
        if tries[-1] <= 20:
            break
    assert min(tries) <= 20, tries
    assert words(text_of(page).text_content()) == words(text)


def test_the_other_pane_is_blank_until_the_end(shown: Shown) -> None:
    page = shown(comparison_report([a_streamed("1", first_s=0.2, stall_s=1.0)]))
    player(page).get_by_role("button", name="Restart").click()
    expect(text_of(page)).to_have_text(re.compile("^Sleep"))
    assert text_of(page, "whole").text_content() == ""
    expect(player(page).locator('[data-pane="whole"] .replay-note')).to_have_text(re.compile(r"^waiting \d"))
    expect(text_of(page, "whole")).to_have_text(re.compile("^Sleep is a habit"))
    expect(player(page).locator('[data-pane="whole"] .replay-note')).to_have_text("done after 2.10 s")
    expect(player(page).get_by_role("status")).to_have_text("Replay ended. done after 2.10 s")
    drawn = text_of(page).text_content()
    assert drawn == text_of(page, "whole").text_content()
    assert words(drawn) == words(TEXT)


def test_pause_speed_and_scrub_by_keyboard(shown: Shown) -> None:
    page = shown(comparison_report([a_streamed("1", first_s=0.5, stall_s=30.0)]))
    root = player(page)
    slider = root.get_by_role("slider", name="Moment of the run")
    slider.focus()
    page.keyboard.press("Home")
    assert slider.input_value() == "0"
    assert text_of(page).text_content() == ""
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert 1700 < float(slider.input_value()) < 2000
    half = text_of(page).text_content() or ""
    assert TEXT.startswith(half)
    assert 0 < len(half) < len(TEXT)
    root.get_by_role("button", name="Play").focus()
    page.keyboard.press("Space")
    expect(root.get_by_role("button", name="Pause")).to_be_focused()
    root.get_by_role("button", name="2×").click()
    assert root.get_by_role("button", name="2×").get_attribute("aria-pressed") == "true"
    assert root.get_by_role("button", name="1×", exact=True).get_attribute("aria-pressed") == "false"
    rate = root.evaluate(
        """async (root) => {
          const at = () => Number(root.querySelector("input").value);
          const [from, began] = [at(), performance.now()];
          await new Promise((resolve) => setTimeout(resolve, 500));
          return (at() - from) / (performance.now() - began);
        }"""
    )
    assert 1.6 < rate < 2.4
    root.get_by_role("button", name="Pause").click()
    expect(root.get_by_role("status")).to_have_text("Replay paused.")
    stood = slider.input_value()
    page.wait_for_timeout(80)
    assert slider.input_value() == stood
    page.keyboard.press("Tab")  # everything is within reach
    slider.focus()
    page.keyboard.press("End")
    expect(text_of(page, "whole")).to_have_text(re.compile("^Sleep"))


def test_all_answers_of_a_comparison_play_at_once(shown: Shown) -> None:
    rows = [a_streamed("1", first_s=0.1, request_model="a"), a_streamed("2", first_s=60.0, request_model="b")]
    page = shown(comparison_report(rows))
    first, second = page.locator(".replay").all()
    page.get_by_role("button", name="Play all").click()
    expect(second.locator('[data-pane="streamed"] .replay-note')).to_have_text(re.compile(r"^waiting \d"))
    expect(first.locator('[data-pane="streamed"] .replay-note')).to_have_text(re.compile("^done after"))
    assert second.locator('[data-pane="streamed"] .replay-text').text_content() == ""


def test_markdown_is_text_while_it_plays_and_drawn_at_the_end_as_in_the_chat(shown: Shown) -> None:
    text = "**One** [two](http://127.0.0.1:9/x) ![three](http://127.0.0.1:9/y)\n\n```js\nfour\n```\n\n" + TEXT
    page = shown(comparison_report([a_streamed("1", response=text, chunks=streamed_chunks(text, 0.1, 0.02, 0.1))]))
    box = text_of(page)
    expect(box.locator("strong")).to_have_text("One")  # it has been played to its end
    expect(box.locator("pre code")).to_have_text("four\n")
    expect(box.locator(".not-loaded")).to_have_text("[image not loaded: 127.0.0.1:9]")
    assert box.evaluate("(box) => getComputedStyle(box).whiteSpace") == "normal"
    slider = player(page).get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(box.locator("strong")).to_have_count(0)
    assert (box.text_content() or "").startswith("**One** [two](http")
    page.keyboard.press("End")
    expect(box.locator("strong")).to_have_count(1)
    expect(text_of(page, "whole").locator("strong")).to_have_count(1)
    assert page.locator("img").count() == 0


def test_markup_is_text(shown: Shown) -> None:
    evil = '<img src="http://127.0.0.1:9/x" onerror="alert(1)"><script>alert(2)</script> 5 < 6 & 7\n\n  end'
    page = shown(comparison_report([a_streamed("1", response=evil, request_model=evil)]))
    assert words(text_of(page).text_content()) == words(evil)
    assert page.locator("img, script:not(body > script)").count() == 0


def test_a_cut_run_says_how_it_ended_and_a_complete_one_has_only_its_wait(shown: Shown) -> None:
    cut, complete = a_comparison()[-1], an_experiment(1)[1]
    page = shown(comparison_report([cut, complete]))
    first, second = page.locator(".replay").all()
    expect(first.locator('[data-pane="streamed"] .replay-note')).to_have_text("cut off after 1.20 s")
    expect(first.locator('[data-pane="whole"] .replay-note')).to_have_text("cut off after 1.20 s: nothing to read")
    assert first.locator('[data-pane="whole"] .replay-text').text_content() == ""
    assert second.locator(".replay-pane").count() == 1
    second.get_by_role("button", name="Restart").click()
    assert second.locator(".replay-text").text_content() == ""
    expect(second.locator(".replay-text")).to_have_text(re.compile("^Sleep"))


@pytest.mark.parametrize(
    "options", [{"viewport": DESK}, {"viewport": PHONE, "color_scheme": "dark"}], ids=["desk", "phone"]
)
@pytest.mark.parametrize("texts", [True, False])
def test_a_report_opens_with_the_network_off(shown: Shown, options: dict[str, Any], texts: bool) -> None:
    page = shown(experiment_report(an_experiment(), SETTINGS, texts=texts), **options)
    expect(page.locator(".lead")).to_contain_text("sooner with streaming")
    assert page.evaluate(NO_SIDEWAYS)
    content = page.content()
    assert not re.search(r"(?<!\d)\d{12}(?!\d)", content)
    assert ("habit" in page.inner_text("body")) is texts
    expect(page.get_by_role("img", name="First text in each pair")).to_be_visible()
    line = page.locator(".chart path[style*='--accent']").first.evaluate("(path) => getComputedStyle(path).stroke")
    assert line == ("rgb(111, 196, 169)" if options.get("color_scheme") == "dark" else "rgb(31, 111, 92)")
    player(page).get_by_role("button", name="Restart").click()
    expect(text_of(page)).to_have_text(re.compile(r"^\S{5}"))


def test_a_row_of_the_table_is_played_again(chat: Chat, here: Playground) -> None:
    chat.choose("swift")
    chat.short()
    chat.ask("What is a replay?")
    page = chat.page
    page.get_by_role("tab", name="Runs").click()
    button = page.locator("#replay-run")
    expect(button).to_be_disabled()
    page.locator("#runs-table .virtual-row [role=gridcell]").first.click()
    expect(page.locator("#run-details .waterfall")).to_be_visible()
    expect(page.locator("#run-details").get_by_role("img", name="Text over time")).to_be_visible()
    expect(button).to_be_enabled()
    button.click()
    expect(text_of(page)).to_have_text(re.compile(r"^\S"))
    expect(player(page).locator('[data-pane="whole"] .replay-note')).to_have_text(re.compile("^done after"))
    emphasis = text_of(page, "whole").locator("em").first.text_content()
    assert here.rows()[0].response.startswith(f"*{emphasis}*")
    expect(player(page).locator(".replay-mark")).to_have_text("simulated")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_has_no_barriers(shown: Shown, scheme: Any) -> None:
    for report in (experiment_report(an_experiment(), SETTINGS), comparison_report(a_comparison())):
        page = shown(report, color_scheme=scheme, bypass_csp=True)  # for the checker's own script
        found = Axe().run(page).response["violations"]
        assert [each["id"] for each in found if each["impact"] != "minor"] == []


def test_the_policy_of_a_report_holds(browser: Browser, tmp_path: Path) -> None:
    """Even if something got in, it would reach nobody."""
    smuggled = '<script>document.title="ran"</script><img src="http://127.0.0.1:9/x"></body>'
    file = tmp_path / "report.html"
    file.write_text(experiment_report(an_experiment(), SETTINGS).replace("</body>", smuggled), "utf-8")
    page = browser.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(file.as_uri())
    assert page.title() != "ran"
    assert len([words for words in refused if "Content Security Policy" in words]) == 2
    page.close()
