"""The conversation's HTML: everything is escaped, every answer has its figures, the live one only grows."""

from __future__ import annotations

import pytest

from app.live import RunFailure
from app.ui import markup
from tests.app.ui.make import a_complete_update, a_live_update, a_record, a_turn, an_update

EVIL = '<img src=x onerror="alert(1)">'


def labels(model_id: str) -> str:
    return {"us.amazon.nova-micro-v1:0": "Nova Micro"}.get(model_id, model_id)


def test_an_empty_page_offers_prompts_and_says_what_they_show() -> None:
    html = markup.history((), labels)
    assert html.count('data-act="sample"') == len(markup.SAMPLES)
    assert {mode for _, mode, _ in markup.SAMPLES} == {"Stream", "Both", "Complete"}


def test_a_finished_turn_has_question_answer_figures_and_tools() -> None:
    html = markup.history((a_turn(an_update()),), labels)
    for part in ("Why?", "<p>Because.</p>", "first text 412 ms", "Nova Micro", 'data-raw="Because."'):
        assert part in html
    for action in ("copy", "edit", "again"):
        assert f'data-act="{action}"' in html


def test_only_the_last_turn_can_be_asked_again() -> None:
    turns = (a_turn(an_update(), id=1), a_turn(an_update(), id=2))
    assert markup.history(turns, labels).count('data-act="again"') == 1


def test_the_open_turn_shows_only_its_question() -> None:
    html = markup.history((a_turn(a_live_update(text="Be"), open=True),), labels)
    assert "Why?" in html
    assert "Be<" not in html


@pytest.mark.parametrize(
    "turn",
    [
        a_turn(an_update(), question=EVIL),
        a_turn(an_update(text=EVIL)),
        a_turn(an_update(reasoning=EVIL)),
        a_turn(an_update(model_id=EVIL)),
        a_turn(an_update(notices=(EVIL,))),
        a_turn(an_update(not_saved=EVIL)),
        a_turn(an_update(state="failed", failure=RunFailure(sentence=EVIL, type=EVIL, request_id=EVIL))),
        a_turn(an_update(record=a_record(cost_usd=1.0, price_source=EVIL))),
        a_turn(a_complete_update(text=EVIL), an_update(text=EVIL), mode="both"),
    ],
)
def test_nothing_from_outside_reaches_the_page_as_markup(turn: object) -> None:
    drawn = markup.history((turn,), labels)  # type: ignore[arg-type]
    drawn += "".join(markup.LiveAnswer(labels).draw(turn))  # type: ignore[arg-type]
    assert "<img" not in drawn
    assert 'onerror="' not in drawn
    assert "&lt;img" in drawn


def test_a_failure_stands_with_the_answer_and_can_be_retried() -> None:
    failure = RunFailure(sentence="Too many requests just now.", type="ThrottledError", request_id="abc-1")
    html = markup.history((a_turn(an_update(state="failed", text="Half", failure=failure)),), labels)
    for part in ("<p>Half</p>", "Too many requests just now.", "Retry", "ThrottledError", "abc-1", "cut off"):
        assert part in html
    assert html.count('data-act="again"') == 1


def test_endings_without_text_say_so() -> None:
    assert "Stopped before the first text." in markup.history((a_turn(an_update(state="stopped", text="")),), labels)
    assert "The answer is empty." in markup.history((a_turn(an_update(text="")),), labels)
    assert "Stopped before anything was sent." in markup.history((a_turn(),), labels)


def test_notices_are_shown_once() -> None:
    turn = a_turn(an_update(notices=("Left out.",)), notices=("Left out.",))
    assert markup.history((turn,), labels).count("Left out.") == 1


def test_thinking_is_folded_with_its_time() -> None:
    html = markup.history((a_turn(an_update(reasoning="Hm", record=a_record(thinking_s=12.0))),), labels)
    assert "<summary>Thought for 12.00 s</summary><p>Hm</p>" in html


def test_both_answers_stand_beside_each_other_under_one_race() -> None:
    html = markup.history((a_turn(an_update(), a_complete_update(), mode="both"),), labels)
    assert html.count('class="race"') == 1
    assert html.count('<section class="answer"') == 2
    assert html.index('>Complete</span><span class="model"') < html.index('>Streamed</span><span class="model"')
    assert "First text 6.99 s sooner with streaming" in html


def test_the_live_answer_changes_only_at_its_end() -> None:
    live = markup.LiveAnswer(labels)
    before = live.draw(a_turn(a_live_update(text="One.\n\nTwo.\n\nThree.\n\nFo"), open=True))
    after = live.draw(a_turn(a_live_update(text="One.\n\nTwo.\n\nThree.\n\nFour"), open=True))
    assert [pair[0] == pair[1] for pair in zip(before, after, strict=True)].count(False) == 1
    assert "".join(after).count("<section") == "".join(after).count("</section>") == 1


def test_waiting_for_a_complete_answer_is_honest() -> None:
    waiting = a_live_update(mode="sync", state="waiting", text="", first_text_s=None)
    drawn = "".join(markup.LiveAnswer(labels).draw(a_turn(waiting, mode="both", open=True)))
    assert "Nothing to read until the whole answer is there." in drawn
    assert "Its turn comes next." in drawn


def test_live_thinking_shows_its_end_and_no_more() -> None:
    drawn = "".join(markup.LiveAnswer(labels).draw(a_turn(a_live_update(text="", reasoning="x" * 5000), open=True)))
    assert "x" * 600 in drawn
    assert "x" * 601 not in drawn
