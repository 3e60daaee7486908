"""The strip: one word, a clock, a rate, a bar that never goes back."""

from __future__ import annotations

import re

import pytest

from app.live import RunFailure, State
from app.ui import panel
from app.ui.panel import Problem, Strip
from metrics.progress import ProgressEstimate
from metrics.token_rate import RateStatus
from tests.app.ui.make import a_complete_update, a_live_update, a_turn, an_update


def estimate(low: float, high: float) -> ProgressEstimate:
    return ProgressEstimate(phase="normal", fraction=low, low=low, high=high, eta_s=5.0, eta_low_s=4.0, eta_high_s=9.0)


def bar(html: str) -> tuple[str, float, float]:
    kind = re.findall(r'data-kind="(\w+)"', html)[0]
    high, low = re.findall(r'class="(?:band|fill)" style="width:([\d.]+)%"', html)
    return kind, float(low), float(high)


def status(html: str) -> str:
    return str(re.findall(r'class="word">(\w+)<', html)[0])


def test_the_four_elements_are_there_and_have_names() -> None:
    for html in (panel.idle(), Strip().draw(a_turn(an_update()))):
        for element in ("chat-status", "chat-rate", "chat-progress", "chat-stats"):
            assert re.search(rf'id="{element}" role="group" aria-label="[A-Z][a-z ]+"', html)


@pytest.mark.parametrize(
    ("state", "word"),
    [("waiting", "waiting"), ("retrying", "waiting"), ("thinking", "waiting"), ("stalled", "stalled")],
)
def test_the_word_of_a_running_answer(state: State, word: str) -> None:
    html = Strip().draw(a_turn(a_live_update(state=state, silence_s=4.0), open=True))
    assert status(html) == word
    assert 'data-busy="true"' in html


def test_the_word_at_the_end() -> None:
    assert status(Strip().draw(a_turn(an_update()))) == "done"
    assert status(Strip().draw(a_turn(an_update(state="stopped")))) == "stopped"
    assert status(Strip().draw(a_turn())) == "stopped"
    assert status(panel.idle()) == "ready"


def test_before_the_first_text_the_bar_promises_nothing() -> None:
    html = Strip().draw(a_turn(a_live_update(state="waiting", text="", progress=None), open=True))
    assert bar(html) == ("unknown", 0.0, 0.0)
    assert "aria-valuenow" not in html
    assert 'aria-valuetext="estimating"' in html


def test_the_bar_is_a_range_with_words() -> None:
    html = Strip().draw(a_turn(a_live_update(progress=estimate(0.4, 0.7)), open=True))
    assert bar(html) == ("range", 40.0, 70.0)
    assert 'aria-valuetext="about 40–70 %, 4–9 s left"' in html


def test_the_bar_never_goes_back_and_ends_whole() -> None:
    strip = Strip()
    shown = [
        bar(strip.draw(a_turn(a_live_update(progress=estimate(low, high)), open=True)))
        for low, high in ((0.2, 0.6), (0.1, 0.8), (0.3, 0.7))
    ]
    assert [low for _, low, _ in shown] == [20.0, 20.0, 30.0]
    assert [high for _, _, high in shown] == [60.0, 80.0, 80.0]
    assert bar(strip.draw(a_turn(an_update()))) == ("whole", 100.0, 100.0)


def test_an_answer_that_starts_over_has_a_bar_of_its_own() -> None:
    strip = Strip()
    strip.draw(a_turn(a_live_update(progress=estimate(0.6, 0.9)), open=True))
    again = strip.draw(a_turn(a_live_update(progress=estimate(0.1, 0.2), resets=1), open=True))
    assert bar(again)[1:] == (10.0, 20.0)


def test_mode_both_says_which_answer_is_on_its_way() -> None:
    second = a_live_update(run_id="run-3")
    html = Strip().draw(a_turn(a_complete_update(), second, mode="both", open=True))
    assert "2 of 2, the streamed answer" in html
    assert "First text 6.99 s sooner" in Strip().draw(a_turn(a_complete_update(), an_update(), mode="both"))


def test_a_slow_answer_says_so_beside_its_rate_and_a_stalled_one_does_not() -> None:
    slow = RateStatus(
        tokens=9,
        elapsed_s=4,
        silence_s=0.1,
        overall_per_s=2,
        average_per_s=2,
        instantaneous_per_s=2,
        expected_per_s=10,
    )
    assert "Response speed is slow" in Strip().draw(a_turn(a_live_update(rate=slow), open=True))
    stalled = a_live_update(rate=slow, state="stalled", silence_s=4.0)
    assert "Response speed" not in Strip().draw(a_turn(stalled, open=True))


def test_a_refusal_by_the_service_gives_the_prompt_back() -> None:
    failure = RunFailure(sentence="No.", type="InvalidRequestError")
    refused = an_update(state="failed", text="", failure=failure)
    assert 'data-refill="true"' in Strip().draw(a_turn(refused))
    assert "data-refill" not in Strip().draw(a_turn(an_update(state="failed", failure=failure)))


def test_only_the_hidden_status_is_announced() -> None:
    html = Strip().draw(a_turn(a_live_update(), open=True))
    assert html.count('role="status"') == 1
    assert "aria-live" not in html
    assert "The first text has arrived." in html


def test_a_problem_names_its_field_and_is_escaped() -> None:
    html = panel.problem_line(Problem(sentence="<b>temperature</b> must be lower.", field="temperature"))
    assert html == ('<p class="problem" data-field="temperature">&lt;b&gt;temperature&lt;/b&gt; must be lower.</p>')
    assert panel.problem_line(None) == ""
    assert "Prompt is required." in panel.refused(Problem(sentence="Prompt is required."))
