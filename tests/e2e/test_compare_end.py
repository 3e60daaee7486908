"""The end of a comparison in the browser: its figures come into view, once, and leave who reads alone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import NO_SIDEWAYS, PHONE, Playground
from tests.e2e.test_compare import Compare

IN_VIEW = """
  document.querySelector('.compare-table tbody tr:last-child').getBoundingClientRect().bottom
    <= document.getElementById('compare-dock').getBoundingClientRect().top
"""


@pytest.mark.parametrize("phone", [False, True])
def test_the_table_comes_into_view_above_the_prompt(visitors: Any, here: Playground, phone: bool) -> None:
    page: Page = visitors(here.url, **({"viewport": PHONE} if phone else {})).page
    compare = Compare(page)
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#compare[data-panes='2']")).to_have_count(1)
    if not phone:
        page.set_viewport_size({"width": 1280, "height": 640})
    compare.short()
    compare.ask()
    expect(compare.rows).to_have_count(2)
    page.wait_for_function(IN_VIEW)
    assert page.evaluate("document.getElementById('compare-dock').offsetHeight") < (150 if phone else 145)
    assert page.evaluate(NO_SIDEWAYS)


def test_who_scrolled_meanwhile_stays_where_he_is(visitors: Any, here: Playground) -> None:
    page: Page = visitors(here.url).page
    compare = Compare(page).open()
    page.set_viewport_size({"width": 1280, "height": 640})
    compare.start()
    page.mouse.move(20, 300)
    page.mouse.wheel(0, -5)
    page.keyboard.press("Escape")
    compare.finish()
    expect(compare.rows).to_have_count(2)
    assert not page.evaluate(IN_VIEW)
