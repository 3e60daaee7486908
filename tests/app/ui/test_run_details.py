"""A run, opened: where its time went, and nothing of it as markup."""

from __future__ import annotations

import pytest

from app.ui.replay import why_not
from app.ui.run_details import details
from metrics.texts import Texts, reduced
from tests.app.ui.make import a_record

S = 1_000_000_000


def test_stages_timeline_and_reader_of_a_streamed_run() -> None:
    chunks = tuple((S + i * S // 10, "text", 10) for i in range(10))
    drawn = details(a_record(chunks=chunks, response="One word. " * 10, duration_s=2.0, time_to_last_chunk_s=1.9))
    assert 'class="waterfall"' in drawn
    assert ">2.00 s</span></p>" in drawn
    assert 'role="img"' in drawn
    assert "100 characters in 10 chunks" in drawn
    assert "A reader of 240 words a minute never ran out of text." in drawn


def test_a_complete_run_has_stages_but_no_timeline() -> None:
    drawn = details(a_record(mode="sync", response="One word.", chunks=((7 * S, "text", 9),), time_to_headers_s=7.0))
    assert "Reading the answer" in drawn
    assert "<svg" not in drawn


def test_a_run_that_never_began_is_shown_all_the_same() -> None:
    drawn = details(a_record(status="failed", duration_s=None, time_to_first_visible_s=None, error_message="No."))
    assert "waterfall" not in drawn
    assert '<p class="problem">No.</p>' in drawn


def test_the_details_are_escaped() -> None:
    evil = "<img src=x onerror=alert(1)>"
    drawn = details(a_record(prompt=evil, response=evil, chunks=((S, "text", len(evil)),), error_message=evil))
    assert "<img" not in drawn


@pytest.mark.parametrize("texts", ["hash", "off"])
def test_a_text_that_was_not_kept_is_told_in_words(texts: Texts) -> None:
    chunks = ((S, "text", 9), (2 * S, "text", 9))
    run = reduced(a_record(prompt="The sea?", response="Deep. Water.", chunks=chunks, error_message="No: sea"), texts)
    drawn = details(run)
    assert f"(--log-text {texts})" in drawn
    assert "What went wrong is not kept" in drawn
    assert 'class="bubble"' not in drawn
    assert "reader" not in drawn
    assert drawn.count("sha256:") == (2 if texts == "hash" else 0)
    assert why_not(run).endswith("There is nothing to replay.")


def test_the_wait_in_line_has_a_figure_of_its_own() -> None:
    assert "<dt>In line</dt><dd>1.50 s</dd>" in details(a_record(queued_s=1.5))
    assert "In line" not in details(a_record(queued_s=0.0001))
    assert "In line" not in details(a_record(queued_s=None))
