"""Two bars on one axis: silence, then text."""

from __future__ import annotations

import re

from app.ui.race import lane_times, race
from tests.app.ui.make import a_complete_update, a_live_update, a_turn, an_update


def widths(html: str) -> list[tuple[float, float]]:
    found = re.findall(r'class="wait" style="width:([\d.]+)%"></span><span class="flow" style="width:([\d.]+)%"', html)
    return [(float(wait), float(flow)) for wait, flow in found]


def test_a_streamed_answer_is_silent_until_its_first_text() -> None:
    assert lane_times(an_update()) == (0.412, 7.4)


def test_a_complete_answer_is_silent_all_the_time() -> None:
    assert lane_times(a_complete_update()) == (7.4, 7.4)


def test_what_has_no_text_yet_is_silent_so_far() -> None:
    assert lane_times(a_live_update(text="", first_text_s=None, elapsed_s=2.0)) == (2.0, 2.0)
    assert lane_times(None) == (0.0, 0.0)


def test_both_lanes_share_one_axis() -> None:
    (whole_wait, whole_flow), (wait, flow) = widths(race(a_turn(an_update(), a_complete_update(), mode="both")))
    assert (whole_wait, whole_flow) == (100.0, 0.0)
    assert round(wait, 1) == 5.6
    assert round(wait + flow, 1) == 100.0


def test_the_axis_of_a_running_race_stands_still() -> None:
    def axis(elapsed_s: float) -> str:
        running = a_live_update(mode="sync", text="", first_text_s=None, elapsed_s=elapsed_s)
        return str(re.findall(r"<span>([\d.:]+(?: s)?)</span></div>", race(a_turn(running, mode="both", open=True)))[0])

    assert axis(3.1) == axis(4.9) == "5.0 s"
    assert axis(5.1) == "8.0 s"
    assert axis(5000.0) == "83:20"


def test_the_verdict_waits_for_both_and_the_warning_for_the_end() -> None:
    running = a_live_update(tokens=30)
    html = race(a_turn(a_complete_update(), running, mode="both", open=True))
    assert "sooner with streaming" in html
    assert "differ in length" not in html
    assert "sooner" not in race(a_turn(running, mode="both", open=True))
    assert "differ in length" in race(a_turn(a_complete_update(tokens=10), an_update(tokens=90), mode="both"))
