"""The stages of a run follow one another and add up to its total."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.stages import stages_of
from tests.metrics.records import record

THOUGHT: dict[str, Any] = {
    "duration_s": 7.4,
    "time_to_headers_s": 0.2,
    "time_to_first_chunk_s": 0.4,
    "time_to_first_visible_s": 2.4,
    "time_to_last_chunk_s": 7.3,
    "flags": ("reasoning",),
}


def told(**given: Any) -> list[tuple[str, float]]:
    return [(stage.name, round(stage.length_s, 6)) for stage in stages_of(record(**given))]


def test_a_run_that_thinks_first() -> None:
    assert told(**THOUGHT) == [
        ("Until the service answered", 0.2),
        ("Until the first thought", 0.2),
        ("Thinking", 2.0),
        ("Text", 4.9),
        ("Closing", 0.1),
    ]


def test_a_run_without_thinking() -> None:
    given = THOUGHT | {"flags": (), "time_to_first_chunk_s": 2.4}
    assert told(**given)[1:3] == [("Until the first text", 2.2), ("Text", 4.9)]


def test_thinking_that_was_cut() -> None:
    given = THOUGHT | {"time_to_first_visible_s": None, "status": "interrupted"}
    assert told(**given)[2:] == [("Thinking", 6.9), ("Until it ended", 0.1)]


def test_text_before_thinking_has_no_stage_for_it() -> None:
    assert told(**(THOUGHT | {"time_to_first_chunk_s": 2.4}))[1] == ("Until the first text", 2.2)


def test_a_complete_answer_has_two_stages() -> None:
    names = told(mode="sync", duration_s=5.0, time_to_headers_s=4.0)
    assert names == [("Until the service answered", 4.0), ("Reading the answer", 1.0)]


def test_nothing_came_and_nothing_was_timed() -> None:
    assert told(duration_s=3.0, status="failed") == [("Until it ended", 3.0)]
    assert told(status="failed") == []


TIMES = st.none() | st.floats(0, 20)


@given(
    duration_s=st.floats(0, 20),
    time_to_headers_s=TIMES,
    time_to_first_chunk_s=TIMES,
    time_to_first_visible_s=TIMES,
    time_to_last_chunk_s=TIMES,
    flags=st.sampled_from([(), ("reasoning",)]),
    mode=st.sampled_from(["sync", "stream"]),
)
def test_stages_add_up_to_the_total(**values: Any) -> None:
    stages = stages_of(record(**values))
    assert sum(stage.length_s for stage in stages) == pytest.approx(values["duration_s"])
    assert all(stage.length_s >= 0 for stage in stages)
    ends = [0.0, *(stage.began_s + stage.length_s for stage in stages)]
    assert [stage.began_s for stage in stages] == pytest.approx(ends[:-1])
