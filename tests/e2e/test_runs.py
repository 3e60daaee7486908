"""Tab Runs over a log of some hundred rows, among them hostile ones."""

from __future__ import annotations

import contextlib
import csv
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from metrics.record import RunRecord
from metrics.run_log import RunLog
from tests.e2e.conftest import NO_SIDEWAYS, PHONE, Playground, pick, playground
from tests.metrics.records import record

EVIL = "<img src=https://evil.example/1.png onerror=alert(1)><script>alert(2)</script>"
BIDI = "\u202egnp.exe\u2066 {{constructor}} ${alert(3)}"
PLAIN = record("plain", request_model="us.amazon.nova-lite-v1:0", prompt="An ordinary question", response="Yes.")


def rows() -> Iterator[RunRecord]:
    for n in range(230):
        started_at = f"2026-11-20T10:{n // 60:02}:{n % 60:02}.000000Z"
        yield replace(PLAIN, run_id=f"n{n}", started_at=started_at, duration_s=10.0 + (n * 37 % 230) / 10)
    for n, mode in enumerate(("sync", "stream")):
        times = {"duration_s": 4.0, "time_to_visible_s": 4.0 if n == 0 else 0.5, "output_tokens": 1200 + n}
        given = {
            "mode": mode,
            "started_at": f"2026-11-21T10:00:0{n}.000000Z",
            "pair_id": "p",
            "prompt": "Twice, please",
        }
        chunks = ((500_000_000, "text", 4), (3_900_000_000, "text", 4)) if n else None
        yield record(f"pair-{mode}", response="One, two", chunks=chunks, **times, **given)
    hostile = {"request_model": EVIL, "prompt": f"=cmd|' /C calc'!A0 {EVIL}", "response": f"{BIDI} {EVIL} " * 700}
    yield record("evil", started_at="2026-11-22T10:00:00.000000Z", flags=("cold",), duration_s=1.0, **hostile)
    yield record("bidi", started_at="2026-11-22T10:00:01.000000Z", request_model=BIDI, status="failed", prompt=BIDI)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playground]:
    """A playground whose log has been written for weeks."""
    path = tmp_path_factory.mktemp("full") / "runs.db"
    with RunLog(f"sqlite:///{path}") as log:
        for one in rows():
            log.add(one)
    with playground(path) as running:
        yield running


@pytest.fixture
def page(visitors: Any, full: Playground) -> Page:
    """Somebody in front of the table."""
    return open_runs(visitors(full.url).page)


def open_runs(page: Page) -> Page:
    page.get_by_role("tab", name="Runs").click()
    expect(page.locator("#runs-table .virtual-row").first).to_be_visible()
    return page


def column(page: Page, title: str) -> Locator:
    at = page.locator(f"#runs-table th.header-cell[title='{title}']").get_attribute("data-heading")
    return page.locator(f"#runs-table .virtual-row [role=gridcell][data-col='{at}']")


def header(page: Page, title: str) -> Locator:
    return page.locator(f"#runs-table th.header-cell[title='{title}']")


def says(page: Page, words: str) -> None:
    expect(page.locator("#runs-count")).to_contain_text(words)


def choose(page: Page, elem_id: str, label: str) -> None:
    page.evaluate("window.scrollTo(0, 0)")  # as a person would; the driver stops as soon as a corner can be clicked
    pick(page, elem_id, label)


def search(page: Page, words: str) -> None:
    page.locator("#runs-text input").fill(words)


def open_first(page: Page) -> Locator:
    page.locator("#runs-table .virtual-row [role=gridcell]").first.click()
    card = page.locator("#run-details .chosen")
    expect(card).to_be_visible()
    return card


def saved(page: Page, folder: Path) -> Path:
    with page.expect_download() as told:
        page.locator("#runs-export").click()
    path = folder / told.value.suggested_filename
    told.value.save_as(path)
    return path


# --- pages and order --------------------------------------------------------------------------------------------------


def test_a_page_of_a_hundred_and_the_way_to_the_others(page: Page) -> None:
    says(page, "1–100 of 234 runs")
    expect(page.locator("#runs-previous")).to_be_disabled()
    page.locator("#runs-next").click()
    says(page, "101–200 of 234 runs")
    page.locator("#runs-page input").fill("3")
    page.locator("#runs-page input").press("Enter")
    says(page, "201–234 of 234 runs")
    expect(page.locator("#runs-next")).to_be_disabled()
    page.locator("#runs-previous").click()
    says(page, "101–200")
    search(page, "twice")
    says(page, "2 of 234 runs")
    expect(page.locator("#runs-pager")).to_have_count(0)


def test_a_click_on_a_header_sorts_the_whole_log(page: Page) -> None:
    expect(header(page, "Started (UTC)")).to_have_attribute("aria-sort", "descending")
    header(page, "Total (s)").click()
    expect(column(page, "Total (s)").first).to_have_text("32.900")
    expect(header(page, "Total (s)")).to_have_attribute("aria-sort", "descending")
    header(page, "Total (s)").click()
    expect(column(page, "Total (s)").first).to_have_text("1.000")
    expect(header(page, "Total (s)")).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("#runs-sort input")).to_have_value("Total (s) ↑")
    choose(page, "runs-sort", "Output (tokens) ↓")
    expect(column(page, "Output (tokens)").first).to_have_text("1,201")
    header(page, "Notes").click()
    expect(header(page, "Output (tokens)")).to_have_attribute("aria-sort", "descending")


# --- filter, rows, pairs ----------------------------------------------------------------------------------------------


def test_an_open_run_closes_when_the_filter_leaves_it_out(page: Page) -> None:
    expect(page.locator("#replay-run")).to_be_disabled()
    search(page, "twice please")
    says(page, "2 of 234")
    expect(open_first(page)).to_contain_text("Twice, please")
    expect(page.locator("#replay-run")).to_be_enabled()
    choose(page, "runs-mode", "Stream")
    says(page, "1 of 234")
    expect(page.locator("#run-details .chosen")).to_have_count(1)
    page.locator("#replay-run").click()
    expect(page.locator("#replay .replay")).to_be_visible()
    choose(page, "runs-mode", "Complete")
    expect(page.locator("#run-details .chosen")).to_have_count(0)
    expect(page.locator("#replay .replay")).to_have_count(0)
    expect(page.locator("#replay-run")).to_be_disabled()
    search(page, "nothing is like this")
    says(page, "0 of 234 runs. Nothing fits")
    page.locator("#runs-clear").click()
    says(page, "1–100 of 234 runs")
    open_first(page)
    page.locator("#run-details [data-close]").click()
    expect(page.locator("#run-details .chosen")).to_have_count(0)


def test_a_pair_tells_its_tokens_and_opens_both_runs(page: Page) -> None:
    page.locator("#runs-view label", has_text="Pairs").click()
    says(page, "1 pair of a complete and a streamed run")
    expect(column(page, "First text sooner by (s)").first).to_have_text("3.500")
    expect(column(page, "Complete (tokens)").first).to_have_text("1,200")
    expect(column(page, "Streamed (tokens)").first).to_have_text("1,201")
    open_first(page)
    expect(page.locator("#run-details section.run")).to_have_count(2)


# --- files ------------------------------------------------------------------------------------------------------------


def test_files_hold_all_pages_in_three_formats(page: Page, tmp_path: Path) -> None:
    says(page, "234 runs")
    with saved(page, tmp_path).open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 234
    assert lines[1]["bench.prompt"].startswith("'=cmd|")
    choose(page, "runs-format", "JSON")
    assert len(json.loads(saved(page, tmp_path).read_text("utf-8"))["runs"]) == 234
    choose(page, "runs-format", "Parquet")
    assert saved(page, tmp_path).read_bytes()[:4] == b"PAR1"


# --- deleting ---------------------------------------------------------------------------------------------------------

MARKER = "heliotropeandceladon"


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[Playground]:
    """A playground whose log is deleted in the test."""
    path = tmp_path / "runs.db"
    with RunLog(f"sqlite:///{path}") as log:
        for n in range(3):
            log.add(replace(PLAIN, run_id=f"n{n}", prompt=f"{MARKER} {n}", started_at=f"2026-11-20T10:00:0{n}.000000Z"))
    with playground(path) as running:
        yield running


def bytes_of(running: Playground) -> bytes:
    return b"".join(path.read_bytes() for path in running.log.parent.glob("runs.db*"))


def test_the_open_run_is_deleted_after_a_question(visitors: Any, doomed: Playground) -> None:
    page = open_runs(visitors(doomed.url).page)
    card = open_first(page)
    expect(card).to_contain_text(f"{MARKER} 2")
    delete = card.locator("[data-delete]")
    expect(delete).to_be_hidden()
    card.get_by_text("Delete this run").click()
    card.get_by_role("button", name="Keep it").click()
    expect(delete).to_be_hidden()
    card.get_by_text("Delete this run").press("Enter")
    delete.click()
    expect(page.locator("#runs-told")).to_contain_text("1 run deleted.")
    expect(page.locator("#run-details .chosen")).to_have_count(0)
    says(page, "2 runs")
    assert [row.run_id for row in doomed.rows()] == ["n1", "n0"]
    assert f"{MARKER} 2".encode() not in bytes_of(doomed)
    open_first(page)
    page.get_by_text("Delete this run").click()
    page.locator("[data-delete]").click()
    says(page, "1 run")


def test_all_runs_are_deleted_after_a_question_and_the_one_under_way_becomes_a_row(
    visitors: Any, doomed: Playground
) -> None:
    asking, page = visitors(doomed.url), open_runs(visitors(doomed.url).page)
    asking.choose("slow start")
    asking.short()
    search(page, "nothing is like this")
    says(page, "0 of 3 runs")
    page.get_by_text("Delete all runs").click()
    button = page.locator("[data-delete-all]")
    expect(button).to_have_text("Delete 3 runs")
    with contextlib.closing(sqlite3.connect(doomed.log, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        button.click()
        expect(page.locator("#runs-told")).to_contain_text("could not be emptied: another program has locked it")
    asking.send("Go on")
    button.click()
    expect(page.locator("#runs-told")).to_contain_text("3 runs deleted.")
    says(page, "No runs yet")
    expect(button).to_have_count(0)
    assert MARKER.encode() not in bytes_of(doomed)
    asking.finish()
    assert [(row.prompt, row.status) for row in doomed.rows()] == [("Go on", "completed")]


# --- hostile rows, faults, phones -------------------------------------------------------------------------------------


def test_hostile_text_is_text(page: Page) -> None:
    """The fixture counts requests to other hosts, dialogs and errors."""
    models = column(page, "Model")
    expect(models.nth(0)).to_have_text(BIDI)
    expect(models.nth(1)).to_have_text(EVIL)
    assert page.locator("#runs-table :is(img, iframe, script)").count() == 0
    choose(page, "runs-note", "cold")
    says(page, "1 of 234")
    expect(open_first(page)).to_contain_text("alert(2)")
    page.locator("#replay-run").click()
    expect(page.locator("#replay")).to_contain_text("alert")
    page.locator("#runs-model input").click()
    expect(page.locator("ul[role=listbox] li", has_text="evil.example")).to_be_visible()
    assert page.locator("#run-details :is(img, iframe, script), #replay :is(img, iframe, script)").count() == 0
    assert page.locator("ul[role=listbox] :is(img, script)").count() == 0


@pytest.mark.parametrize("keys", [["Tab"], ["Escape", "Tab"], ["s", "Tab"], ["Shift+Tab"]], ids="+".join)
def test_a_list_closes_when_it_is_left(page: Page, keys: list[str]) -> None:
    lists = page.locator("ul[role=listbox]")
    page.locator("#runs-mode input").click()
    expect(lists).to_have_count(1)
    for key in keys:
        page.keyboard.press(key)
    expect(page.locator("#runs-mode input")).not_to_be_focused()
    page.locator("#runs-text textarea, #runs-text input").focus()
    expect(lists).to_have_count(0)


def test_a_broken_log_says_so_and_comes_back(page: Page, full: Playground) -> None:
    raw = sqlite3.connect(full.log)
    raw.execute("ALTER TABLE runs RENAME TO away")
    raw.commit()
    search(page, "ordinary")
    says(page, "The run log could not be read: no such table")
    raw.execute("ALTER TABLE away RENAME TO runs")
    raw.commit()
    raw.close()
    search(page, "ordinary question")
    says(page, "1–100 of 230 that fit, of 234 runs")


def test_on_a_phone(visitors: Any, full: Playground) -> None:
    page = open_runs(visitors(full.url, viewport=PHONE, has_touch=True, is_mobile=True).page)
    assert page.evaluate(NO_SIDEWAYS)
    header(page, "Model").tap()
    expect(header(page, "Model")).to_have_attribute("aria-sort", "ascending")
    page.locator("#runs-table .virtual-row [role=gridcell]").first.tap()
    expect(page.locator("#run-details .chosen")).to_be_visible()
    assert page.evaluate(NO_SIDEWAYS)
    page.locator("#runs-next").tap()
    says(page, "101–200 of 234 runs")
