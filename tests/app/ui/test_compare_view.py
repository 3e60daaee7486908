"""What the panes show, from the first instant to the end, and what a blind race keeps to itself."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from app.comparisons import PaneSettings, Standing
from app.live import RunFailure, RunUpdate
from app.ui.compare_view import CompareView, head, sent_words, state_line, tabs
from providers.types import RetryScheduled
from tests.app.ui.make import a_live_update, a_record, an_update

MODEL = "us.amazon.nova-micro-v1:0"


def labels(model_id: str) -> str:
    return f"Label of {model_id}"


def standing(*answers: RunUpdate | None, **values: Any) -> Standing:
    usual = {
        "id": "c",
        "answers": answers,
        "panes": tuple(PaneSettings(model=MODEL) for _ in answers),
        "order": (None,) * len(answers),
        "letters": tuple("ABCDEF"[: len(answers)]) if values.get("blind") else (),
    }
    return Standing(**(usual | values))


def drawn(shown: Standing) -> tuple[list[str], list[str]]:
    stats, answers = CompareView(labels).panes(shown)
    return stats, ["".join(pieces) for pieces in answers]


def test_a_pane_has_state_elapsed_rate_progress_and_figures_from_the_first_instant() -> None:
    waiting = a_live_update(state="waiting", text="", tokens=None, first_text_s=None, elapsed_s=0.1)
    [stats, *rest], [answer, *_] = drawn(standing(waiting, open=True))
    assert 'data-state="waiting" data-live="true"' in stats
    assert "0.1 s" in stats
    assert 'role="progressbar"' in stats
    assert "first text –" in stats
    assert "Waiting for the first text." in answer
    assert rest == [""] * 5


def test_the_answer_only_grows_until_it_has_ended() -> None:
    view = CompareView(labels)
    texts = ["One", "One two", "One two\n\nthree", "One two\n\nthree four"]
    pieces = [view.panes(standing(a_live_update(text=text), open=True))[1][0] for text in texts]
    assert all(later[:3] == earlier[:3] for earlier, later in pairwise(pieces))
    assert "four" in "".join(pieces[-1])


def test_text_of_model_and_person_is_escaped() -> None:
    evil = "<img src=x onerror=alert(1)>"
    failure = RunFailure(sentence=evil, type="RequestError")
    for update in (a_live_update(text=evil), an_update(text=evil), an_update(state="failed", failure=failure)):
        _, [answer, *_] = drawn(standing(update, open=not update.ended))
        assert "<img" not in answer
    assert "<img" not in head(0, (evil,))
    assert "<img" not in tabs(standing(an_update(model_id=evil)), 1, lambda model_id: model_id)


def test_a_lump_is_said_to_be_none_of_a_stream() -> None:
    record = a_record(flags=("buffered_stream",), decode_tokens_per_s=None)
    [stats, *_], [answer, *_] = drawn(standing(an_update(record=record)))
    assert "not really streamed" in answer
    assert "a proxy, a guardrail" in answer
    assert "– tok/s" in stats


def test_a_failed_pane_says_why_with_a_button_of_its_own() -> None:
    failure = RunFailure(sentence="Access to the model is denied.", type="AccessDeniedError")
    update = an_update(state="failed", text="", record=None, failure=failure, run_id="")
    [stats, *_], [answer, *_] = drawn(standing(update))
    assert "Access to the model is denied." in answer
    assert 'data-act="pane-again"' in answer
    assert "not sent" in stats


def test_a_pane_whose_turn_comes_says_so() -> None:
    [stats, *_], [answer, *_] = drawn(standing(None, open=True, in_turn=True))
    assert "its turn comes" in stats
    assert "Its turn comes." in answer


def test_a_blind_race_tells_neither_model_nor_price_nor_what_is_simulated() -> None:
    record = a_record(cost_usd=0.0031, price_source="list", flags=("buffered_stream",))
    update = an_update(simulated=True, record=record)
    shown = standing(update, update, blind=True)
    stats, answers = drawn(shown)
    everything = "".join((*stats, *answers, tabs(shown, 2, labels), state_line(shown, 2, labels)))
    assert "Label of" not in everything
    assert MODEL not in everything
    assert ">simulated<" not in everything
    assert "$0.0031" not in everything
    assert ">A<" in tabs(shown, 2, labels)
    assert "not really streamed" in everything
    revealed = standing(update, update, blind=True, choice=1)
    assert f">B · Label of {MODEL}<" in tabs(revealed, 2, labels)


def test_an_error_in_a_blind_race_waits_with_its_reason() -> None:
    failure = RunFailure(sentence=f"No access to {MODEL}.", type="AccessDeniedError")
    update = an_update(state="failed", text="", failure=failure, notices=(f"{MODEL} is asked over Converse.",))
    _, [hidden, *_] = drawn(standing(update, blind=True))
    assert MODEL not in hidden
    assert "Why is told with the names." in hidden
    _, [told, *_] = drawn(standing(update, blind=True, choice="tie"))
    assert f"No access to {MODEL}." in told


def test_no_sentence_with_a_name_is_told_in_a_blind_race_not_even_to_a_listener() -> None:
    retry = RetryScheduled(attempt=2, of=3, wait_s=0.5, reason=f"{MODEL} failed.", error_type="ModelFailedError")
    failure = RunFailure(sentence=f"No access to {MODEL}.", type="AccessDeniedError", request_id="r-1")
    retrying = a_live_update(state="retrying", retry=retry)
    failed = an_update(state="failed", text="", failure=failure, not_saved=f"The row of {MODEL} was refused.")
    shown = standing(retrying, failed, blind=True, open=True)
    stats, answers = drawn(shown)
    everything = "".join((*stats, *answers, state_line(shown, 2, labels)))
    assert MODEL not in everything
    assert "attempt 2 of 3: the try before it failed" in everything
    assert "This run is not in the table yet." in everything
    named = standing(retrying, failed, open=True)
    assert f"{MODEL} failed." in drawn(named)[0][0]
    assert f"No access to {MODEL}." in state_line(named, 2, labels)


def test_the_head_names_what_differs() -> None:
    html = head(1, ("temperature 0.2",))
    assert '<span class="number">2</span><span class="letter">B</span>' in html
    assert "temperature 0.2" in html
    assert 'aria-label="Remove pane 2"' in html


def test_the_start_is_told_as_fair_as_it_was() -> None:
    done = an_update()
    assert sent_words(standing(done, done, skew_s=0.0023)) == "all sent within 2.3 ms of each other"
    assert sent_words(standing(done, done, skew_s=0.0)) == "all sent within 0.1 ms of each other"
    assert sent_words(standing(done, done, skew_s=0.043)) == "all sent within 43 ms of each other"
    in_turn = standing(done, done, done, in_turn=True, order=(2, 3, 1))
    assert sent_words(in_turn) == "one after another, in shuffled order: 3, 1, 2"
    assert sent_words(standing(done)) == ""


def test_the_line_of_state_hides_no_answer_that_failed_or_was_stopped() -> None:
    done, failed, stopped = (an_update(state=state) for state in ("done", "failed", "stopped"))
    assert '<span class="word">done</span>' in state_line(standing(done, done), 2, labels)
    line = state_line(standing(done, failed, stopped, skew_s=0.002), 3, labels)
    assert 'data-state="failed"' in line
    assert "1 of 3 failed · 1 of 3 stopped · all sent within 2.0 ms of each other" in line
    assert 'data-state="stopped"' in state_line(standing(done, stopped), 2, labels)


def test_the_line_of_state_says_how_many_have_ended() -> None:
    busy = state_line(standing(an_update(), a_live_update(), open=True), 2, labels)
    assert 'data-busy="true" data-panes="2" data-blind="false" data-letters="" data-asked="true"' in busy
    assert "1 of 2 ended" in busy
    assert 'data-letters="AB"' in state_line(standing(an_update(), an_update(), blind=True, choice=0), 2, labels)
    assert "The first text has arrived." in busy
    assert 'data-asked="false"' in state_line(Standing(), 2, labels)
